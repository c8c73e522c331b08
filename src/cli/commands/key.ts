import { Option, type Command } from 'commander';

export interface NewKeyOptions {
  readonly scheme: 'ed25519' | 'ecdsa-sha2-nistp256' | 'rsassa-pss-sha256';
  readonly secret: string;
  readonly label?: string;
}

export interface ShowKeyOptions {
  readonly secret: string;
  readonly pem?: boolean;
  readonly json?: boolean;
}

const SECRET = 'where its passphrase or PIN comes from: terminal, file:PATH, fd:NUMBER, credential:NAME';

/** `rind key new|show` */
export function registerKey(program: Command): void {
  const key = program.command('key').summary('make private keys, and show what a key URI holds');
  key
    .command('new')
    .summary('make a private key: an encrypted file, or in a token, which it never leaves')
    .argument('<uri>', 'file2:PATH, or hsm:KEYID?label=TOKEN&module=PATH; nothing is ever overwritten')
    .addOption(
      new Option('--scheme <scheme>', 'how it signs')
        .choices(['ed25519', 'ecdsa-sha2-nistp256', 'rsassa-pss-sha256'])
        .default('ed25519'),
    )
    .option('--secret <source>', SECRET, 'terminal')
    .option('--label <text>', 'name of a key in a token')
    .action(async (uri: string, options: NewKeyOptions) => {
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
}
