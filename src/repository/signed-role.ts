import { encodeUtf8 } from '../tuf/canonical-json.ts';
import type { Metadata } from '../tuf/metadata.ts';
import type { Signed } from '../tuf/signed.ts';
import type { Signer } from '../tuf/signer.ts';
import { sha256Hex } from './project-targets.ts';

/** One version of a role, signed: the bytes of its file and what is reserved for it. */
export interface SignedRole {
  readonly role: string;
  readonly version: number;
  readonly expires: Date;
  readonly bytes: Uint8Array;
  /** Of `bytes`. */
  readonly sha256: string;
}

/** One version of a role whose object is in the store already. */
export interface WrittenRole extends Omit<SignedRole, 'bytes'> {
  readonly length: number;
}

/** A role without its bytes. */
export function withoutBytes({ bytes, ...role }: SignedRole): WrittenRole {
  return { ...role, length: bytes.length };
}

const CLOSING = encodeUtf8('}');

/** Signs a signed part that is canonical JSON already, and puts the canonical envelope around it. */
export async function signEncoded(
  role: { readonly role: string; readonly version: number; readonly expires: Date },
  signed: string,
  signers: readonly Signer[],
): Promise<SignedRole> {
  const message = encodeUtf8(signed);
  const signatures = await Promise.all(signers.map((signer) => signer.sign(message, { role: role.role })));
  const list = signatures.map(({ keyId, sig }) => `{"keyid":"${keyId}","sig":"${sig}"}`).join(',');
  // Joined as bytes: a bin of a large index is long, and encoded once.
  const opening = encodeUtf8(`{"signatures":[${list}],"signed":`);
  const bytes = new Uint8Array(opening.length + message.length + CLOSING.length);
  bytes.set(opening);
  bytes.set(message, opening.length);
  bytes.set(CLOSING, opening.length + message.length);
  return { ...role, bytes, sha256: sha256Hex(bytes) };
}

/** The signed form of a model. */
export function signedRole(role: string, metadata: Metadata<Signed>): SignedRole {
  const bytes = metadata.toBytes();
  const { version, expires } = metadata.signed;
  return { role, version, expires, bytes, sha256: sha256Hex(bytes) };
}
