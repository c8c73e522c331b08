import { encodeCanonicalJson } from '../tuf/canonical-json.ts';
import { MalformedMetadataError } from '../tuf/errors.ts';
import { asObject, check, readInteger, readObject, readString, within } from '../tuf/fields.ts';
import { decodeHex, encodeHex } from '../tuf/hex.ts';
import { JsonError, parseJson, type JsonObject, type JsonValue } from '../tuf/json.ts';
import { sha256 } from '../tuf/sha256.ts';
import type { Timestamp } from '../tuf/timestamp.ts';
import { HASH_LENGTH } from './merkle.ts';

/**
 * An extra field of timestamp: the log as it was before this timestamp. Signed with it, so that nobody but the holder of the key can
 * show a client another log. Clients that do not know the field ignore it.
 */
export const LOG_FIELD = 'x-rind-log';

/** A log of `size` entries; `root` is the Merkle root over them (RFC 6962), lower-case hex. */
export interface LogHead {
  readonly size: number;
  readonly root: string;
}

/** What a timestamp says of the log. */
export interface LogCommitment extends LogHead {
  /** Merkle root over (role, version, sha256) of every role that is public with it but timestamp and snapshot, lower-case hex. */
  readonly roles: string;
}

/** One publication, as the log keeps it. Hashes in lower-case hex. */
export interface LogEntry {
  /** 1, 2, 3 … */
  readonly seq: number;
  /** The log before it. */
  readonly previous: LogHead;
  /** As in {@link LogCommitment}. */
  readonly roles: string;
  /** sha256 of the file, as timestamp lists it. */
  readonly snapshot: { readonly version: number; readonly sha256: string };
  /** sha256 of the canonical signed part: signatures and white space around it can be changed by anybody. */
  readonly timestamp: { readonly version: number; readonly sha256: string };
}

/** More entries than any index will ever publish; keeps arithmetic exact. */
export const MAX_LOG_SIZE = 2 ** 40;

/**
 * What a timestamp says of the log, undefined when its index has none.
 * @throws {MalformedMetadataError}
 */
export function logCommitment(timestamp: Timestamp): LogCommitment | undefined {
  const field = timestamp.unrecognizedFields.get(LOG_FIELD);
  if (field === undefined) return undefined;
  return within(LOG_FIELD, () => {
    const json = asObject(field, 'value');
    return { ...readHead(json), roles: readHash(json, 'roles') };
  });
}

/** The field as it stands in a timestamp: canonical JSON with its name. */
export function encodeLogField({ size, root, roles }: LogCommitment): string {
  return `"${LOG_FIELD}":{"roles":"${roles}","root":"${root}","size":${size}}`;
}

/**
 * The entry that the log must have for a timestamp: all of it follows from the signed part, so that client and server make the same bytes.
 * Undefined when the timestamp knows no log. @throws {MalformedMetadataError}
 */
export function entryOfTimestamp(timestamp: Timestamp, signedBytes: Uint8Array): LogEntry | undefined {
  const commitment = logCommitment(timestamp);
  if (commitment === undefined) return undefined;
  const { version, hashes } = timestamp.snapshotMeta;
  const snapshotHash = hashes?.get('sha256');
  check(snapshotHash !== undefined, 'meta.snapshot.json.hashes', 'must list sha256 where there is a log');
  const { size, root, roles } = commitment;
  return {
    seq: size + 1,
    previous: { size, root },
    roles,
    snapshot: { version, sha256: snapshotHash },
    timestamp: { version: timestamp.version, sha256: encodeHex(sha256(signedBytes)) },
  };
}

/** The bytes of an entry, which are its leaf in the tree: canonical JSON. */
export function encodeLogEntry(entry: LogEntry): Uint8Array {
  return encodeCanonicalJson(
    object({
      previous: object({ root: entry.previous.root, size: entry.previous.size }),
      roles: entry.roles,
      seq: entry.seq,
      snapshot: object({ sha256: entry.snapshot.sha256, version: entry.snapshot.version }),
      timestamp: object({ sha256: entry.timestamp.sha256, version: entry.timestamp.version }),
    }),
  );
}

/** @throws {MalformedMetadataError} */
export function parseLogEntry(bytes: Uint8Array): LogEntry {
  const json = parseObject(bytes);
  const content = (name: string) =>
    within(name, () => {
      const part = readObject(json, name);
      return { version: readInteger(part, 'version'), sha256: readHash(part, 'sha256') };
    });
  return {
    seq: readInteger(json, 'seq'),
    previous: within('previous', () => readHead(readObject(json, 'previous'))),
    roles: readHash(json, 'roles'),
    snapshot: content('snapshot'),
    timestamp: content('timestamp'),
  };
}

/** The content of `log/head.json` and what witnesses keep: canonical JSON. */
export function encodeLogHead({ size, root }: LogHead): Uint8Array {
  return encodeCanonicalJson(object({ root, size }));
}

/** @throws {MalformedMetadataError} */
export function parseLogHead(bytes: Uint8Array): LogHead {
  return readHead(parseObject(bytes));
}

function parseObject(bytes: Uint8Array): JsonObject {
  try {
    return asObject(parseJson(bytes, { maxLength: 4096, maxDepth: 4, maxValues: 64 }), 'value');
  } catch (cause) {
    if (cause instanceof JsonError) throw new MalformedMetadataError(cause.message, { path: 'log', cause });
    throw cause;
  }
}

function readHead(json: JsonObject): LogHead {
  const size = readInteger(json, 'size');
  check(size >= 0 && size <= MAX_LOG_SIZE, 'size', `must be between 0 and ${MAX_LOG_SIZE}`);
  return { size, root: readHash(json, 'root') };
}

function readHash(json: JsonObject, name: string): string {
  const text = readString(json, name);
  const isHash = decodeHex(text)?.length === HASH_LENGTH && text === text.toLowerCase();
  check(isHash, name, 'must be 64 lower-case hexadecimal digits');
  return text;
}

function object(members: Readonly<Record<string, JsonValue>>): JsonObject {
  return new Map(Object.entries(members));
}
