import { makeBins } from '../../src/ceremony/offline-roles.ts';
import { MemoryStore } from '../../src/storage/memory-store.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import { TargetFile } from '../../src/tuf/file.ts';
import { MetaFile } from '../../src/tuf/file.ts';
import { Metadata, signMetadata } from '../../src/tuf/metadata.ts';
import { Delegations } from '../../src/tuf/delegations.ts';
import { DelegatedRole } from '../../src/tuf/delegated-role.ts';
import { Role } from '../../src/tuf/role.ts';
import { Root } from '../../src/tuf/root.ts';
import type { Signer } from '../../src/tuf/signer.ts';
import { Snapshot } from '../../src/tuf/snapshot.ts';
import { Targets } from '../../src/tuf/targets.ts';
import { Timestamp } from '../../src/tuf/timestamp.ts';
import { LOG_FIELD, parseLogHead } from '../../src/transparency/log-entry.ts';
import { LOG_HEAD_PATH } from '../../src/transparency/log-layout.ts';
import type { JsonObject, JsonValue } from '../../src/tuf/json.ts';
import { newSigner, sha256 } from '../support/index-fixture.ts';

/** What a thief has. `online` signs timestamp, snapshot and every bin-n, as PEP 458 has them in one place. */
export interface Loot {
  readonly root?: readonly Signer[];
  readonly targets?: readonly Signer[];
  readonly bins?: readonly Signer[];
  readonly online?: readonly Signer[];
}

const DAY = 86_400_000;

/** A copy of everything an index serves, at one moment. */
export async function copyOf(store: ObjectStore): Promise<MemoryStore> {
  const copy = new MemoryStore();
  for await (const { key } of store.list('')) {
    const bytes = await store.read(key);
    if (bytes !== undefined) await copy.put(key, bytes);
  }
  return copy;
}

/** A thief goes on with the public log as well: it is no secret, and clients that follow it want to see themselves in it. */
export async function publicLogField(store: ObjectStore): Promise<JsonObject> {
  const head = await store.read(LOG_HEAD_PATH);
  if (head === undefined) return new Map();
  const { size, root } = parseLogHead(head);
  const commitment = new Map<string, JsonValue>([
    ['roles', '0'.repeat(64)],
    ['root', root],
    ['size', size],
  ]);
  return new Map([[LOG_FIELD, commitment]]);
}

/** Somebody between the index and its clients, who changes what is served and signs with what was stolen; with a key of his own where he has none. */
export class Attacker {
  /** What clients get from him. */
  readonly store: MemoryStore;
  readonly #loot: Loot;
  readonly #own = newSigner();
  readonly #now: Date;
  readonly #jump: number;

  /** @param jump added to every version: a fast-forward attack */
  constructor(store: MemoryStore, loot: Loot, now: Date, jump = 1) {
    this.store = store;
    this.#loot = loot;
    this.#now = now;
    this.#jump = jump;
  }

