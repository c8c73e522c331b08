import { homedir } from 'node:os';
import { join } from 'node:path';
import { exists } from '../ceremony/durable-folder.ts';
import { openSigner } from '../keys/key-uri.ts';
import type { OpenedSigner } from '../keys/opened-signer.ts';
import { parseSecretSource } from '../keys/secret-source.ts';
import { CliError } from './cli-error.ts';

/** Which key a developer signs with. */
export interface DeveloperKeyOptions {
  /** A key URI; without one the key file of this machine. */
  readonly key?: string | undefined;
  /** Where its passphrase or PIN comes from. */
  readonly secret: string;
}

/** The key file of this machine's developer: `$XDG_CONFIG_HOME/rind/developer-key.json`, or below `~/.config`. */
export function developerKeyPath(environment: NodeJS.ProcessEnv = process.env, home = homedir()): string {
  return join(environment['XDG_CONFIG_HOME'] || join(home, '.config'), 'rind', 'developer-key.json');
}

/** Opens the key that a developer signs with, asking for its passphrase. Throws CliError when this machine has none. */
export async function openDeveloperKey({ key, secret }: DeveloperKeyOptions): Promise<OpenedSigner> {
  const path = developerKeyPath();
  if (key === undefined && !(await exists(path)))
    throw new CliError('usage', `There is no developer key on this machine (${path}).`, [
      'make one: rind key new',
      'or name another one with --key URI',
    ]);
  return openSigner(key ?? `file2:${path}`, { secret: parseSecretSource(secret) });
}
