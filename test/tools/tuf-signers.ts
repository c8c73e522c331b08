import { constants, createHash, generateKeyPairSync, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { Key, Role, Root, Signature, mlDsaMessage, signMetadata } from '../../src/tuf/index.ts';
import type { RootFields, Signed, Signer } from '../../src/tuf/index.ts';

/** A signer whose private key lies open, for tests. */
export interface TestSigner extends Signer {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

const KEY_TYPES: Readonly<Record<string, string>> = {
  ed25519: 'ed25519',
  ecdsa: 'ecdsa',
  rsassa: 'rsa',
  ml: 'ml-dsa',
};

/** A new key of any scheme this Node.js can make. */
export function generateSigner(
  scheme = 'ed25519',
  options: { readonly saltLength?: number } = {},
): TestSigner {
  const { publicKey, privateKey } = generatePair(scheme);
  const keyType = KEY_TYPES[scheme.split('-')[0] ?? ''] ?? scheme;
  const pem = publicKey.export({ format: 'pem', type: 'spki' }) as string;
  const hex = (publicKey.export({ format: 'der', type: 'spki' }) as Buffer).subarray(-32).toString('hex');
  const key = Key.fromPublicKey(keyType, scheme, scheme === 'ed25519' ? hex : pem);
  return {
    key,
    privateKey,
    publicKey,
    sign: (bytes) =>
      Promise.resolve(Signature.fromBytes(key.keyId, signBytes(scheme, privateKey, bytes, options))),
  };
}

/** The same private key under another key object, for instance with a declared id of its own. */
export function signerAs(signer: TestSigner, key: Key): TestSigner {
  return {
    ...signer,
    key,
    sign: async (bytes) => new Signature(key.keyId, (await signer.sign(bytes)).sig),
  };
}

/** A root whose four roles have the same signers. */
export function rootOf(
  signers: readonly Signer[],
  changes: Partial<RootFields> & { readonly threshold?: number } = {},
): Root {
  const role = new Role({ keyIds: signers.map(({ key }) => key.keyId), threshold: changes.threshold ?? 1 });
  return new Root({
    version: 1,
    expires: new Date('2030-01-01T00:00:00Z'),
    keys: new Map(signers.map(({ key }) => [key.keyId, key])),
    roles: new Map(['root', 'timestamp', 'snapshot', 'targets'].map((name) => [name, role])),
    consistentSnapshot: true,
    ...changes,
  });
}

/** The signed envelope. */
export async function signedBytes(signed: Signed, signers: readonly Signer[]): Promise<Uint8Array> {
  return (await signMetadata(signed, signers)).toBytes();
}

function generatePair(scheme: string): { publicKey: KeyObject; privateKey: KeyObject } {
  if (scheme === 'ed25519') return generateKeyPairSync('ed25519');
  if (scheme === 'ecdsa-sha2-nistp256') return generateKeyPairSync('ec', { namedCurve: 'P-256' });
  if (scheme === 'ecdsa-sha2-nistp384') return generateKeyPairSync('ec', { namedCurve: 'P-384' });
  if (scheme.startsWith('rsassa-pss')) return generateKeyPairSync('rsa', { modulusLength: 2048 });
  return (generateKeyPairSync as unknown as (type: string) => ReturnType<typeof generatePair>)(
    scheme.split('/')[0] ?? '',
  );
}

function signBytes(
  scheme: string,
  privateKey: KeyObject,
  bytes: Uint8Array,
  options: { readonly saltLength?: number },
): Uint8Array {
  if (scheme === 'ed25519') return sign(null, bytes, privateKey);
  if (scheme.startsWith('ml-dsa')) {
    return sign(null, mlDsaMessage(createHash('sha512').update(bytes).digest()), privateKey);
  }
  if (scheme.startsWith('ecdsa'))
    return sign(scheme.endsWith('384') ? 'sha384' : 'sha256', bytes, privateKey);
  const saltLength = options.saltLength ?? constants.RSA_PSS_SALTLEN_DIGEST;
  return sign(scheme.slice(-6), bytes, {
    key: privateKey,
    padding: constants.RSA_PKCS1_PSS_PADDING,
    saltLength,
  });
}
