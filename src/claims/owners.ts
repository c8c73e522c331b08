import { canonicalJsonText } from '../tuf/canonical-json.ts';
import { asObject, check, readInteger, readObject, readStrings, within } from '../tuf/fields.ts';
import type { JsonObject, JsonValue } from '../tuf/json.ts';
import { KeyError } from '../tuf/errors.ts';
import { Key } from '../tuf/key.ts';
import { keysJson, readKeys } from '../tuf/keys.ts';
import type { Targets } from '../tuf/targets.ts';

/** The field of a project's signed metadata that says whose keys the owners want from now on. */
export const OWNERS_FIELD = 'x-rind-owners';

/** More owner keys than any project needs. */
export const MOST_OWNER_KEYS = 32;

/** As they stand in metadata, in canonical form: all lists of claimed projects carry them. 32 keys of Ed25519, or a dozen of RSA. */
export const MOST_OWNERS_BYTES = 16 * 1024;

/** The keys of a project's owners and how many of them must sign. */
export interface Owners {
  readonly keys: readonly Key[];
  readonly threshold: number;
}

/** The owners as they stand in signed metadata. */
export function ownersJson(owners: Owners): JsonObject {
  const keys = new Map(owners.keys.map((key) => [key.keyId, key]));
  return new Map<string, JsonValue>([
    ['keyids', owners.keys.map(({ keyId }) => keyId).toSorted()],
    ['keys', keysJson(keys)],
    ['threshold', owners.threshold],
  ]);
}

/**
 * Reads what {@link ownersJson} wrote, strictly.
 * @throws {MalformedMetadataError}
 */
export function readOwners(json: JsonObject): Owners {
  const keyIds = readStrings(json, 'keyids');
  const keys = readKeys(new Map([['keys', readObject(json, 'keys')]]));
  const threshold = readInteger(json, 'threshold');
  check(
    canonicalJsonText(json).length <= MOST_OWNERS_BYTES,
    'owners',
    `must not be longer than ${MOST_OWNERS_BYTES} bytes`,
  );
  check(json.size === 3, 'owners', 'must hold keyids, keys and threshold, nothing else');
  check(
    keyIds.length > 0 && keyIds.length <= MOST_OWNER_KEYS,
    'keyids',
    `must name 1 to ${MOST_OWNER_KEYS} keys`,
  );
  check(
    new Set(keyIds).size === keyIds.length && keys.size === keyIds.length,
    'keyids',
    'must name each key once',
  );
  const named = keyIds.map((keyId) => keys.get(keyId)).filter((key) => key !== undefined);
  check(named.length === keyIds.length, 'keys', 'must hold every key that keyids names');
  for (const key of named)
    check(
      hasOwnId(key),
      'keys',
      `must give the key ${key.keyId} its own id, and a scheme that is supported here`,
    );
  const material = new Set(named.map((key) => key.publicKey.material));
  check(material.size === named.length, 'keys', 'must not hold one key under two ids');
  check(
    Number.isSafeInteger(threshold) && threshold >= 1 && threshold <= named.length,
    'threshold',
    `must be 1 to ${named.length}, the number of keys`,
  );
  return { keys: named, threshold };
}

/**
 * Keys of many projects stand in one list by their ids: a key under the id of another one would take its place.
 */
function hasOwnId(key: Key): boolean {
  try {
    return Key.fromPublicKey(key.keyType, key.scheme, key.public).equals(key);
  } catch (error) {
    if (error instanceof KeyError) return false;
    throw error;
  }
}

/**
 * Whom a project's metadata names as its owners; undefined when it names nobody.
 * @throws {MalformedMetadataError}
 */
export function ownersOf(metadata: Targets): Owners | undefined {
  const value = metadata.unrecognizedFields.get(OWNERS_FIELD);
  return value === undefined ? undefined : within(OWNERS_FIELD, () => readOwners(asObject(value, 'value')));
}

/** Whether both name the same keys and threshold. */
export function isSameOwners(left: Owners, right: Owners): boolean {
  return (
    left.threshold === right.threshold &&
    left.keys.length === right.keys.length &&
    left.keys.every((key) => right.keys.some((other) => other.equals(key)))
  );
}

/** Owners as recently-claimed delegates to them: one key is enough until an administrator has moved the project (PEP 480). */
export function withThresholdOne(owners: Owners): Owners {
  return { keys: owners.keys, threshold: 1 };
}
