import type { VerifyingProxy } from '../proxy/proxy.ts';
import type { TrustedIndex } from '../proxy/trust-store.ts';
import type { VerifiedIndex } from '../proxy/verified-index.ts';
import type { Verdict } from '../proxy/verdict.ts';
import { CliError } from './cli-error.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { chooseIndex, openIndex, openTrustStore } from './open-index.ts';
import { startProxy } from './start-proxy.ts';
import { print, reportVerdict, say } from './terminal.ts';

/** Milliseconds after which a new snapshot of the index is taken. */
const SESSION_MAX_AGE = 600_000;
const REPEAT_AFTER = 60_000;

/** Serves a verified index until SIGINT or SIGTERM. Its URL goes to stdout, everything else to stderr. */
export async function keepProxyRunning(options: {
  readonly port: number;
  readonly index?: string;
}): Promise<ExitCode> {
  const trusted = await chooseIndex(openTrustStore(), options.index);
  const opened = await openIndex(trusted, SESSION_MAX_AGE);
  try {
    const proxy = await start(trusted, opened.index, options.port);
    try {
      say(`serving what ${trusted.url} signed; nothing else leaves this address`);
      print(proxy.simpleUrl);
      say('end it with Ctrl-C');
      await ended();
      return EXIT.ok;
    } finally {
      await proxy.close();
    }
  } finally {
    await opened.close();
  }
}

async function start(trusted: TrustedIndex, index: VerifiedIndex, port: number): Promise<VerifyingProxy> {
  try {
    return await startProxy(trusted, { index, port, onFailure: reporter() });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EADDRINUSE' && code !== 'EACCES') throw error;
    const reason = code === 'EADDRINUSE' ? 'is in use' : 'may not be used';
    throw new CliError('failure', `Port ${port} on 127.0.0.1 ${reason}.`, [
      'leave --port out to take any that is free',
    ]);
  }
}

/** Says the same thing once a minute only: installers ask again and again. */
function reporter(): (verdict: Verdict) => void {
  const said = new Map<string, number>();
  return (verdict) => {
    const now = performance.now();
    const key = `${verdict.code} ${verdict.subject}`;
    for (const [other, moment] of said) if (now - moment > REPEAT_AFTER) said.delete(other);
    if (said.has(key)) return;
    said.set(key, now);
    reportVerdict(verdict);
  };
}

function ended(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve());
  });
}
