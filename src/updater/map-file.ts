import { JsonError, parseJson } from '../tuf/json.ts';
import type { JsonObject, JsonValue } from '../tuf/json.ts';
import { matchesPathPattern } from '../tuf/path-pattern.ts';

/** Which repositories have to agree on which targets (TAP 4). */
export interface MapFile {
  /** Base URLs by repository name: the first is preferred, the others are its mirrors. */
  readonly repositories: ReadonlyMap<string, readonly string[]>;
  /** In order of priority. */
  readonly mapping: readonly Mapping[];
}

/** One entry of the mapping. */
export interface Mapping {
  /** Patterns as in delegations: `*` and `?` do not match `/`. */
  readonly paths: readonly string[];
  readonly repositories: readonly string[];
  /** How many of them must list the target with the same length and hashes. */
  readonly threshold: number;
  /** Whether the search ends here when they do not. */
  readonly terminating: boolean;
}

/** The map file says something that cannot be meant. */
export class MapFileError extends Error {
  override readonly name = 'MapFileError';
  readonly code = 'MALFORMED_MAP_FILE';
}

/** Repository names become folder names. */
const REPOSITORY_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

/**
 * Reads a map file (`map.json`, TAP 4), strictly: every name it uses must be defined, every number possible.
 * @throws {MapFileError}
 */
export function parseMapFile(bytes: Uint8Array): MapFile {
  const file = asObject(parse(bytes), 'the map file');
  const repositories = new Map<string, readonly string[]>();
  const folders = new Set<string>();
  for (const [name, urls] of asObject(file.get('repositories'), 'repositories')) {
    check(
      REPOSITORY_NAME.test(name),
      `the repository name ${JSON.stringify(name)} is not made of letters, digits, - and _`,
    );
    check(!folders.has(name.toLowerCase()), `the repository names ${name} differ in case only`);
    folders.add(name.toLowerCase());
    repositories.set(name, readUrls(urls, name));
  }
  check(repositories.size > 0, 'repositories must not be empty');
  const mapping = asArray(file.get('mapping'), 'mapping').map((entry, index) =>
    readMapping(asObject(entry, `mapping[${index}]`), `mapping[${index}]`, repositories),
  );
  check(mapping.length > 0, 'mapping must not be empty');
  return { repositories, mapping };
}

/** The entries that speak about a path, up to and including the first terminating one. */
export function mappingsFor(map: MapFile, path: string): readonly Mapping[] {
  const matching = map.mapping.filter(({ paths }) =>
    paths.some((pattern) => matchesPathPattern(path, pattern)),
  );
  const end = matching.findIndex(({ terminating }) => terminating);
  return end === -1 ? matching : matching.slice(0, end + 1);
}

function parse(bytes: Uint8Array): JsonValue {
  try {
    return parseJson(bytes, { maxLength: 1 << 20, maxDepth: 8 });
  } catch (error) {
    if (error instanceof JsonError) {
      throw new MapFileError(`the map file cannot be read: ${error.message}`, { cause: error });
    }
    throw error;
  }
}

function readUrls(value: JsonValue, name: string): readonly string[] {
  const urls = asStrings(value, `the URLs of ${name}`);
  check(urls.length > 0, `${name} has no URL`);
  for (const url of urls) {
    check(
      URL.canParse(url) && /^https?:$/.test(new URL(url).protocol),
      `${name} has a URL that is neither https nor http`,
    );
  }
  return urls;
}

function readMapping(entry: JsonObject, place: string, known: MapFile['repositories']): Mapping {
  const paths = asStrings(entry.get('paths'), `${place}.paths`);
  const repositories = asStrings(entry.get('repositories'), `${place}.repositories`);
  const threshold = entry.get('threshold') ?? repositories.length;
  const terminating = entry.get('terminating') ?? false;
  check(paths.length > 0, `${place}.paths must not be empty`);
  check(repositories.length > 0, `${place}.repositories must not be empty`);
  check(new Set(repositories).size === repositories.length, `${place}.repositories names one twice`);
  for (const name of repositories) {
    check(known.has(name), `${place} names the repository ${JSON.stringify(name)}, which is not defined`);
  }
  const isPossible = typeof threshold === 'number' && threshold >= 1 && threshold <= repositories.length;
  check(isPossible, `${place}.threshold must be between 1 and the number of its repositories`);
  check(typeof terminating === 'boolean', `${place}.terminating must be true or false`);
  return { paths, repositories, threshold, terminating };
}

function asObject(value: JsonValue | undefined, place: string): JsonObject {
  check(value instanceof Map, `${place} must be an object`);
  return value;
}

function asArray(value: JsonValue | undefined, place: string): readonly JsonValue[] {
  check(Array.isArray(value), `${place} must be an array`);
  return value as readonly JsonValue[];
}

function asStrings(value: JsonValue | undefined, place: string): readonly string[] {
  const items = asArray(value, place);
  check(
    items.every((item) => typeof item === 'string'),
    `${place} must hold strings only`,
  );
  return items as readonly string[];
}

function check(condition: boolean, reason: string): asserts condition {
  if (!condition) {
    throw new MapFileError(reason);
  }
}
