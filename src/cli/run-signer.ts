import { openSigner } from '../keys/key-uri.ts';
import type { OpenedSigner } from '../keys/opened-signer.ts';
import { parseSecretSource } from '../keys/secret-source.ts';
import { SignatureLogError, verifySignatureLog } from '../keys/signature-log.ts';
import { SignerServer } from '../keys/signer-server.ts';
import { ANY_BIN, type SigningPolicy } from '../keys/signing-policy.ts';
import { profileNamed } from '../repository/profile.ts';
import { CliError } from './cli-error.ts';
import type { SignerOptions } from './commands/signer.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { StopRequest } from './stop-request.ts';
import { print, say } from './terminal.ts';

/** `rind signer`: until SIGINT, SIGTERM or SIGHUP. */
export async function runSigner(options: SignerOptions): Promise<ExitCode> {
  const { socket, state, key: uris = [] } = options;
  if (socket === undefined || state === undefined || uris.length === 0)
    throw new CliError('usage', 'A signer needs --socket, --state and at least one --key.', ['rind signer --help']); // prettier-ignore
  const policy = policyOf(options);
  const signers = await openAll(uris, options.secret ?? ['terminal']);
  const stop = new StopRequest();
  try {
    const server = await SignerServer.start({ socket, state, signers, policy, group: options.group, report: say }); // prettier-ignore
    for (const { key, uri } of signers) say(`holds key ${key.keyId} (${uri})`);
    say(`signs on ${socket}: ${describe(policy)}`);
    print('ready');
    await stop.wait();
    await server.close();
  } finally {
    await Promise.allSettled(signers.map((signer) => signer.close()));
  }
  return EXIT.ok;
}

/** `rind signer log` */
export async function checkLog(folder: string): Promise<ExitCode> {
  try {
    const { number, hash } = await verifySignatureLog(folder);
    print(`${number} lines, the last one with the sha256 ${hash}`);
    say('write both down elsewhere now and then: lines cut off the end show only beside them');
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof SignatureLogError)) throw error;
    throw new CliError('verification', error.message, [], { cause: error });
  }
}

/** The roles that online keys sign, with the lifetime of the profile: the publisher never asks for more. */
function policyOf({ profile: name, role, bins }: SignerOptions): SigningPolicy {
  if (role !== undefined) return { lifetimes: role, bins };
  const profile = profileNamed(name);
  if (profile === undefined) throw new CliError('usage', `There is no profile "${name}".`, ['team or pypi']);
  const roles = ['timestamp', 'snapshot', 'recently-claimed', ANY_BIN];
  return { lifetimes: new Map(roles.map((online) => [online, profile.onlineLifetime])), bins };
}

function describe({ lifetimes }: SigningPolicy): string {
  return [...lifetimes].map(([role, lifetime]) => `${role} for ${lifetime / 86_400_000} days`).join(', ');
}

/** In turn, so that questions on a terminal come one after another. */
async function openAll(
  uris: readonly string[],
  sources: readonly string[],
): Promise<readonly OpenedSigner[]> {
  if (sources.length > 1 && sources.length !== uris.length)
    throw new CliError('usage', `${uris.length} keys need one --secret, or one for each.`);
  const signers: OpenedSigner[] = [];
  try {
    for (const [index, uri] of uris.entries()) {
      const source = sources[index] ?? sources[0] ?? 'terminal';
      signers.push(await openSigner(uri, { secret: parseSecretSource(source) }));
    }
  } catch (error) {
    await Promise.allSettled(signers.map((signer) => signer.close()));
    throw error;
  }
  return signers;
}
