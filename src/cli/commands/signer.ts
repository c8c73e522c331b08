import { InvalidArgumentError, type Command } from 'commander';

export interface SignerOptions {
  readonly socket?: string;
  readonly state?: string;
  readonly key?: readonly string[];
  readonly secret?: readonly string[];
  readonly profile: string;
  readonly role?: ReadonlyMap<string, number>;
  readonly bins?: number;
  readonly group?: number;
}

/** `rind signer` */
export function registerSigner(program: Command): void {
  const signer = program
    .command('signer')
    .summary('hold the online key in a process of its own, behind a unix socket')
    .description(
      'Signs what the server asks for over the socket, if it is metadata of its roles, goes forward and expires in time. Every use is in a log before the signature leaves. Run it as another user than the server.',
    )
    .option('--socket <path>', 'the socket; its folder is made and closed to others')
    .option('--state <folder>', 'where the signed versions and the log are kept')
    .option('--key <uri...>', 'the keys it holds')
    .option(
      '--secret <source...>',
      'where passphrases and PINs come from, one for all keys or one for each: terminal, file:PATH, fd:NUMBER, credential:NAME',
    )
    .option('--profile <name>', 'whose online roles and lifetimes are signed: team or pypi', 'team')
    .option('--role <name=days>', 'instead of the profile: a role, or bin-*, and its lifetime', collectRole)
    .option('--bins <number>', 'check that every target stands in its own bin of so many', parseCount)
    .option('--group <gid>', 'members of this group may use the socket', parseCount)
    .action(async (options: SignerOptions) => {
      const { runSigner } = await import('../run-signer.ts');
      process.exitCode = await runSigner(options);
    });
  signer
    .command('log')
    .summary('check the log of a signer line by line, and say where it stands')
    .argument('<folder>', 'its state folder')
    .action(async (folder: string) => {
      const { checkLog } = await import('../run-signer.ts');
      process.exitCode = await checkLog(folder);
    });
}

function collectRole(text: string, roles: ReadonlyMap<string, number> = new Map()): Map<string, number> {
  const [, role, days] = /^([a-z0-9._*-]+)=(\d{1,5}(?:\.\d+)?)$/.exec(text) ?? [];
  if (role === undefined || !(Number(days) > 0))
    throw new InvalidArgumentError('A role is written timestamp=7: its name and its lifetime in days.');
  return new Map(roles).set(role, Number(days) * 86_400_000);
}

function parseCount(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It is a number.');
  return Number(text);
}
