import { createHash, type Hash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { once } from 'node:events';
import { finished } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { ObjectStore } from '../storage/object-store.ts';
import { GrowingTree } from '../transparency/growing-tree.ts';
import { encodeLogEntry, entryOfTimestamp } from '../transparency/log-entry.ts';
import { tilePath } from '../transparency/log-layout.ts';
import { leafHash } from '../transparency/merkle.ts';
import { encodeHex } from '../tuf/hex.ts';
import { Metadata } from '../tuf/metadata.ts';
import type { Targets } from '../tuf/targets.ts';
import {
  archivedRolePath,
  stateName,
  targetsPath,
  type ArchivedRole,
  type ArchivedLog,
  type ArchiveManifest,
} from './archive.ts';
import { ArchiveError } from './errors.ts';
import { Findings } from './finding.ts';
import { walkMetadata } from './fsck-metadata.ts';
import { sha256Hex } from './project-targets.ts';
import { nodeSha256 } from './public-log.ts';
import { ServedTree } from './served-tree.ts';

export interface ArchiveOptions {
  /** A store, or anything that reads like one: a mirror too. */
  readonly store: Pick<ObjectStore, 'read'>;
  /** Name of the index. */
  readonly index: string;
  readonly folder: string;
  readonly clock?: () => Date;
  /** Told how many of the roles were verified. */
  readonly onRole?: ((done: number, total: number) => void) | undefined;
}

export interface WrittenArchive {
  readonly manifest: ArchiveManifest;
  /** Role files that were not in the archive before. */
  readonly newRoles: number;
}

/**
 * Adds the present state of an index to an archive: verifies all metadata as a client does that reads everything, and keeps the bytes of every
 * role and a listing of every target. What is there already is not written again. The manifest comes last: without it a state does not exist.
 * @throws {ArchiveError} ARCHIVE_DIFFERS when the archive has other bytes under a number that is public: the index equivocated, or one was changed
 */
export async function writeArchive(options: ArchiveOptions): Promise<WrittenArchive> {
  const { folder } = options;
  for (const name of ['metadata', 'targets', 'states'])
    await mkdir(join(folder, name), { recursive: true, mode: 0o700 });
  const recorded = new RecordingStore(options.store, new ServedTree(options.index), folder);
  const listing = await TargetListing.create(join(folder, 'targets'));
  const findings = new MetadataFindings();
  let done = 0;
  await walkMetadata({
    store: recorded,
    tree: new ServedTree(options.index),
    now: options.clock?.() ?? new Date(),
    rows: new Map(),
    findings,
    visit: async (role, targets) => {
      if (findings.count === 0) await recorded.keep();
      await listing.add(role, targets);
      options.onRole?.(++done, Math.max(done, recorded.listedRoles()));
    },
  });
  const listed = recorded.listedRoles();
  if (done < listed) options.onRole?.(listed, listed);
  const [finding] = findings.list;
  if (finding !== undefined)
    throw new ArchiveError(
      'ARCHIVE_DIFFERS',
      `Nothing was archived, because a client would refuse what is public: ${finding.message}`,
    );
  const timestamp = recorded.timestamp();
  const manifest: ArchiveManifest = {
    format: 'rind-archive',
    version: 1,
    index: options.index,
    archivedAt: (options.clock?.() ?? new Date()).toISOString(),
    timestampVersion: Metadata.fromBytes(timestamp, 'timestamp').signed.version,
    ...(await logOf(options, timestamp)),
    retiredRoles: recorded.retiredRoles(),
    roles: recorded.roles.toSorted((a, b) =>
      a.role === b.role ? a.version - b.version : a.role < b.role ? -1 : 1,
    ),
    targets: await listing.close(),
  };
  await writeManifest(folder, manifest);
  return { manifest, newRoles: recorded.written };
}

/** Expiry and what a database says do not matter to an archive. */
class MetadataFindings extends Findings {
  override add(...finding: Parameters<Findings['add']>): void {
    if (finding[0] === 'METADATA_MISSING' || finding[0] === 'METADATA_INVALID') super.add(...finding);
  }
}

/** Reads from a store and keeps what a walk has verified. */
class RecordingStore {
  readonly roles: ArchivedRole[] = [];
  written = 0;
  readonly #store: Pick<ObjectStore, 'read'>;
  readonly #tree: ServedTree;
  readonly #folder: string;
  readonly #read = new Map<string, Uint8Array>();
  #timestamp: Uint8Array | undefined;
  #snapshot: Uint8Array | undefined;
  #listed = 0;

  constructor(store: Pick<ObjectStore, 'read'>, tree: ServedTree, folder: string) {
    this.#store = store;
    this.#tree = tree;
    this.#folder = folder;
  }

  async read(key: string): Promise<Uint8Array | undefined> {
    const bytes = await this.#store.read(key);
    if (bytes !== undefined) this.#read.set(key, bytes);
    return bytes;
  }

  timestamp(): Uint8Array {
    if (this.#timestamp !== undefined) return this.#timestamp;
    throw new ArchiveError(
      'ARCHIVE_EMPTY',
      'Nothing was archived, because the index has no signed metadata.',
    );
  }

  /** How many roles the snapshot lists, once it was read. */
  listedRoles(): number {
    return this.#listed;
  }

  /** How many roles the snapshot lists that the walk did not come to. */
  retiredRoles(): number {
    const seen = new Set(this.roles.map(({ role }) => `${role}.json`));
    const snapshot = Metadata.fromBytes(this.#snapshot ?? new Uint8Array(), 'snapshot').signed;
    return [...snapshot.meta.keys()].filter((name) => !seen.has(name)).length;
  }

  /** Writes what was read since the last call. */
  async keep(): Promise<void> {
    const folder = this.#tree.plain('metadata/');
    for (const [key, bytes] of this.#read) {
      const name = key.slice(folder.length);
      const isTimestamp = key === this.#tree.metadata('timestamp');
      if (isTimestamp) this.#timestamp = bytes;
      const { role, version } = isTimestamp
        ? { role: 'timestamp', version: Metadata.fromBytes(bytes, 'timestamp').signed.version }
        : {
            role: decodeURIComponent(name.replace(/^[0-9]+\./, '').slice(0, -'.json'.length)),
            version: Number.parseInt(name, 10),
          };
      if (role === 'snapshot') {
        this.#snapshot = bytes;
        this.#listed = Metadata.fromBytes(bytes, 'snapshot').signed.meta.size;
      }
      this.roles.push({ role, version, sha256: sha256Hex(bytes), length: bytes.length });
      const path = join(this.#folder, archivedRolePath(role, version));
      if (await createFile(path, bytes)) this.written += 1;
      // As a mirror has it, so that whatever reads a mirror reads an archive.
      if (isTimestamp) await replaceFile(join(this.#folder, 'metadata', 'timestamp.json'), bytes);
    }
    this.#read.clear();
  }
}

/** The listing of all targets while it is written: one JSON array a line, compressed. */
class TargetListing {
  readonly #folder: string;
  readonly #path: string;
  readonly #hash: Hash = createHash('sha256');
  readonly #gzip = createGzip({ level: 6 });
  readonly #written: Promise<void>;
  #count = 0;

  private constructor(folder: string, path: string) {
    this.#folder = folder;
    this.#path = path;
    this.#written = finished(this.#gzip.pipe(createWriteStream(path, { mode: 0o600 })));
    this.#written.catch(() => undefined);
  }

  static async create(folder: string): Promise<TargetListing> {
    return new TargetListing(folder, join(folder, `writing-${process.pid}.tmp`));
  }

  async add(role: string, { targets }: Targets): Promise<void> {
    let text = '';
    for (const line of listingLines(role, targets)) {
      text += line;
      this.#count += 1;
    }
    if (text === '') return;
    this.#hash.update(text);
    if (!this.#gzip.write(text)) await once(this.#gzip, 'drain');
  }

  async close(): Promise<ArchiveManifest['targets']> {
    this.#gzip.end();
    await this.#written;
    const sha256 = this.#hash.digest('hex');
    await syncFile(this.#path);
    await rename(this.#path, join(dirname(this.#folder), targetsPath(sha256)));
    return { sha256, count: this.#count };
  }
}

/** How the targets of a role are listed. */
export function* listingLines(role: string, targets: Targets['targets']): Generator<string> {
  for (const [path, { length, hashes }] of targets)
    yield `${JSON.stringify([path, role, length, hashes.get('sha256') ?? ''])}\n`;
}

/** The log with the publication of this timestamp, and the edge of its tree, with which anybody can compute it again. */
async function logOf(
  { store, index }: ArchiveOptions,
  timestamp: Uint8Array,
): Promise<{ readonly log?: ArchivedLog }> {
  const metadata = Metadata.fromBytes(timestamp, 'timestamp');
  const entry = entryOfTimestamp(metadata.signed, metadata.signedBytes);
  if (entry === undefined) return {};
  const edge: string[] = [];
  const tree = await GrowingTree.read(
    entry.previous.size,
    async (place) => {
      const bytes = (await store.read(new ServedTree(index).plain(tilePath(place)))) ?? new Uint8Array();
      edge[place.level] = encodeHex(bytes);
      return bytes;
    },
    nodeSha256,
  );
  if (tree.head.root !== entry.previous.root)
    throw new ArchiveError(
      'ARCHIVE_DIFFERS',
      'Nothing was archived, because the public log in the store is not the one that timestamp commits to.',
    );
  const { head } = tree.append(leafHash(encodeLogEntry(entry), nodeSha256)).tree;
  return { log: { head, edge: Array.from(edge, (hashes) => hashes ?? '') } };
}

async function writeManifest(folder: string, manifest: ArchiveManifest): Promise<void> {
  const path = join(folder, 'states', stateName(manifest.timestampVersion));
  const bytes = new TextEncoder().encode(`${JSON.stringify(manifest)}\n`);
  const known = await readFile(path).catch(() => undefined);
  const checksum = `${sha256Hex(bytes)}  ${stateName(manifest.timestampVersion)}\n`;
  // The same state again: only the time differs.
  if (known !== undefined) {
    const before = JSON.parse(new TextDecoder().decode(known)) as ArchiveManifest;
    if (JSON.stringify({ ...before, archivedAt: '' }) === JSON.stringify({ ...manifest, archivedAt: '' }))
      return;
  }
  await replaceFile(`${path}.sha256`, new TextEncoder().encode(checksum));
  await replaceFile(path, bytes);
}

/** False when it is there already with these bytes. */
async function createFile(path: string, bytes: Uint8Array): Promise<boolean> {
  const known = await readFile(path).catch(() => undefined);
  if (known === undefined) {
    await replaceFile(path, bytes);
    return true;
  }
  if (Buffer.compare(known, bytes) === 0) return false;
  throw new ArchiveError(
    'ARCHIVE_DIFFERS',
    `${path} has other bytes than the index shows now under the same version: one of them was changed after it was signed, or the index signed twice. Keep both, and look at the public log.`,
  );
}

async function replaceFile(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  const file = await open(temporary, 'w', 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
