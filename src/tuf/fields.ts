import { MalformedMetadataError } from './errors.ts';
import type { JsonObject, JsonValue } from './json.ts';

/** No unrecognized fields. */
export const NO_FIELDS: JsonObject = new Map();

/** Runs `read` and prefixes the place of whatever it finds malformed; costs nothing while all is well. */
export function within<T>(place: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof MalformedMetadataError)) throw error;
    const path = error.path === undefined ? place : `${place}.${error.path}`;
    throw new MalformedMetadataError(error.reason, { role: error.role, path, cause: error.cause });
  }
}

/** Throws {@link MalformedMetadataError} unless the condition holds. */
export function check(condition: boolean, path: string, reason: string): asserts condition {
  if (!condition) throw new MalformedMetadataError(reason, { path });
}

/** The value as an object; `path` names it in the error. */
export function asObject(value: JsonValue | undefined, path: string): JsonObject {
  check(value instanceof Map, path, 'must be an object');
  return value;
}

export function asString(value: JsonValue | undefined, path: string): string {
  check(typeof value === 'string', path, 'must be a string');
  return value;
}

export function readObject(object: JsonObject, name: string): JsonObject {
  return asObject(object.get(name), name);
}

export function readString(object: JsonObject, name: string): string {
  return asString(object.get(name), name);
}

export function readInteger(object: JsonObject, name: string): number {
  const value = object.get(name);
  check(typeof value === 'number', name, 'must be an integer');
  return value;
}

export function readBoolean(object: JsonObject, name: string): boolean {
  const value = object.get(name);
  check(typeof value === 'boolean', name, 'must be true or false');
  return value;
}

export function readArray(object: JsonObject, name: string): readonly JsonValue[] {
  const value = object.get(name);
  check(Array.isArray(value), name, 'must be an array');
  return value as readonly JsonValue[];
}

export function readStrings(object: JsonObject, name: string): readonly string[] {
  const values = readArray(object, name);
  check(
    values.every((value) => typeof value === 'string'),
    name,
    'must hold strings only',
  );
  return values as readonly string[];
}

/** What is left when the known names are taken away: kept, so that re-serialising loses nothing. */
export function unrecognized(object: JsonObject, known: ReadonlySet<string>): JsonObject {
  let left: Map<string, JsonValue> | undefined;
  for (const [name, value] of object) {
    if (!known.has(name)) (left ??= new Map()).set(name, value);
  }
  return left ?? NO_FIELDS;
}

/** An object's members as models. */
export function readModels<T>(
  object: JsonObject,
  read: (value: JsonObject, name: string) => T,
): ReadonlyMap<string, T> {
  const models = new Map<string, T>();
  for (const [name, value] of object)
    models.set(
      name,
      within(name, () => read(asObject(value, 'entry'), name)),
    );
  return models;
}
