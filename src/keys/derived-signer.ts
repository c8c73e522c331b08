import { createPrivateKey, scrypt, type KeyObject } from 'node:crypto';
import { PrivateKeyError } from './errors.ts';
import { KeySigner } from './key-signer.ts';
import type { OpenSignerOptions, SignerBackend } from './opened-signer.ts';
import { STRONG_SCRYPT_COST } from './private-key-file.ts';
import { SignerError } from './signer-error.ts';

/** What everything of the key rests on: seven words of a dice list, or the like. */
export const SHORTEST_DERIVING_PASSPHRASE = 32;

const SALT = 'rind derived key 1\0';
const SEED_LENGTH = 32;
/** PKCS #8 of an Ed25519 seed (RFC 8410), up to the seed. */
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex');

/**
 * `derived:NAME`: an Ed25519 key that nothing keeps: it is computed from a long passphrase and a name, an address for instance, on any machine
 * (as miniLock does). Who guesses the passphrase has the key, so that it must be long. Throws PrivateKeyError, SignerError.
 */
export async function openDerivedSigner(uri: string, { secret }: OpenSignerOptions): Promise<SignerBackend> {
  const name = uri
    .slice(uri.indexOf(':') + 1)
    .trim()
    .toLowerCase();
  if (name === '')
    throw new SignerError('MALFORMED_URI', `"${uri}" names nobody: write derived:you@example.org.`, { uri });
  const passphrase = (
    await secret({ kind: 'passphrase', uri, subject: `the derived key of ${name}` })
  ).normalize('NFC');
  const signer = KeySigner.fromPrivateKey(await derivePrivateKey(name, passphrase));
  return { key: signer.key, sign: (bytes) => signer.signBytes(bytes) };
}

async function derivePrivateKey(name: string, passphrase: string): Promise<KeyObject> {
  if (passphrase.length < SHORTEST_DERIVING_PASSPHRASE) {
    throw new PrivateKeyError(
      'WEAK_PASSPHRASE',
      `A passphrase that a key is derived from has at least ${SHORTEST_DERIVING_PASSPHRASE} characters, because nothing else protects it; seven random words will do.`,
    );
  }
  const { N, r, p } = STRONG_SCRYPT_COST;
  const seed = await new Promise<Buffer>((resolve, reject) => {
    scrypt(passphrase, SALT + name, SEED_LENGTH, { N, r, p, maxmem: 256 * N * r }, (error, key) =>
      error === null ? resolve(key) : reject(error),
    );
  });
  return createPrivateKey({ key: Buffer.concat([PKCS8_HEAD, seed]), format: 'der', type: 'pkcs8' });
}
