import { parseProjectJson, renderProjectHtml, renderProjectJson } from '../../src/pypi/simple.ts';
import type { MemoryStore } from '../../src/storage/memory-store.ts';
import { MetaFile, TargetFile } from '../../src/tuf/file.ts';
import { Metadata, signMetadata } from '../../src/tuf/metadata.ts';
import type { Root } from '../../src/tuf/root.ts';
import type { Signer } from '../../src/tuf/signer.ts';
import { Snapshot } from '../../src/tuf/snapshot.ts';
import { Targets } from '../../src/tuf/targets.ts';
import { Timestamp } from '../../src/tuf/timestamp.ts';
import { newSigner, sha256 } from '../support/index-fixture.ts';
import { publicLogField } from './attacker.ts';
import {
  type Content,
  DAY,
  type KeyName,
  type Keys,
  PROJECTS,
  withKeys,
  withProject,
} from './claims-world.ts';

export const EVIL = 'something else';

/** Holds the network and some keys; whatever he has no key for, he signs with his own. */
export class Thief {
  /** What clients get from him. */
  readonly store: MemoryStore;
  readonly #stolen: ReadonlyMap<string, Signer>;
  readonly #clock: () => Date;
  readonly #own = newSigner();
  readonly #changed = new Map<string, Targets>();
  /** In place of the stolen keys, once root says so. */
  readonly #crowned = new Set<string>();

  constructor(store: MemoryStore, keys: Keys, stolen: readonly KeyName[], clock: () => Date) {
    this.store = store;
    this.#stolen = new Map(stolen.map((name) => [name, keys[name]]));
    this.#clock = clock;
  }

  has(key: KeyName): boolean {
    return this.#stolen.has(key);
  }

