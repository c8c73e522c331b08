import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { insertFile } from '../../src/db/files.ts';
import { findIndex, insertIndex } from '../../src/db/indexes.ts';
import { appendJournal } from '../../src/db/journal.ts';
import { openDatabase, type Database } from '../../src/db/open.ts';
import { ensureProject, ensureRelease } from '../../src/db/projects.ts';
import type { IndexRow } from '../../src/db/schema.ts';
import { writeTransaction } from '../../src/db/transactions.ts';
import { metadataSidecarPath, packagePath } from '../../src/pypi/layout.ts';
import {
  makeBins,
  makeClaimed,
  makeRoot,
  makeTargets,
  type Parties,
} from '../../src/ceremony/offline-roles.ts';
import type { BinsLayoutName } from '../../src/ceremony/plan.ts';
import { createRepository, type SignedOfflineRoles } from '../../src/repository/create-repository.ts';
import { profileNamed } from '../../src/repository/profile.ts';
import { Publisher, type PublisherOptions } from '../../src/repository/publisher.ts';
import { ServedTree } from '../../src/repository/served-tree.ts';
import { MemoryStore } from '../../src/storage/memory-store.ts';
import { PosixStore } from '../../src/storage/posix-store.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import { Key } from '../../src/tuf/key.ts';
import { Signature } from '../../src/tuf/signature.ts';
import { signMetadata } from '../../src/tuf/metadata.ts';
import type { Signer } from '../../src/tuf/signer.ts';

/** An ed25519 signer with a key made on the spot. */
export function newSigner(): Signer {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
  const key = Key.fromPublicKey('ed25519', 'ed25519', raw.toString('hex'));
  return { key, sign: async (bytes) => Signature.fromBytes(key.keyId, sign(null, bytes, privateKey)) };
}

export const START = new Date('2026-03-01T12:00:00.000Z');
export const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');

export interface FixtureOptions {
  readonly profile?: string;
  readonly indexName?: string;
  readonly store?: ObjectStore;
  readonly beforeCommit?: () => void;
  readonly online?: Signer;
  /** A store on disk, in the folder `tree` beside the database, instead of one in memory. */
  readonly onDisk?: boolean;
}

export interface OfflineSigners {
  readonly root: OfflineParty;
  readonly targets: OfflineParty;
  readonly claimed: OfflineParty;
  readonly bins: OfflineParty;
}

export interface OfflineParty {
  readonly signers: readonly Signer[];
  readonly threshold: number;
}

const YEAR_MS = 365 * 86_400_000;

/** What a ceremony with these keys makes. `onlineBins`: the keys of the bins where they differ from those in root. */
export async function signOffline(
  signers: OfflineSigners,
  online: readonly Signer['key'][],
  options: {
    readonly version: number;
    readonly now: Date;
    readonly bins: number;
    readonly layout?: BinsLayoutName;
    /** Further signers of root: those of the root before. */
    readonly oldRoot?: readonly Signer[];
  },
): Promise<SignedOfflineRoles> {
  const { version, now, bins, layout = 'path_hash_prefixes', oldRoot = [] } = options;
  const party = ({ signers: list, threshold }: OfflineParty) => ({
    keys: list.map(({ key }) => key),
    threshold,
  });
  const { root, targets, claimed } = signers;
  const parties: Parties = {
    root: party(root),
    targets: party(targets),
    claimed: party(claimed),
    bins: party(signers.bins),
    online,
  };
  const common = { version, expires: new Date(now.getTime() + YEAR_MS) };
  return {
    root: await signMetadata(makeRoot(parties, common), [...new Set([...root.signers, ...oldRoot])]),
    targets: await signMetadata(makeTargets(parties, common), targets.signers),
    claimed: await signMetadata(makeClaimed(common), claimed.signers),
    bins: await signMetadata(makeBins(online, { count: bins, layout }, common), signers.bins.signers),
  };
}

/** A real SQLite database in a temporary folder, a store, keys, a clock that stands still, and files that need no archive. */
export class IndexFixture {
  readonly online: Signer;
  readonly offline = {
    root: { signers: [newSigner()], threshold: 1 },
    targets: { signers: [newSigner()], threshold: 1 },
    claimed: { signers: [newSigner()], threshold: 1 },
    bins: { signers: [newSigner()], threshold: 1 },
  };
  readonly store: ObjectStore;
  readonly database: Database;
  readonly index: IndexRow;
  readonly folder: string;
  now = START;
  #closed = false;
  #signed: SignedOfflineRoles | undefined;
  /** In place of the profile's number. */
  bins: number | undefined;

