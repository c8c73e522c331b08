import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { checkObjectKey } from '../../storage/object-key.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import { metadataFileName } from '../../tuf/layout.ts';
import type { Archive } from '../archive.ts';
import { RecoveryError } from './errors.ts';

/** A tree as it was published: a mirror's folder, its URL, an archive, the store itself. Nothing that comes from it is trusted unverified. */
export interface PublishedSource {
  /** For people. */
  readonly name: string;
  /** The bytes below that path of the index, undefined when there are none. */
  stream(path: string, maxLength: number): Promise<AsyncIterable<Uint8Array> | undefined>;
}

/** A folder that holds `metadata/`, `simple/` and `packages/` of one index. */
export function folderSource(path: string): PublishedSource {
  const root = resolve(path);
  return {
    name: root,
    async stream(key, maxLength) {
      checkObjectKey(key);
      const file = join(root, key);
      const found = await stat(file).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
        throw error;
      });
      if (found?.isFile() !== true) return undefined;
      requireLength(key, found.size, maxLength);
      return createReadStream(file);
    },
  };
}

/** The store of an index, below its prefix. */
export function storeSource(store: ObjectStore, prefix: string): PublishedSource {
  return {
    name: 'the served tree',
    async stream(key, maxLength) {
      const object = await store.open(prefix + key);
      if (object === undefined) return undefined;
      if (object.length > maxLength) await object.close();
      requireLength(key, object.length, maxLength);
      return closing(object.stream(), () => object.close());
    },
  };
}

/** An archive of one published state (archive.ts): its metadata, whole; of the files it knows the hashes alone. */
export function archiveSource(archive: Archive, name: string): PublishedSource {
  const roles = new Map(
    archive.manifest.roles.map((role) => [
      metadataFileName(role.role, role.role === 'timestamp' ? undefined : role.version),
      role,
    ]),
  );
  return {
    name,
    async stream(path) {
      const role = path.startsWith('metadata/') ? roles.get(path.slice('metadata/'.length)) : undefined;
      return role === undefined ? undefined : once(await archive.readRole(role));
    },
  };
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}

/** Reads a whole object of a source. Throws INCOMPLETE_SOURCE when it is longer than `maxLength`. */
export async function readSource(
  source: PublishedSource,
  path: string,
  maxLength: number,
): Promise<Uint8Array | undefined> {
  const chunks = await source.stream(path, maxLength);
  if (chunks === undefined) return undefined;
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    length += chunk.length;
    requireLength(path, length, maxLength);
    parts.push(chunk);
  }
  return Buffer.concat(parts, length);
}

function requireLength(path: string, length: number, maxLength: number): void {
  if (length <= maxLength) return;
  throw new RecoveryError('INCOMPLETE_SOURCE', `${path} is longer than the ${maxLength} bytes it may have.`, {
    path,
  });
}

async function* closing(
  chunks: AsyncIterable<Uint8Array>,
  close: () => Promise<void>,
): AsyncIterable<Uint8Array> {
  try {
    yield* chunks;
  } finally {
    await close();
  }
}