  /** Every project gets a page and a file of his, in the bytes that roles may list. */
  async forgeries(
    content: Content = (project) => `${EVIL} of ${project}`,
  ): Promise<ReadonlyMap<string, ReadonlyMap<string, TargetFile>>> {
    const forged = new Map<string, ReadonlyMap<string, TargetFile>>();
    for (const project of PROJECTS) {
      const path = `packages/${project}/${project}-1.0.tar.gz`;
      const bytes = Buffer.from(content(project, '1.0'));
      const page = parseProjectJson(
        (await this.store.read(`simple/${project}/index.json`)) ?? new Uint8Array(),
      );
      const files = page.files.map((file) => ({ ...file, sha256: sha256(bytes), size: bytes.length }));
      const contents = new Map<string, Uint8Array>([
        [path, bytes],
        [`simple/${project}/index.json`, renderProjectJson({ ...page, files })],
        [`simple/${project}/index.html`, renderProjectHtml({ ...page, files })],
      ]);
      const targets = await Promise.all(
        [...contents].map(([name, content]) => this.#putTarget(name, content)),
      );
      forged.set(project, new Map(targets.map((target) => [target.path, target])));
    }
    return forged;
  }

  /** Goes on from what is published: a role as he wants it, signed when `publish` comes. */
  async change(role: string, change: (present: Targets) => Targets): Promise<void> {
    this.#changed.set(role, change(this.#changed.get(role) ?? (await this.present(role))));
  }

  /** A role of his own for a project, with a key of his own that some list has to name. */
  async ownProject(list: string, project: string): Promise<Signer> {
    await this.change(list, (present) => withProject(present, project, this.#own));
    this.#crowned.add(`project-${project}`);
    return this.#own;
  }

  async present(role: string): Promise<Targets> {
    const version = await this.#version(role);
    if (version === 0) return new Targets({ version: 1, expires: this.#clock(), targets: new Map() });
    return Metadata.fromBytes(await this.#read(`metadata/${version}.${role}.json`), 'targets').signed;
  }

  async snapshot(): Promise<Snapshot> {
    const { snapshotMeta } = await this.#timestamp();
    const bytes = await this.#read(`metadata/${snapshotMeta.version}.snapshot.json`);
    return Metadata.fromBytes(bytes, 'snapshot').signed;
  }

  /** With root's keys, timestamp, snapshot and targets are his. */
  async takeRoot(roles: readonly ('timestamp' | 'snapshot' | 'targets')[]): Promise<void> {
    const root: Root = Metadata.fromBytes(await this.#read('metadata/1.root.json'), 'root').signed;
    const forged = withKeys(root, Object.fromEntries(roles.map((role) => [role, this.#own])));
    const expires = new Date(this.#clock().getTime() + 300 * DAY);
    const signed = await signMetadata(forged.with({ version: 2, expires }), [this.#signer('root')]);
    await this.store.put('metadata/2.root.json', signed.toBytes());
    for (const role of roles) this.#crowned.add(role);
  }

  /** His metadata in the place of the versions that the honest snapshot lists. */
  async replaceQuietly(): Promise<void> {
    for (const [role, content] of this.#changed) {
      const version = Math.max(1, await this.#version(role));
      await this.#sign(role, content.with({ version }));
    }
  }

  /** A snapshot and a timestamp over his changes. @param meta what he lists beside them */
  async publish(meta: ReadonlyMap<string, MetaFile> = new Map()): Promise<void> {
    const entries = new Map([...(await this.snapshot()).meta, ...meta]);
    for (const [role, content] of this.#changed) {
      const version = await this.#version(role);
      const expires = new Date(this.#clock().getTime() + 300 * DAY);
      entries.set(`${role}.json`, await this.#sign(role, content.with({ version: version + 1, expires })));
    }
    const version = (await this.snapshot()).version + 1;
    await this.#write('snapshot', new Snapshot({ ...this.#later(version), meta: entries }));
    await this.stamp(version);
  }

  /** A fresh timestamp over a snapshot, by default the one there is. */
  async stamp(snapshotVersion?: number): Promise<void> {
    const { version, snapshotMeta } = await this.#timestamp();
    const listed = snapshotVersion ?? snapshotMeta.version;
    const bytes = await this.#read(`metadata/${listed}.snapshot.json`);
    const hashes = new Map([['sha256', sha256(bytes)]]);
    const timestamp = new Timestamp({
      ...this.#later(version + 1),
      snapshotMeta: new MetaFile({ version: listed, length: bytes.length, hashes }),
      unrecognizedFields: await publicLogField(this.store),
    });
    const signed = await signMetadata(timestamp, [this.#signer('timestamp')]);
    await this.store.put('metadata/timestamp.json', signed.toBytes());
  }

  /** The published one; 0 for a role that is not there. */
  async #version(role: string): Promise<number> {
    return (await this.snapshot()).meta.get(`${role}.json`)?.version ?? 0;
  }

  #later(version: number) {
    return { version, expires: new Date(this.#clock().getTime() + 300 * DAY) };
  }

  #signer(role: string): Signer {
    if (this.#crowned.has(role)) return this.#own;
    return this.#stolen.get(/^bin-[0-9a-f]+$/.test(role) ? 'bin-n' : role) ?? this.#own;
  }

  async #sign(role: string, content: Targets): Promise<MetaFile> {
    const bytes = await this.#write(role, content);
    const hashes = new Map([['sha256', sha256(bytes)]]);
    return new MetaFile({ version: content.version, length: bytes.length, hashes });
  }

  async #write(role: string, content: Targets | Snapshot): Promise<Uint8Array> {
    const bytes = (await signMetadata<Targets | Snapshot>(content, [this.#signer(role)])).toBytes();
    await this.store.put(`metadata/${content.version}.${role}.json`, bytes);
    return bytes;
  }

  async #timestamp(): Promise<Timestamp> {
    return Metadata.fromBytes(await this.#read('metadata/timestamp.json'), 'timestamp').signed;
  }

  async #putTarget(path: string, bytes: Uint8Array): Promise<TargetFile> {
    const hash = sha256(bytes);
    const slash = path.lastIndexOf('/') + 1;
    await this.store.put(path, bytes);
    await this.store.put(`${path.slice(0, slash)}${hash}.${path.slice(slash)}`, bytes);
    return new TargetFile({ path, length: bytes.length, hashes: new Map([['sha256', hash]]) });
  }

  async #read(key: string): Promise<Uint8Array> {
    const bytes = await this.store.read(key);
    if (bytes === undefined) throw new Error(`${key} is not there`);
    return bytes;
  }
}
