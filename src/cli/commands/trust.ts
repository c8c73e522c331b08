import { InvalidArgumentError, type Command } from 'commander';
import type { PinOptions } from '../pin-trust.ts';
import type { TrustAddOptions } from '../trust-index.ts';
import type { MirrorOptions } from '../trust-mirrors.ts';

/** `rind trust add|list|show|set|pin|remove` */
export function registerTrust(program: Command): void {
  const trust = program
    .command('trust')
    .summary('decide which indexes to trust')
    .description('The indexes this user trusts, each by its TUF root.');
  registerAdd(trust);
  trust
    .command('list')
    .description('Lists the trusted indexes.')
    .option('--json', 'as JSON')
    .action(async (options: { json?: boolean }) => {
      const { listTrusted } = await import('../show-trusted.ts');
      await listTrusted(options.json === true);
    });
  trust
    .command('show')
    .description('Shows the root of a trusted index as far as it is known here; asks nobody.')
    .argument('[url]', 'may be left out if only one index is trusted')
    .option('--json', 'as JSON')
    .action(async (url: string | undefined, options: { json?: boolean }) => {
      const { showTrusted } = await import('../show-trusted.ts');
      await showTrusted(url, options.json === true);
    });
  registerSet(trust);
  registerPin(trust);
  trust
    .command('remove')
    .description('Ends the trust in an index and removes everything kept for it.')
    .argument('<url>')
    .option('--json', 'print what was trusted as JSON')
    .action(async (url: string, options: { json?: boolean }) => {
      const { removeTrusted } = await import('../trust-index.ts');
      await removeTrusted(url, options.json === true);
    });
}

function registerSet(trust: Command): void {
  trust
    .command('set')
    .description('Names other mirrors of a trusted index, in place of those it has. They need no trust.')
    .argument('<url>')
    .option('--mirror <url>', MIRROR, collect)
    .option('--no-mirrors', 'takes all mirrors away')
    .option('--allow-unencrypted-http', 'although everybody on the way can see what you install')
    .option('--json', 'print what is trusted now as JSON')
    .action(async (url: string, options: MirrorOptions & { mirrors?: boolean }) => {
      const { setMirrors } = await import('../trust-mirrors.ts');
      await setMirrors(url, options);
    });
}

const MIRROR =
  'a copy of it, asked when the index cannot be used; once for each, in the order they are asked';

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

function registerPin(trust: Command): void {
  trust
    .command('pin')
    .description('Commits the trust in an index to a project: [tool.rind] of its pyproject.toml.')
    .argument('[url]', 'may be left out if only one index is trusted')
    .option('--file <path>', 'the pyproject.toml', 'pyproject.toml')
    .option('--name <name>', 'name of the index in the file; without it made of the host')
    .option('--projects <patterns...>', 'names that must come from it, such as acme-*; without it all others')
    .option('--print', 'print the table instead of writing it')
    .option('--json', 'print it as JSON')
    .action(async (url: string | undefined, options: PinOptions) => {
      const { pinTrust } = await import('../pin-trust.ts');
      await pinTrust(url, options);
    });
}

function registerAdd(trust: Command): void {
  trust
    .command('add')
    .description(
      'Trusts an index from now on. One of the first three options says why its root is the right one.',
    )
    .argument('<url>', 'for example https://packages.example.org/')
    .option('--root <file>', 'a root.json that whoever runs the index gave you')
    .option('--fingerprint <hex>', 'the sha256 of its root that whoever runs the index told you')
    .option(
      '--trust-on-first-use',
      'whatever root the index shows now (anybody on the way could show another)',
    )
    .option('--mirror <url>', MIRROR, collect)
    .option('--root-version <number>', 'the root version the fingerprint belongs to', parseVersion, 1)
    .option('--allow-unencrypted-http', 'although everybody on the way can see what you install')
    .option('--json', 'print what is trusted now as JSON')
    .action(async (url: string, options: TrustAddOptions) => {
      const { trustIndex } = await import('../trust-index.ts');
      process.exitCode = await trustIndex(url, options);
    });
}

function parseVersion(text: string): number {
  if (!/^[1-9][0-9]{0,8}$/.test(text)) throw new InvalidArgumentError('A root version is a number from 1.');
  return Number(text);
}
