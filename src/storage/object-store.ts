import type { Readable, Writable } from 'node:stream';

/** What a store knows about an object without reading it. `length` in bytes; `etag` is opaque, unquoted and changes with every replacement. */
export interface ObjectStat {
  readonly length: number;
  readonly modified: Date;
  readonly etag: string;
}

/** Positions of the first and the last byte wanted, both inclusive, counted from 0. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** An object held open: what it streams is the version that was stored when it was opened, even if the key is replaced meanwhile. */
export interface OpenObject extends ObjectStat {
  /** Streams the object or a part of it; may be called more than once until `close`. */
  stream(range?: ByteRange): Readable;
  /** Frees the handle; streams still running are destroyed. Safe to call twice. */
  close(): Promise<void>;
}

/** Bytes at any position, as archive readers want them. */
export interface RandomAccessReader {
  readonly size: number;
  /** Exactly `length` bytes from `position`, fewer only at the end of the object. */
  read(position: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** An object that has no key yet: written once, read at will, then committed under a key or discarded. A process that dies leaves nothing under any key. */
export interface TemporaryObject {
  /** The file that holds the bytes, where the store is a file system. */
  readonly path?: string;
  /** Takes the bytes; end it before `reader` or `commit`. */
  readonly writable: Writable;
  /** Reads back what was written. Close every reader before `commit`. */
  reader(): Promise<RandomAccessReader>;
  /** Gives the bytes a key, create-only and durable when it resolves. With 'exists' nothing changed; the temporary object is gone in both cases. */
  commit(key: string): Promise<CreateOutcome>;
  /** Throws the bytes away. Safe after `commit` and safe to call twice. */
  discard(): Promise<void>;
}

/** 'exists' says only that the key is taken (and durable); whether by the same bytes the caller must check. */
export type CreateOutcome = 'created' | 'exists';

export interface NewObject {
  readonly key: string;
  readonly bytes: Uint8Array;
}

/** Lets a write be prepared while that on which it depends is still under way. */
export interface WriteOptions {
  /** Nothing gets its key before this resolves; when it rejects, nothing does, and the call throws its reason. Its bytes may be stored away before. */
  readonly after?: Promise<unknown>;
}

/** Lets what has to come just before a replacement wait until all that can fail for want of space is done. */
export interface ReplaceOptions {
  /** Called when the bytes are stored away. They get their key when it resolves; when it rejects, or they cannot be stored, nothing changes. */
  readonly staged?: () => Promise<unknown>;
}

export interface ListedObject {
  readonly key: string;
  readonly length: number;
}

/**
 * Bytes by key. Keys are relative paths with `/` (see `object-key.ts`); the tree of keys is what the web serves, but for those
 * that begin with `private/`.
 * Every writing method is atomic (a reader sees the old object, the new one or none, never a part) and durable when it resolves.
 * All methods throw `StorageError`.
 */
export interface ObjectStore {
  /** The whole object, undefined when absent. Throws OBJECT_TOO_LARGE beyond `maxLength` bytes without reading them. */
  read(key: string, options?: { readonly maxLength?: number }): Promise<Uint8Array | undefined>;
  open(key: string): Promise<OpenObject | undefined>;
  stat(key: string): Promise<ObjectStat | undefined>;
  /** Stores under a key that must be free. */
  create(key: string, bytes: Uint8Array): Promise<CreateOutcome>;
  /** As `create` for each entry, together and faster; outcomes in the order of the entries. When it throws, any subset may have been created. */
  createMany(entries: readonly NewObject[], options?: WriteOptions): Promise<readonly CreateOutcome[]>;
  /** Compare and swap: writes only while the object's etag is `expected` (undefined: while it is absent). False when it is another. */
  replace(
    key: string,
    bytes: Uint8Array,
    expected: string | undefined,
    options?: ReplaceOptions,
  ): Promise<boolean>;
  /**
   * Finishes a `replace` that a crash interrupted when readers may have seen its bytes already. To be called before the key is read by whoever
   * wants to replace it; stores in which nothing is seen before it is durable have no such method.
   */
  settle?(key: string): Promise<void>;
  /** Writes whatever was there before. */
  put(key: string, bytes: Uint8Array): Promise<void>;
  /** Gives an object a second key, create-only. Throws OBJECT_NOT_FOUND when `from` is absent. */
  copy(from: string, to: string): Promise<CreateOutcome>;
  /** As `copy`, whatever was there before. */
  copyOver(from: string, to: string): Promise<void>;
  /** Absent is fine. */
  remove(key: string): Promise<void>;
  /** Every object whose key begins with `prefix`, in ascending order of keys (code units of each path segment); private ones only where the prefix is. */
  list(prefix: string): AsyncIterable<ListedObject>;
  temporary(): Promise<TemporaryObject>;
}
