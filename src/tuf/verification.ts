import { defaultCrypto } from './default-crypto.ts';
import type { TufCrypto } from './crypto.ts';
import { KeyError, UnsignedMetadataError } from './errors.ts';
import type { Key } from './key.ts';
import type { Signature } from './signature.ts';

/** Who signed, and who has not (yet). */
export interface VerificationResult {
  /** Whether at least `threshold` different keys signed. */
  readonly verified: boolean;
  readonly threshold: number;
  /** The keys of the role with a valid signature, by key id. */
  readonly signed: ReadonlyMap<string, Key>;
  /** The keys of the role without one. */
  readonly missing: ReadonlyMap<string, Key>;
  /** Those of `missing` that cannot be verified here, with the reason. */
  readonly unusable: ReadonlyMap<string, KeyError>;
}

/** What {@link verifySignatures} needs of metadata. */
export interface SignedBytes {
  readonly signedBytes: Uint8Array;
  readonly signaturesByKeyId: ReadonlyMap<string, Signature>;
}

/**
 * Verifies the signatures of a role's own keys, no others, and counts different key material: one key under two key
 * ids is one signer (TAP 12).
 */
export async function verifySignatures(
  role: { readonly keyIds: readonly string[]; readonly threshold: number },
  keys: ReadonlyMap<string, Key>,
  metadata: SignedBytes,
  crypto: TufCrypto = defaultCrypto,
): Promise<VerificationResult> {
  const signed = new Map<string, Key>();
  const missing = new Map<string, Key>();
  const unusable = new Map<string, KeyError>();
  const material = new Set<string>();
  for (const keyId of role.keyIds) {
    const key = keys.get(keyId);
    if (key === undefined) continue;
    const verdict = await verifyOne(key, metadata, crypto);
    if (verdict === true) {
      signed.set(keyId, key);
      material.add(key.publicKey.material);
    } else {
      missing.set(keyId, key);
      if (verdict instanceof KeyError) unusable.set(keyId, verdict);
    }
  }
  const verified = role.threshold >= 1 && material.size >= role.threshold;
  return { verified, threshold: role.threshold, signed, missing, unusable };
}

/**
 * Passes a verified result on, throws for any other.
 * @throws {UnsignedMetadataError} naming how many signed and which keys cannot be used
 */
export function requireVerified(
  result: VerificationResult,
  details: { readonly role: string; readonly version: number; readonly delegator: string },
): void {
  if (result.verified) return;
  const reasons = [...result.unusable].map(([keyId, error]) => `; key ${keyId}: ${error.message}`).join('');
  const count = new Set([...result.signed.values()].map((key) => key.publicKey.material)).size;
  throw new UnsignedMetadataError(
    `version ${details.version} is signed by ${count} of the ${result.threshold} keys that ${details.delegator} asks for${reasons}`,
    details,
  );
}

async function verifyOne(key: Key, metadata: SignedBytes, crypto: TufCrypto): Promise<boolean | KeyError> {
  const signature = metadata.signaturesByKeyId.get(key.keyId)?.bytes;
  if (signature === undefined) return false;
  try {
    return await crypto.verify(key, signature, metadata.signedBytes);
  } catch (error) {
    if (error instanceof KeyError) return error;
    throw error;
  }
}
