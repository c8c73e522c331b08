import { createPrivateKey } from 'node:crypto';
import { PrivateKeyError } from './errors.ts';
import { KeySigner } from './key-signer.ts';
import type { OpenSignerOptions, SignerBackend } from './opened-signer.ts';
import { readPrivateFile } from './private-file.ts';
import { decryptPrivateKeyFile } from './private-key-file.ts';
import { SignerError } from './signer-error.ts';

const MAX_FILE_LENGTH = 64 * 1024;

/** `file2:PATH`: an encrypted key file of ours, or PKCS #8 in PEM, plain or encrypted. Throws PrivateKeyError. */
export async function openFileSigner(uri: string, { secret }: OpenSignerOptions): Promise<SignerBackend> {
  const path = uri.slice(uri.indexOf(':') + 1);
  if (path === '') {
    throw new SignerError('MALFORMED_URI', `"${uri}" names no file: write file2:PATH.`, { uri });
  }
  const bytes = await readPrivateFile(path, MAX_FILE_LENGTH);
  const ask = () => secret({ kind: 'passphrase', uri, subject: `the key file ${path}` });
  const kind = /^\s*-----BEGIN (ENCRYPTED )?PRIVATE KEY-----/.exec(Buffer.from(bytes).toString('latin1'));
  if (kind === null) return asBackend(await decryptPrivateKeyFile(path, bytes, ask));
  return asBackend(readPem(path, bytes, kind[1] === undefined ? undefined : await ask()));
}

/** Throws WRONG_PASSPHRASE, MALFORMED_KEY_FILE, UNSUPPORTED_KEY. */
function readPem(path: string, bytes: Uint8Array, passphrase: string | undefined): KeySigner {
  if (passphrase === '') throw new PrivateKeyError('EMPTY_PASSPHRASE', 'The passphrase is empty.', { path });
  try {
    const key = Buffer.from(bytes);
    return KeySigner.fromPrivateKey(
      createPrivateKey({ key, format: 'pem', ...(passphrase === undefined ? {} : { passphrase }) }),
    );
  } catch (cause) {
    if (cause instanceof PrivateKeyError) throw cause;
    // OpenSSL does not tell a wrong passphrase from a damaged file.
    if (passphrase !== undefined) {
      throw new PrivateKeyError(
        'WRONG_PASSPHRASE',
        `The passphrase does not open ${path}, or the file is damaged.`,
        { path, cause },
      );
    }
    throw new PrivateKeyError('MALFORMED_KEY_FILE', `${path} is no PKCS #8 private key in PEM.`, {
      path,
      cause,
    });
  }
}

function asBackend(signer: KeySigner): SignerBackend {
  return { key: signer.key, sign: (bytes) => signer.signBytes(bytes) };
}
