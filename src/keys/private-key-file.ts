import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  randomBytes,
  scrypt,
  type KeyObject,
} from 'node:crypto';
import { z } from 'zod';
import { PrivateKeyError } from './errors.ts';
import { KeySigner } from './key-signer.ts';
import { isGeneratedPassphrase } from './passphrase.ts';
import { readPrivateFile, writePrivateFile } from './private-file.ts';

/** Cost of scrypt: memory is 128·N·r bytes, time grows with N·r·p. */
export interface ScryptCost {
  readonly N: number;
  readonly r: number;
  readonly p: number;
}

/** Half a second and 128 MiB a guess. */
export const STRONG_SCRYPT_COST: ScryptCost = { N: 2 ** 17, r: 8, p: 1 };
/** For passphrases of 148 random bits, which need no stretching: a server reads its key at every start. */
const GENERATED_SCRYPT_COST: ScryptCost = { N: 2 ** 14, r: 8, p: 1 };

const MAX_FILE_LENGTH = 64 * 1024;
const SALT_LENGTH = 16;
const NONCE_LENGTH = 12;
const TAG_LENGTH = 16;
const MAX_SCRYPT_MEMORY = 1024 * 1024 * 1024;

const base64 = (length: number) =>
  z
    .base64()
    .transform(fromBase64)
    .refine((bytes) => bytes.length === length);

/** Bounds keep a planted file from eating all memory or from being guessed cheaply after the next write. */
const privateKeyFile = z.strictObject({
  format: z.literal('rind-private-key'),
  version: z.literal(1),
  keytype: z.string(),
  scheme: z.string(),
  public: z.string(),
  kdf: z.strictObject({
    name: z.literal('scrypt'),
    N: z.int().min(2 ** 14).max(2 ** 20).refine((N) => Number.isInteger(Math.log2(N))), // prettier-ignore
    r: z.int().min(8).max(32),
    p: z.int().min(1).max(16),
    salt: base64(SALT_LENGTH),
  }).refine(({ N, r }) => 128 * N * r <= MAX_SCRYPT_MEMORY), // prettier-ignore
  cipher: z.strictObject({ name: z.literal('aes-256-gcm'), nonce: base64(NONCE_LENGTH) }),
  ciphertext: z.base64().transform(fromBase64),
});

type PrivateKeyFile = z.output<typeof privateKeyFile>;
type Header = Omit<PrivateKeyFile, 'ciphertext'>;

/**
 * Encrypts a private key into a new file of mode 0600: PKCS #8 under AES-256-GCM with a key from scrypt, every other field authenticated.
 * Throws FILE_EXISTS, FILE_UNUSABLE, EMPTY_PASSPHRASE, UNSUPPORTED_KEY.
 */
export async function writePrivateKeyFile(
  path: string,
  privateKey: KeyObject,
  passphrase: string,
  cost: ScryptCost = isGeneratedPassphrase(passphrase) ? GENERATED_SCRYPT_COST : STRONG_SCRYPT_COST,
): Promise<void> {
  const { key } = KeySigner.fromPrivateKey(privateKey);
  const header: Header = {
    format: 'rind-private-key',
    version: 1,
    keytype: key.keyType,
    scheme: key.scheme,
    public: key.public,
    kdf: { name: 'scrypt', N: cost.N, r: cost.r, p: cost.p, salt: randomBytes(SALT_LENGTH) },
    cipher: { name: 'aes-256-gcm', nonce: randomBytes(NONCE_LENGTH) },
  };
  const cipher = createCipheriv('aes-256-gcm', await deriveKey(passphrase, header.kdf), header.cipher.nonce);
  cipher.setAAD(authenticatedBytes(header));
  const plaintext = privateKey.export({ format: 'der', type: 'pkcs8' });
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
  await writePrivateFile(path, Buffer.from(encode({ ...header, ciphertext })));
}

/** Opens a file of `writePrivateKeyFile`. Throws WRONG_PASSPHRASE, MALFORMED_KEY_FILE, and as `readPrivateFile`. */
export async function readPrivateKeyFile(path: string, passphrase: string): Promise<KeySigner> {
  return decryptPrivateKeyFile(path, await readPrivateFile(path, MAX_FILE_LENGTH), () => passphrase);
}

/** Opens the content of such a file; the passphrase is asked for once the file is known to be one. Throws WRONG_PASSPHRASE, MALFORMED_KEY_FILE. */
export async function decryptPrivateKeyFile(
  path: string,
  bytes: Uint8Array,
  passphrase: () => string | Promise<string>,
): Promise<KeySigner> {
  const file = parse(path, bytes);
  const key = await deriveKey(await passphrase(), file.kdf);
  const decipher = createDecipheriv('aes-256-gcm', key, file.cipher.nonce, { authTagLength: TAG_LENGTH });
  decipher.setAAD(authenticatedBytes(file));
  decipher.setAuthTag(file.ciphertext.subarray(-TAG_LENGTH));
  let plaintext: Buffer;
  try {
    plaintext = Buffer.concat([decipher.update(file.ciphertext.subarray(0, -TAG_LENGTH)), decipher.final()]);
  } catch (cause) {
    throw new PrivateKeyError(
      'WRONG_PASSPHRASE',
      `The passphrase does not open ${path}, or the file was changed.`,
      { path, cause },
    );
  }
  const signer = KeySigner.fromPrivateKey(createPrivateKey({ key: plaintext, format: 'der', type: 'pkcs8' }));
  plaintext.fill(0);
  if (signer.key.public !== file.public || signer.key.scheme !== file.scheme) throw malformed(path);
  return signer;
}

function parse(path: string, bytes: Uint8Array): PrivateKeyFile {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    // The cause would quote the file.
    throw malformed(path);
  }
  const { success, data } = privateKeyFile.safeParse(json);
  if (!success || data.ciphertext.length <= TAG_LENGTH) throw malformed(path);
  return data;
}

function encode({ kdf, cipher, ciphertext, ...rest }: PrivateKeyFile): string {
  const file = {
    ...rest,
    kdf: { ...kdf, salt: toBase64(kdf.salt) },
    cipher: { ...cipher, nonce: toBase64(cipher.nonce) },
    ciphertext: toBase64(ciphertext),
  };
  return `${JSON.stringify(file, undefined, 2)}\n`;
}

/** Everything but the ciphertext, in one fixed order, so that none of it can be exchanged. */
function authenticatedBytes({ format, version, keytype, scheme, public: text, kdf, cipher }: Header): Buffer {
  const { name, N, r, p, salt } = kdf;
  const fields = [format, version, keytype, scheme, text, name, N, r, p, toBase64(salt), cipher.name];
  return Buffer.from(JSON.stringify([...fields, toBase64(cipher.nonce)]));
}

async function deriveKey(passphrase: string, { N, r, p, salt }: Header['kdf']): Promise<Buffer> {
  if (passphrase === '') throw new PrivateKeyError('EMPTY_PASSPHRASE', 'The passphrase is empty.');
  const maxmem = 128 * N * r + 128 * r * p + 1024 * 1024;
  return new Promise((resolve, reject) => {
    // The same letters typed on another keyboard are the same passphrase.
    scrypt(passphrase.normalize('NFC'), salt, 32, { N, r, p, maxmem }, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}

function malformed(path: string): PrivateKeyError {
  return new PrivateKeyError(
    'MALFORMED_KEY_FILE',
    `${path} is no private key file of Rind, or it is damaged.`,
    {
      path,
    },
  );
}

function fromBase64(text: string): Buffer {
  return Buffer.from(text, 'base64');
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
