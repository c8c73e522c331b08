import { asObject, readObject, within } from './fields.ts';
import type { JsonObject } from './json.ts';
import { Key } from './key.ts';

/** Reads the member `keys` of root and of delegations: keys by their declared ids. */
export function readKeys(json: JsonObject): ReadonlyMap<string, Key> {
  const keys = new Map<string, Key>();
  for (const [keyId, value] of readObject(json, 'keys')) {
    keys.set(keyId, within(`keys.${keyId}`, () => Key.fromJson(keyId, asObject(value, 'key')))); // prettier-ignore
  }
  return keys;
}

export function keysJson(keys: ReadonlyMap<string, Key>): JsonObject {
  return new Map([...keys].map(([keyId, key]) => [keyId, key.toJson()]));
}
