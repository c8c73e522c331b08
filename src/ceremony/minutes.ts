import { encodeCanonicalJson } from '../tuf/canonical-json.ts';
import { encodeCeremonyJson } from './ceremony-json.ts';
import { formatExpires, readExpires } from '../tuf/expiry.ts';
import { asObject, asString, check, readObject, readString, readStrings } from '../tuf/fields.ts';
import { parseJson, type JsonValue } from '../tuf/json.ts';
import type { Key } from '../tuf/key.ts';
import { Signature } from '../tuf/signature.ts';
import type { Signer } from '../tuf/signer.ts';
import { verifySignatures } from '../tuf/verification.ts';
import { CeremonyError } from './errors.ts';

const TYPE = 'rind-minutes';

/** What one key holder did in an event, in words that a later reader can check, signed with the key that did it. */
export interface Minutes {
  readonly event: string;
  /** `opening`: froze the candidate, used and discarded the one-time keys. */
  readonly kind: 'opening' | 'signing';
  readonly holder: string;
  readonly at: Date;
  /** The program that signed. */
  readonly program: string;
  /** sha256 of each signed part, by role. */
  readonly signed: ReadonlyMap<string, string>;
  /** Key ids of the one-time keys that were discarded. */
  readonly discarded: readonly string[];
  /** Answers to the questions that only people can answer, by question. */
  readonly answers: ReadonlyMap<string, string>;
}

/** The file of signed minutes: canonical JSON. */
export async function signMinutes(minutes: Minutes, signer: Signer): Promise<Uint8Array> {
  const json = toJson(minutes);
  const { keyId, sig } = await signer.sign(encodeCanonicalJson(json), { role: TYPE });
  return encodeCeremonyJson(new Map<string, JsonValue>([['minutes', json], ['keyid', keyId], ['sig', sig]])); // prettier-ignore
}

/** Reads minutes and verifies them with one of the keys. Throws MALFORMED_FILE, WRONG_KEY, WRONG_SIGNATURE. */
export async function verifyMinutes(
  bytes: Uint8Array,
  keys: ReadonlyMap<string, Key>,
): Promise<{ readonly minutes: Minutes; readonly keyId: string }> {
  const { minutes, signedBytes, signature } = read(bytes);
  const { keyId } = signature;
  if (!keys.has(keyId))
    throw new CeremonyError(
      'WRONG_KEY',
      `The minutes of ${minutes.holder} are signed with the key ${keyId}, which is no key of this event.`,
    );
  const metadata = { signedBytes, signaturesByKeyId: new Map([[keyId, signature]]) };
  if (!(await verifySignatures({ keyIds: [keyId], threshold: 1 }, keys, metadata)).verified)
    throw new CeremonyError(
      'WRONG_SIGNATURE',
      `The minutes of ${minutes.holder} were changed after they were signed.`,
    );
  return { minutes, keyId };
}

function toJson({ event, kind, holder, at, program, signed, discarded, answers }: Minutes) {
  return new Map<string, JsonValue>([
    ['_type', TYPE],
    ['event', event],
    ['kind', kind],
    ['holder', holder],
    ['at', formatExpires(at)],
    ['program', program],
    ['signed', signed],
    ['discarded', discarded],
    ['answers', answers],
  ]);
}

function read(bytes: Uint8Array) {
  try {
    const json = asObject(parseJson(bytes, { maxLength: 1 << 20 }), 'minutes');
    const text = readObject(json, 'minutes');
    const kind = readString(text, 'kind');
    check(readString(text, '_type') === TYPE, '_type', 'is not of minutes');
    check(kind === 'opening' || kind === 'signing', 'kind', 'is not known');
    const strings = (name: string) =>
      new Map([...readObject(text, name)].map(([key, value]) => [key, asString(value, name)]));
    const minutes: Minutes = {
      event: readString(text, 'event'),
      kind,
      holder: readString(text, 'holder'),
      at: readExpires(readString(text, 'at')),
      program: readString(text, 'program'),
      signed: strings('signed'),
      discarded: readStrings(text, 'discarded'),
      answers: strings('answers'),
    };
    const signature = new Signature(readString(json, 'keyid'), readString(json, 'sig'));
    return { minutes, signedBytes: encodeCanonicalJson(text), signature };
  } catch (cause) {
    throw new CeremonyError('MALFORMED_FILE', 'This is no file of minutes, or it was damaged.', { cause });
  }
}
