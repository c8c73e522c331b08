import { metadataSidecarPath, packagePath, parseIndexPath } from '../pypi/layout.ts';
import { PRIVATE_PREFIX } from '../storage/object-key.ts';
import type { ListedObject, ObjectStore, OpenObject, TemporaryObject } from '../storage/object-store.ts';
import { targetFileName } from '../tuf/layout.ts';
import type { ServedTree } from './served-tree.ts';

/** A file whose bytes are, or are to be, in the store. */
export interface StoredFile {
  /** Normalized. */
  readonly project: string;
  readonly filename: string;
  readonly sha256: string;
}

/** The bytes of the staged files of one index: in the private part of the store, under the name of their content, until they are published. */
export class StagedObjects {
  readonly #store: ObjectStore;
  readonly #tree: ServedTree;

  constructor(store: ObjectStore, tree: ServedTree) {
    this.#store = store;
    this.#tree = tree;
  }

  /** Every key of this index begins so. */
  get prefix(): string {
    return `${PRIVATE_PREFIX}${this.#tree.prefix}staged/`;
  }

  /** Durable when it resolves. */
  async keep(file: StoredFile, content: TemporaryObject, metadata: Uint8Array): Promise<void> {
    const [bytes, sidecar] = this.keys(file);
    await Promise.all([content.commit(bytes), this.#store.put(sidecar, metadata)]);
  }

  /** The bytes of a file; undefined when they are gone. */
  open(file: StoredFile): Promise<OpenObject | undefined> {
    return this.#store.open(this.keys(file)[0]);
  }

  /**
   * Gives a file its hash-named place in the served tree, where nothing lists it yet; returns the keys that were not there before. Links where
   * the store can. Throws StorageError OBJECT_NOT_FOUND when its bytes are gone.
   */
  async serve(file: StoredFile): Promise<readonly string[]> {
    const made: string[] = [];
    for (const [position, path] of pathsOf(file).entries()) {
      const to = this.#tree.hashed(path, file.sha256);
      if ((await this.#store.copy(this.keys(file)[position] ?? '', to)) === 'created') made.push(to);
    }
    return made;
  }

  /** Core metadata under its plain name, which the publisher gives to files that stand on a page only; the keys that were not there before. */
  async servePlainMetadata(file: StoredFile): Promise<readonly string[]> {
    const to = this.#tree.plain(pathsOf(file)[1]);
    return (await this.#store.copy(this.keys(file)[1], to)) === 'created' ? [to] : [];
  }

  /** Objects from before `young` that no staged file stands behind; `find` gives the staged file of a name. */
  async *leftovers(
    young: Date,
    find: (filename: string) => Promise<{ readonly sha256: string } | undefined>,
  ): AsyncGenerator<ListedObject> {
    for await (const object of this.#store.list(this.prefix)) {
      const parsed = parseIndexPath(object.key.slice(this.prefix.length));
      const stat = await this.#store.stat(object.key);
      if (stat === undefined || stat.modified >= young) continue;
      const isFile = parsed?.kind === 'file' || parsed?.kind === 'metadata';
      const row = isFile ? await find(parsed.filename) : undefined;
      if (row === undefined || !isFile || row.sha256 !== parsed.sha256) yield object;
    }
  }

  /** Absent is fine. */
  async remove(file: StoredFile): Promise<void> {
    for (const key of this.keys(file)) await this.#store.remove(key);
  }

  keys(file: StoredFile): readonly [bytes: string, sidecar: string] {
    const [bytes, sidecar] = pathsOf(file);
    return [
      this.prefix + targetFileName(bytes, file.sha256),
      this.prefix + targetFileName(sidecar, file.sha256),
    ];
  }
}

function pathsOf({ project, filename }: StoredFile): readonly [bytes: string, sidecar: string] {
  return [packagePath(project, filename), metadataSidecarPath(project, filename)];
}
