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
  /** Whose signatures it carries. */
  readonly keyIds: readonly string[];
}

/** One version of a role whose object is in the store already. */
export interface WrittenRole extends Omit<SignedRole, 'bytes'> {
  readonly length: number;
}

/** A role without its bytes. */
export function withoutBytes({ bytes, ...role }: SignedRole): WrittenRole {
  return { ...role, length: bytes.length };
}

/** Room in front of a signed part for the signatures of one key: an RSA signature of 8192 bits in hex and its key id. */
const ROOM_FOR_SIGNATURE = 2304;
const CLOSING = 0x7d;

/** Signs a signed part that is canonical JSON already, and puts the canonical envelope around it. */
export async function signEncoded(
  role: { readonly role: string; readonly version: number; readonly expires: Date },
  signed: string | Uint8Array,
  signers: readonly Signer[],
): Promise<SignedRole> {
  // The envelope grows around the signed part where that stands: a bin of a large index is long, and neither encoded nor copied twice.
  const room = ROOM_FOR_SIGNATURE * signers.length;
  const { buffer, length } = encodeInto(signed, room);
  const message = buffer.subarray(room, room + length);
  const signatures = await Promise.all(signers.map((signer) => signer.sign(message, { role: role.role })));
  const list = signatures.map(({ keyId, sig }) => `{"keyid":"${keyId}","sig":"${sig}"}`).join(',');
  const opening = `{"signatures":[${list}],"signed":`;
  const bytes =
    opening.length <= room
      ? buffer.subarray(room - opening.length, room + length + 1)
      : new Uint8Array(opening.length + length + 1);
  if (opening.length > room) bytes.set(message, opening.length);
  new TextEncoder().encodeInto(opening, bytes);
  bytes[bytes.length - 1] = CLOSING;
  return { ...role, bytes, sha256: sha256Hex(bytes), keyIds: signatures.map(({ keyId }) => keyId) };
}

/** UTF-8 behind `room` bytes and in front of one more. Throws TypeError for lone surrogates. */
function encodeInto(
  text: string | Uint8Array,
  room: number,
): { readonly buffer: Uint8Array; readonly length: number } {
  if (typeof text !== 'string') {
    const buffer = new Uint8Array(Buffer.allocUnsafeSlow(room + text.length + 1).buffer);
    buffer.set(text, room);
    return { buffer, length: text.length };
  }
  const length = Buffer.byteLength(text);
  if (length !== text.length) encodeUtf8(text);
  const buffer = new Uint8Array(Buffer.allocUnsafeSlow(room + length + 1).buffer);
  new TextEncoder().encodeInto(text, buffer.subarray(room));
  return { buffer, length };
}

/** The signed form of a model. */
export function signedRole(role: string, metadata: Metadata<Signed>): SignedRole {
  const bytes = metadata.toBytes();
  const { version, expires } = metadata.signed;
  const keyIds = metadata.signatures.map(({ keyId }) => keyId);
  return { role, version, expires, bytes, sha256: sha256Hex(bytes), keyIds };
}
