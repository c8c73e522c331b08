import { createReadStream } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import type { SecretSource } from './opened-signer.ts';
import { readSecretFile } from './passphrase.ts';
import { SignerError } from './signer-error.ts';
import { askOnTerminal } from './terminal-secret.ts';

const MAX_SECRET_BYTES = 1024;

/**
 * Where secrets are to come from, as people write it: `terminal` (nothing is shown while typing), `file:PATH` (mode 0600),
 * `fd:NUMBER` (an open file descriptor), `credential:NAME` (of systemd, LoadCredential=). Throws MALFORMED_URI; the secret itself can never
 * be written here.
 */
export function parseSecretSource(text: string): SecretSource {
  const [, kind, name = ''] = /^(terminal|file|fd|credential)(?::(.+))?$/.exec(text) ?? [];
  if (kind === 'terminal' && name === '') return askOnTerminal;
  if (kind === 'file' && name !== '') return () => readSecretFile(name);
  if (kind === 'fd' && /^\d{1,5}$/.test(name)) return secretFromDescriptor(Number(name));
  if (kind === 'credential' && /^[\w.@-]+$/.test(name) && name !== '.' && name !== '..') {
    return () => readSystemdCredential(name);
  }
  // The text is not quoted: it may be a secret that was put in the wrong place.
  throw new SignerError(
    'MALFORMED_URI',
    'A source of a secret is written terminal, file:PATH, fd:NUMBER or credential:NAME; never write the secret itself.',
  );
}

/** Refuses to answer: for programs that nobody watches. */
export const noSecret: SecretSource = async ({ kind, uri, subject }) => {
  throw new SignerError(
    'NO_SECRET',
    `The ${kind} of ${subject} is needed, and no source of it was named: file:PATH, fd:NUMBER or credential:NAME.`,
    { uri },
  );
};

/** Read once, at the first question; later questions get the same answer. */
function secretFromDescriptor(descriptor: number): SecretSource {
  let answer: Promise<string> | undefined;
  return () => (answer ??= readDescriptor(descriptor));
}

async function readDescriptor(descriptor: number): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of createReadStream('', { fd: descriptor })) {
      chunks.push(chunk as Buffer);
      length += (chunk as Buffer).length;
      if (length > MAX_SECRET_BYTES) break;
    }
  } catch (cause) {
    throw new SignerError('NO_SECRET', `The file descriptor ${descriptor} cannot be read.`, { cause });
  }
  return oneLine(Buffer.concat(chunks), `The file descriptor ${descriptor}`);
}

/** Its mode may let a group read it where systemd grants the service's user access by an ACL; the folder is systemd's own. */
async function readSystemdCredential(name: string): Promise<string> {
  const folder = process.env['CREDENTIALS_DIRECTORY'];
  if (folder === undefined || !isAbsolute(folder)) {
    throw new SignerError(
      'NO_SECRET',
      `There is no credential "${name}": $CREDENTIALS_DIRECTORY is not set, which systemd does for a unit with LoadCredential=.`,
    );
  }
  let file: FileHandle | undefined;
  try {
    file = await open(join(folder, name), 'r');
    const { mode, size } = await file.stat();
    if ((mode & 0o027) !== 0 || size > MAX_SECRET_BYTES) {
      throw new SignerError('NO_SECRET', `The credential "${name}" is open to others, or too long.`);
    }
    return oneLine(await file.readFile(), `The credential "${name}"`);
  } catch (cause) {
    if (cause instanceof SignerError) throw cause;
    throw new SignerError('NO_SECRET', `The credential "${name}" of systemd cannot be read.`, { cause });
  } finally {
    await file?.close();
  }
}

function oneLine(bytes: Buffer, name: string): string {
  const secret = bytes.toString('utf8').replace(/\r?\n$/, '');
  if (secret === '' || bytes.length > MAX_SECRET_BYTES) {
    throw new SignerError('NO_SECRET', `${name} holds no secret of 1 to ${MAX_SECRET_BYTES} bytes.`);
  }
  return secret;
}
