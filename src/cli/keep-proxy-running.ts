import type { VerifyingProxy } from '../proxy/proxy.ts';
import type { Verdict } from '../proxy/verdict.ts';
import { CliError } from './cli-error.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { openTrust, type OpenedTrust } from './open-trust.ts';
import { activatedSocket, serviceAddress, serviceAddressPath } from './proxy-service.ts';
import { ProxyRecord } from './proxy-status.ts';
import { resolveTrust, type ResolvedTrust } from './resolve-trust.ts';
import { startProxy } from './start-proxy.ts';
import { StopRequest } from './stop-request.ts';
import { print, reportVerdict, say } from './terminal.ts';
import { placesOf } from './trust-places.ts';

const REPEAT_AFTER = 60_000;

export interface ProxyCommandOptions {
  readonly port: number;
  readonly index?: string;
  /** Folder whose [tool.rind] counts; the working folder when left out. */
  readonly project?: string;
  /** Minutes after which a new snapshot of the index is taken. */
  readonly session: number;
  /** Keep to the address chosen at set-up. */
  readonly service?: boolean;
}

/** Serves a verified index until SIGINT or SIGTERM. Its URL goes to stdout, everything else to stderr. */
export async function keepProxyRunning(options: ProxyCommandOptions): Promise<ExitCode> {
  const stop = new StopRequest();
  const trust = await resolveTrust(options.project ?? process.cwd(), { index: options.index });
  const record = new ProxyRecord();
  const sessionMaxAge = options.session * 60_000;
  const opened = await openTrust(trust, { sessionMaxAge, readsAhead: true, onWithheld: record.withheld });
  try {
    const proxy = await start(trust, opened, options, record);
    try {
      say(`serving what ${opened.index.url} signed; nothing else leaves this address`);
      print(proxy.simpleUrl);
      say(`its status: ${proxy.url}`);
      say('end it with Ctrl-C');
      await stop.wait();
      return EXIT.ok;
    } finally {
      await proxy.close();
    }
  } finally {
    await opened.close();
  }
}

async function start(
  trust: ResolvedTrust,
  { index }: OpenedTrust,
  options: ProxyCommandOptions,
  record: ProxyRecord,
): Promise<VerifyingProxy> {
  const socket = activatedSocket(process.env);
  const isService = options.service === true || socket !== undefined;
  const port = isService ? (await serviceAddress(options.port)).port : options.port;
  const places = isService ? { addressPath: serviceAddressPath() } : await placesOf(trust);
  const report = reporter();
  const onFailure = (verdict: Verdict): void => {
    record.refused(verdict);
    report(verdict);
  };
  try {
    const proxy: VerifyingProxy = await startProxy(places, {
      index,
      onFailure,
      onOutside: outsideReporter(),
      socket,
      ...(port === 0 ? {} : { port }),
      statusPage: () => record.page(trust, proxy.simpleUrl, options.session * 60_000),
    });
    return proxy;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EADDRINUSE' && code !== 'EACCES') throw error;
    const reason = code === 'EADDRINUSE' ? 'is in use' : 'may not be used';
    throw new CliError('failure', `Port ${port} on 127.0.0.1 ${reason}.`, [
      isService
        ? 'rind proxy install --user --port NUMBER chooses another'
        : 'leave --port out to take any that is free',
    ]);
  }
}

/** For whoever wonders why a further index is not asked. */
function outsideReporter(): (host: string) => void {
  const said = new Map<string, number>();
  return (host) => {
    const now = performance.now();
    for (const [other, moment] of said) if (now - moment > REPEAT_AFTER) said.delete(other);
    if (said.has(host)) return;
    said.set(host, now);
    say(
      `note: ${host} was asked for through this address, and refused: nothing from there could be verified`,
    );
  };
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