  private constructor(
    store: ObjectStore,
    database: Database,
    index: IndexRow,
    folder: string,
    online: Signer,
  ) {
    this.online = online;
    this.store = store;
    this.database = database;
    this.index = index;
    this.folder = folder;
  }

  static async open(options: FixtureOptions = {}): Promise<IndexFixture> {
    const folder = await mkdtemp(join(tmpdir(), 'rind-repository-'));
    const path = join(folder, 'rind.db');
    const database = await openDatabase(
      options.beforeCommit === undefined ? { path } : { path, beforeCommit: options.beforeCommit },
    );
    const name = options.indexName ?? '';
    const index =
      (await findIndex(database.db, name)) ??
      (await insertIndex(database.db, { name, profile: options.profile ?? 'team', now: START }));
    const onDisk = () =>
      PosixStore.open({ root: join(folder, 'tree'), temporaryFolder: join(folder, 'temporary') });
    const store = options.store ?? (options.onDisk === true ? await onDisk() : new MemoryStore());
    return new IndexFixture(store, database, index, folder, options.online ?? newSigner());
  }

  /** With the repository made. */
  static async create(options: FixtureOptions = {}): Promise<IndexFixture> {
    const fixture = await IndexFixture.open(options);
    await fixture.createRepository();
    return fixture;
  }

  get db() {
    return this.database.db;
  }

  get tree(): ServedTree {
    return new ServedTree(this.index.name);
  }

  readonly clock = () => this.now;

  advance(hours: number): void {
    this.now = new Date(this.now.getTime() + hours * 3_600_000);
  }

  /** The offline roles of the first ceremony: signed once, so that a second attempt brings the same bytes. */
  async signedOffline(): Promise<SignedOfflineRoles> {
    const bins = this.bins ?? profileNamed(this.index.profile)?.bins ?? 256;
    return (this.#signed ??= await signOffline(this.offline, [this.online.key], {
      version: 1,
      now: this.now,
      bins,
    }));
  }

  async createRepository() {
    const { db, store, index, online, clock } = this;
    return createRepository({
      db,
      store,
      index,
      offline: await this.signedOffline(),
      online: [online],
      clock,
    });
  }

  newPublisher(
    signers: readonly Signer[] = [this.online],
    options: Partial<PublisherOptions> = {},
  ): Publisher {
    const { db, store, index, clock } = this;
    return new Publisher({ db, store, index, signers, clock, ...options });
  }

  async startedPublisher(): Promise<Publisher> {
    const publisher = this.newPublisher();
    await publisher.start();
    return publisher;
  }

  /** What an upload leaves behind: the objects under their hash names, then the rows. Returns the serial of the change. */
  async upload(
    project: string,
    version: string,
    content: string | Uint8Array = `${project} ${version}`,
  ): Promise<number> {
    const { db, store, tree, index } = this;
    const filename = `${project.replaceAll('-', '_')}-${version}.tar.gz`;
    const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
    const metadata = new TextEncoder().encode(
      `Metadata-Version: 2.1\nName: ${project}\nVersion: ${version}\n`,
    );
    const hash = sha256(bytes);
    await store.create(tree.hashed(packagePath(project, filename), hash), bytes);
    await store.create(tree.hashed(metadataSidecarPath(project, filename), hash), metadata);
    return writeTransaction(db, async (tx) => {
      const now = this.now;
      const projectRow = await ensureProject(tx, {
        indexId: index.id,
        name: project,
        displayName: project,
        now,
      });
      const projectId = projectRow.id;
      const releaseRow = await ensureRelease(tx, {
        indexId: index.id,
        projectId,
        version,
        coreMetadata: '{}',
        now,
      });
      await insertFile(tx, {
        index_id: index.id,
        project_id: projectId,
        release_id: releaseRow.id,
        version,
        filename,
        packagetype: 'sdist',
        python_version: 'source',
        length: bytes.length,
        sha256: hash,
        blake2b_256: '00'.repeat(32),
        requires_python: '>=3.9',
        metadata_sha256: sha256(metadata),
        metadata_length: metadata.length,
        uploaded_at: now.toISOString(),
        uploaded_by: null,
        yanked_reason: null,
        removed_at: null,
      });
      return appendJournal(tx, { indexId: index.id, projectId, kind: 'upload', detail: { filename }, now });
    });
  }

  /** The objects of the store, as text by key. */
  async objects(prefix = ''): Promise<Map<string, string>> {
    const objects = new Map<string, string>();
    for await (const { key } of this.store.list(prefix)) {
      objects.set(key, new TextDecoder().decode(await this.store.read(key)));
    }
    return objects;
  }

  /** Safe to call twice. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.database.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}
