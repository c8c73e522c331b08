import { encodeCanonicalJson } from '../tuf/canonical-json.ts';
import { encodeCeremonyJson } from './ceremony-json.ts';
import { asObject, check, readObject, readString } from '../tuf/fields.ts';
import { parseJson, type JsonValue } from '../tuf/json.ts';
import { Key } from '../tuf/key.ts';
import { Signature } from '../tuf/signature.ts';
import type { Signer } from '../tuf/signer.ts';
import { verifySignatures } from '../tuf/verification.ts';
import { CeremonyError } from './errors.ts';

const KEY_TYPE = 'rind-public-key';
const INVITATION_TYPE = 'rind-key-invitation';

/** Somebody is asked to bring a key. `nonce` makes each invitation one of its own. */
export interface Invitation {
  readonly holder: string;
  readonly role: string;
  readonly nonce: string;
}

/** A public key on its way into a plan. With an invitation, its holder has proved to have the private half. */
export interface PublicKeyFile {
  readonly key: Key;
  readonly invitation: Invitation | undefined;
}

/** The file to send to somebody who is to hold a key. */
export function encodeInvitation({ holder, role, nonce }: Invitation): Uint8Array {
  return encodeCeremonyJson(
    new Map<string, JsonValue>([['_type', INVITATION_TYPE], ['holder', holder], ['role', role], ['nonce', nonce]]), // prettier-ignore
  );
}

/** Throws MALFORMED_FILE. */
export function readInvitation(bytes: Uint8Array): Invitation {
  return reading('an invitation', () => {
    const json = asObject(parseJson(bytes, { maxLength: 16 << 10 }), 'invitation');
    check(readString(json, '_type') === INVITATION_TYPE, '_type', 'is not of an invitation');
    return {
      holder: readString(json, 'holder'),
      role: readString(json, 'role'),
      nonce: readString(json, 'nonce'),
    };
  });
}

/** The public key alone, as the server gives its online key. */
export function encodePublicKey(key: Key): Uint8Array {
  return encodeCeremonyJson(new Map<string, JsonValue>([['_type', KEY_TYPE], ['key', key.toJson()]])); // prettier-ignore
}

/** Accepts an invitation: the public key, and a signature over invitation and key that only its holder can make. */
export async function acceptInvitation(invitation: Invitation, signer: Signer): Promise<Uint8Array> {
  const { keyId, sig } = await signer.sign(proofBytes(invitation, signer.key), { role: INVITATION_TYPE });
  return encodeCeremonyJson(
    new Map<string, JsonValue>([
      ['_type', KEY_TYPE],
      ['key', signer.key.toJson()],
      ['invitation', parseJson(encodeInvitation(invitation))],
      ['proof', new Map([['keyid', keyId], ['sig', sig]])], // prettier-ignore
    ]),
  );
}

/** Reads a public key, and verifies the proof of possession when it accepts an invitation. Throws MALFORMED_FILE, WRONG_SIGNATURE. */
export async function readPublicKeyFile(bytes: Uint8Array): Promise<PublicKeyFile> {
  const { key, invitation, signature } = reading('a public key', () => {
    const json = asObject(parseJson(bytes, { maxLength: 64 << 10 }), 'key');
    check(readString(json, '_type') === KEY_TYPE, '_type', 'is not of a public key');
    const fields = readObject(json, 'key');
    const made = Key.fromPublicKey(
      readString(fields, 'keytype'),
      readString(fields, 'scheme'),
      readString(readObject(fields, 'keyval'), 'public'),
    );
    if (!json.has('invitation')) return { key: made, invitation: undefined, signature: undefined };
    const proof = readObject(json, 'proof');
    return {
      key: made,
      invitation: readInvitation(encodeCeremonyJson(readObject(json, 'invitation'))),
      signature: new Signature(made.keyId, readString(proof, 'sig')),
    };
  });
  if (invitation === undefined || signature === undefined) return { key, invitation: undefined };
  const signedBytes = proofBytes(invitation, key);
  const metadata = { signedBytes, signaturesByKeyId: new Map([[key.keyId, signature]]) };
  const { verified } = await verifySignatures(
    { keyIds: [key.keyId], threshold: 1 },
    new Map([[key.keyId, key]]),
    metadata,
  );
  if (!verified)
    throw new CeremonyError(
      'WRONG_SIGNATURE',
      `${invitation.holder} did not prove to hold the key ${key.keyId}; ask for the acceptance again.`,
    );
  return { key, invitation };
}

function proofBytes(invitation: Invitation, key: Key): Uint8Array {
  return encodeCanonicalJson(
    new Map<string, JsonValue>([
      ['_type', 'rind-key-possession'],
      ['invitation', parseJson(encodeInvitation(invitation))],
      ['keyid', key.keyId],
    ]),
  );
}

function reading<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CeremonyError('MALFORMED_FILE', `This file is not ${what}: ${reason}.`, { cause });
  }
}
