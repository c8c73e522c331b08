import { Option, type Command } from 'commander';
import type { ProjectKeyOptions } from '../project-keys.ts';
import { wholeNumber } from './whole-number.ts';
import { withSigningOptions } from './signing-options.ts';

export interface NewKeyOptions {
  readonly scheme: 'ed25519' | 'ecdsa-sha2-nistp256' | 'rsassa-pss-sha256';
  readonly secret: string;
  readonly label?: string;
  readonly public?: string;
}

export interface ShowKeyOptions {
  readonly secret: string;
  readonly pem?: boolean;
  readonly json?: boolean;
}

const SECRET = 'where its passphrase or PIN comes from: terminal, file:PATH, fd:NUMBER, credential:NAME';

/** `rind key new|show|add|revoke|rotate|threshold` */
export function registerKey(program: Command): void {
  const key = program
    .command('key')
    .summary('make private keys, show them, and say which keys sign for a project');
  key
    .command('new')
    .summary('make a private key: an encrypted file, or in a token, which it never leaves')
    .argument(
      '[uri]',
      'file2:PATH, hsm:KEYID?label=TOKEN&module=PATH or derived:NAME; without it the developer key of this machine. Nothing is ever overwritten',
    )
    .addOption(
      new Option('--scheme <scheme>', 'how it signs')
        .choices(['ed25519', 'ecdsa-sha2-nistp256', 'rsassa-pss-sha256'])
        .default('ed25519'),
    )
    .option('--secret <source>', SECRET, 'terminal')
    .option('--label <text>', 'name of a key in a token')
    .option('--public <file>', 'also write the public half there, for rind key add')
    .action(async (uri: string | undefined, options: NewKeyOptions) => {
      const { makeKey } = await import('../private-keys.ts');
      process.exitCode = await makeKey(uri, options);
    });
  key
    .command('show')
    .summary('print the public half of a key; of a token or a signer process, all its keys')
    .argument('<uri>', 'a key URI; hsm:?label=TOKEN&module=PATH and signer:PATH list keys')
    .option('--secret <source>', SECRET, 'terminal')
    .option('--pem', 'as PEM')
    .option('--json', 'as it stands in metadata, by key id')
    .action(async (uri: string, options: ShowKeyOptions) => {
      const { showKey } = await import('../private-keys.ts');
      process.exitCode = await showKey(uri, options);
    });
  registerProjectKeys(key);
}

/** Whose keys sign for a claimed project (PEP 480). */
function registerProjectKeys(key: Command): void {
  withParty(key.command('add'))
    .summary('let another key sign for a claimed project; a present owner vouches for it')
    .argument('<project>')
    .argument('[file]', 'its public half; its holder then signs too: rind sign PROJECT')
    .option('--new-key <uri>', 'the new private key itself, when it is at hand')
    .option('--new-secret <source>', SECRET, 'terminal')
    .action(async (project: string, file: string | undefined, options: AddOptions) => {
      const { addKey } = await import('../project-keys.ts');
      process.exitCode = await addKey(project, file, options);
    });
  withParty(key.command('revoke'))
    .summary('let a key sign no more for a claimed project')
    .argument('<project>')
    .argument('<keyid>', 'or how it begins')
    .action(async (project: string, keyId: string, options: ProjectKeyOptions) => {
      const { revokeKey } = await import('../project-keys.ts');
      process.exitCode = await revokeKey(project, keyId, options);
    });
  withParty(key.command('rotate'))
    .summary('put a new key in the place of the one that signs')
    .argument('<project>')
    .argument('<new-key>', 'URI of the new private key')
    .option('--new-secret <source>', SECRET, 'terminal')
    .action(async (project: string, newKey: string, options: AddOptions) => {
      const { rotateKey } = await import('../project-keys.ts');
      process.exitCode = await rotateKey(project, newKey, options);
    });
  registerThreshold(key);
}

/** Without `--threshold`, which is its argument. */
function registerThreshold(key: Command): void {
  withPartyOf(key.command('threshold'))
    .summary('say how many of the present keys must sign; for owners from the move to claimed on')
    .argument('<project>')
    .argument('<number>', '', wholeNumber)
    .action(async (project: string, threshold: number, options: ProjectKeyOptions) => {
      const { setThreshold } = await import('../project-keys.ts');
      process.exitCode = await setThreshold(project, threshold, options);
    });
}

type AddOptions = ProjectKeyOptions & { readonly newKey?: string; readonly newSecret: string };

function withParty(command: Command): Command {
  return withPartyOf(command).option('--threshold <number>', 'how many of them must sign', wholeNumber);
}

function withPartyOf(command: Command): Command {
  return withSigningOptions(command).addOption(
    new Option('--for <party>', 'owners, machines that publish (release), a builder of wheels')
      .choices(['owners', 'release', 'wheels'])
      .default('owners'),
  );
}
