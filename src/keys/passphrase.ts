import { randomInt } from 'node:crypto';
import { PrivateKeyError } from './errors.ts';
import { readPrivateFile, writePrivateFile } from './private-file.ts';

const MAX_PASSPHRASE_BYTES = 1024;
/** Letters and digits that nobody mistakes for each other on paper. */
const ALPHABET = 'abcdefghjkmnpqrstuvwxyz23456789';
const GROUPS = 6;
const GROUP_LENGTH = 5;

/** A passphrase of 30 random characters in groups, 148 bits. */
export function generatePassphrase(): string {
  const group = (): string =>
    Array.from({ length: GROUP_LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
  return Array.from({ length: GROUPS }, group).join('-');
}

const FORM = new RegExp(`^[${ALPHABET}]{${GROUP_LENGTH}}(-[${ALPHABET}]{${GROUP_LENGTH}}){${GROUPS - 1}}$`);

/** Whether a passphrase has the form of those that are generated here: nobody can guess one, however little work a guess is. */
export function isGeneratedPassphrase(passphrase: string): boolean {
  return FORM.test(passphrase) && new Set(passphrase.split('-')).size === GROUPS;
}

/** Writes a passphrase or another secret of one line to a new file of mode 0600. Throws as `writePrivateFile`. */
export async function writeSecretFile(path: string, secret: string): Promise<void> {
  await writePrivateFile(path, Buffer.from(`${secret}\n`));
}

/** The secret in a file that only its owner may read, without the line end. Throws as `readPrivateFile`, and EMPTY_PASSPHRASE. */
export async function readSecretFile(path: string): Promise<string> {
  const text = Buffer.from(await readPrivateFile(path, MAX_PASSPHRASE_BYTES)).toString('utf8');
  const secret = text.replace(/\r?\n$/, '');
  if (secret === '') throw new PrivateKeyError('EMPTY_PASSPHRASE', `${path} is empty.`, { path });
  return secret;
}