  /** Signs a file of his own into its bin, and whatever above it has to follow. */
  async forgeFile(path: string, bin: string, bytes: Uint8Array): Promise<void> {
    const hash = sha256(bytes);
    await this.#put(path, bytes);
    const slash = path.lastIndexOf('/') + 1;
    await this.#put(`${path.slice(0, slash)}${hash}.${path.slice(slash)}`, bytes);
    await this.#forgeRoot();
    const meta = new Map((await this.snapshot()).meta);
    if (this.#loot.root === undefined) await this.#forgeDelegators(meta);
    const old = await this.#targets(bin, meta);
    const target = new TargetFile({ path, length: bytes.length, hashes: new Map([['sha256', hash]]) });
    const forged = old.with({
      ...this.#common(old.version),
      targets: new Map(old.targets).set(path, target),
    });
    await this.#write(bin, forged, meta, this.#online());
    await this.#forgeSnapshot(meta);
  }

  /** The same, with the honest snapshot and timestamp: his metadata takes the place of the version that they list. */
  async replaceRole(role: 'targets' | 'bins'): Promise<void> {
    const { meta } = await this.snapshot();
    const old = await this.#targets(role, meta);
    const stolen = (role === 'targets' ? this.#loot.targets : this.#loot.bins) ?? [this.#own];
    const forged = old.with({ version: old.version, expires: new Date(this.#now.getTime() + 300 * DAY) });
    await this.#put(`metadata/${old.version}.${role}.json`, (await signMetadata(forged, stolen)).toBytes());
  }

  /** Goes on saying that nothing is new: what is there, signed anew so that it does not expire. */
  async freeze(bins: readonly string[]): Promise<void> {
    await this.#forgeRoot();
    const meta = new Map((await this.snapshot()).meta);
    for (const bin of [...bins, 'recently-claimed']) {
      const old = await this.#targets(bin, meta);
      await this.#write(bin, old.with(this.#common(old.version)), meta, this.#online());
    }
    await this.#forgeSnapshot(meta);
  }

  /** Shows roles of different times together: `bin` as it is in another copy, the rest as it is here. */
  async mix(bin: string, other: ObjectStore, otherMeta: ReadonlyMap<string, MetaFile>): Promise<void> {
    const entry = otherMeta.get(`${bin}.json`);
    const name = `metadata/${entry?.version ?? 0}.${bin}.json`;
    const bytes = await other.read(name);
    if (entry === undefined || bytes === undefined) throw new Error(`no ${bin}`);
    await this.#forgeRoot();
    const meta = new Map((await this.snapshot()).meta);
    if (this.#loot.root === undefined) {
      await this.#put(name, bytes);
      meta.set(`${bin}.json`, entry);
    } else {
      const { signed } = Metadata.fromBytes(bytes, 'targets');
      const { version } = await this.#targets(bin, meta);
      await this.#write(bin, signed.with(this.#common(version)), meta, [this.#own]);
    }
    await this.#forgeSnapshot(meta);
  }

  async snapshot(): Promise<Snapshot> {
    const { snapshotMeta } = (await this.#read('metadata/timestamp.json', 'timestamp')).signed as Timestamp;
    return (await this.#read(`metadata/${snapshotMeta.version}.snapshot.json`, 'snapshot'))
      .signed as Snapshot;
  }

  #online(): readonly Signer[] {
    return this.#loot.root === undefined ? (this.#loot.online ?? [this.#own]) : [this.#own];
  }

  #common(version: number) {
    return { version: version + this.#jump, expires: new Date(this.#now.getTime() + 300 * DAY) };
  }

  /** With root's keys, everybody else's are his. */
  async #forgeRoot(): Promise<void> {
    const stolen = this.#loot.root;
    if (stolen === undefined) return;
    const { signed } = await this.#read('metadata/1.root.json', 'root');
    const old = signed as Root;
    const own = new Role({ keyIds: [this.#own.key.keyId], threshold: 1 });
    const roles = new Map(old.roles);
    for (const role of ['timestamp', 'snapshot', 'targets'] as const) roles.set(role, own);
    const root = new Root({
      version: 2,
      expires: new Date(this.#now.getTime() + 300 * DAY),
      consistentSnapshot: true,
      keys: new Map(old.keys).set(this.#own.key.keyId, this.#own.key),
      roles,
    });
    await this.#put('metadata/2.root.json', (await signMetadata(root, stolen)).toBytes());
    const meta = new Map((await this.snapshot()).meta);
    await this.#forgeDelegators(meta);
    await this.#forgeSnapshot(meta);
  }

  /** targets and bins delegate to his own key, as far as he can sign them. */
  async #forgeDelegators(meta: Map<string, MetaFile>): Promise<void> {
    const { root, targets: stolenTargets, bins: stolenBins } = this.#loot;
    if (root !== undefined || stolenTargets !== undefined) {
      const old = await this.#targets('targets', meta);
      const delegated = [...(old.delegations?.roles?.values() ?? [])].map(
        ({ name, paths, terminating }) =>
          new DelegatedRole({
            name,
            terminating,
            keyIds: [this.#own.key.keyId],
            threshold: 1,
            ...(paths === undefined ? {} : { paths }),
          }),
      );
      const delegations = new Delegations({
        keys: new Map([[this.#own.key.keyId, this.#own.key]]),
        roles: delegated,
      });
      const forged = new Targets({ ...this.#common(old.version), targets: new Map(), delegations });
      await this.#write('targets', forged, meta, root === undefined ? (stolenTargets ?? []) : [this.#own]);
      for (const role of ['claimed', 'recently-claimed'] as const) {
        const present = await this.#targets(role, meta);
        await this.#write(role, present.with(this.#common(present.version)), meta, [this.#own]);
      }
    }
    if (root !== undefined || stolenTargets !== undefined || stolenBins !== undefined) {
      const old = await this.#targets('bins', meta);
      const count = old.delegations?.roles?.size ?? 0;
      const layout = { count, layout: 'path_hash_prefixes' as const };
      const forged = makeBins([this.#own.key], layout, this.#common(old.version));
      const ownsBins = root !== undefined || stolenTargets !== undefined;
      await this.#write('bins', forged, meta, ownsBins ? [this.#own] : (stolenBins ?? []));
      for (const name of forged.delegations?.roles?.keys() ?? []) {
        const bin = await this.#targets(name, meta);
        await this.#write(name, bin.with(this.#common(bin.version)), meta, [this.#own]);
      }
    }
  }

  async #forgeSnapshot(meta: ReadonlyMap<string, MetaFile>): Promise<void> {
    const old = (await this.#read('metadata/timestamp.json', 'timestamp')).signed as Timestamp;
    const common = this.#common(old.snapshotMeta.version);
    const snapshot = await signMetadata(new Snapshot({ ...common, meta }), this.#online());
    const bytes = snapshot.toBytes();
    await this.#put(`metadata/${common.version}.snapshot.json`, bytes);
    const hashes = new Map([['sha256', sha256(bytes)]]);
    const snapshotMeta = new MetaFile({ version: common.version, length: bytes.length, hashes });
    const unrecognizedFields = await publicLogField(this.store);
    const timestamp = new Timestamp({ ...this.#common(old.version), snapshotMeta, unrecognizedFields });
    await this.#put('metadata/timestamp.json', (await signMetadata(timestamp, this.#online())).toBytes());
  }

  async #write(
    role: string,
    targets: Targets,
    meta: Map<string, MetaFile>,
    signers: readonly Signer[],
  ): Promise<void> {
    const bytes = (await signMetadata(targets, signers)).toBytes();
    await this.#put(`metadata/${targets.version}.${role}.json`, bytes);
    const listed = meta.get(`${role}.json`);
    const content =
      listed?.hashes === undefined
        ? {}
        : { length: bytes.length, hashes: new Map([['sha256', sha256(bytes)]]) };
    meta.set(`${role}.json`, new MetaFile({ version: targets.version, ...content }));
  }

  async #targets(role: string, meta: ReadonlyMap<string, MetaFile>): Promise<Targets> {
    const version = meta.get(`${role}.json`)?.version ?? 0;
    return (await this.#read(`metadata/${version}.${role}.json`, 'targets')).signed as Targets;
  }

  async #read(key: string, type: 'root' | 'timestamp' | 'snapshot' | 'targets') {
    const bytes = await this.store.read(key);
    if (bytes === undefined) throw new Error(`${key} is not there`);
    return Metadata.fromBytes(bytes, type);
  }

  async #put(key: string, bytes: Uint8Array): Promise<void> {
    await this.store.put(key, bytes);
  }
}
