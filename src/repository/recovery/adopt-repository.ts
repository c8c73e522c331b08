import { createHash } from 'node:crypto';
import { createBLAKE2b } from 'hash-wasm';
import { appendAudit } from '../../db/audit.ts';
import { reserveForeignVersions } from '../../db/foreign-versions.ts';
import { closeImport, insertImport } from '../../db/imports.ts';
import type { ReservedRole } from '../../db/publications.ts';
import type { Executor, IndexRow } from '../../db/schema.ts';
import { putTargets, type TargetEntry } from '../../db/targets.ts';
import { writeTransaction } from '../../db/transactions.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import type { TargetFile } from '../../tuf/file.ts';
import { targetFileName } from '../../tuf/layout.ts';
import type { Root } from '../../tuf/root.ts';
import type { Signer } from '../../tuf/signer.ts';
import { createRepository, type CreatedRepository, type SignedOfflineRoles } from '../create-repository.ts';
import { sha256Hex } from '../project-targets.ts';
import { ServedTree } from '../served-tree.ts';
import { RecoveryError } from './errors.ts';
import { ensureGoodObject } from './good-object.ts';
import type { ForeignRepository } from './foreign-repository.ts';
import type { PublishedSource } from './published-source.ts';

export interface AdoptOptions {
  readonly db: Executor;
  /** Without metadata yet. */
  readonly store: ObjectStore;
  readonly index: IndexRow;
  readonly foreign: ForeignRepository;
  /** Where the files lie, by target path, plain or with a hash before the name; undefined: they stay where they are. */
  readonly files: PublishedSource | undefined;
  /** root follows the old one and is signed by its keys too; targets, claimed and bins are new. */
  readonly offline: SignedOfflineRoles;
  readonly online: readonly Signer[];
  readonly actor: string;
  readonly clock?: () => Date;
}

export interface AdoptReport extends CreatedRepository {
  readonly targets: number;
  /** Files whose bytes are in the store now. */
  readonly files: number;
  /** Sentences about what was left out. */
  readonly refused: readonly string[];
}

const TOGETHER = 5000;

/**
 * Makes an index of a repository that others made: every old root stays, the next one has new keys for all other roles, and every target is
 * listed with its length and sha256 in the first publication. Clients of the old repository follow root and begin a new generation of timestamp
 * and snapshot, because those keys are others. Numbers go on above the old ones. After a failure the same call goes on. Throws RecoveryError,
 * PublicationError.
 */
export async function adoptRepository(options: AdoptOptions): Promise<AdoptReport> {
  const { db, store, index, foreign, offline, online, actor } = options;
  const clock = options.clock ?? (() => new Date());
  const tree = new ServedTree(index.name);
  await requireFollows(foreign, offline);
  const { entries, files, refused } = await takeTargets(options, tree);
  for (const root of foreign.published.roots.values()) await putRoot(store, tree, root.version, root.bytes);
  await writeTransaction(db, async (tx) => {
    await reserveForeignVersions(tx, index.id, oldVersions(foreign), clock());
    for (let start = 0; start < entries.length; start += TOGETHER)
      await putTargets(tx, index.id, entries.slice(start, start + TOGETHER));
  });
  const { id } = await insertImport(db, { indexId: index.id, sources: '[]', position: '{}', now: clock() });
  await closeImport(db, id, 'finished', clock());
  const created = await createRepository({ db, store, index, offline, online, clock });
  const detail = {
    targets: entries.length,
    files,
    refused: refused.length,
    root: created.root.signed.version,
  };
  await writeTransaction(
    db,
    (tx) =>
    appendAudit(tx, { indexId: index.id, at: clock(), actor, action: 'import', subject: 'adopted repository', detail }), // prettier-ignore
  );
  return { ...created, targets: entries.length, files, refused: [...foreign.refused, ...refused] };
}

async function requireFollows(
  { root: old }: ForeignRepository,
  { root: next }: SignedOfflineRoles,
): Promise<void> {
  const wanted = old.signed.version + 1;
  const follows = next.signed.version === wanted && (await old.signed.verifyDelegate('root', next)).verified;
  if (!follows)
    throw new RecoveryError(
      'CANNOT_PROCEED',
      `The bundle's root must be version ${wanted} and signed by a threshold of the keys of root ${old.signed.version}; hold the renewal on top of the roots that rind adopt wrote.`,
    );
  const used = new Set(['timestamp', 'snapshot', 'targets'].flatMap((role) => materials(old.signed, role)));
  for (const role of ['timestamp', 'snapshot', 'targets'])
    if (materials(next.signed, role).some((one) => used.has(one)))
      throw new RecoveryError(
        'CANNOT_PROCEED',
        `The bundle lets a key of the old repository sign ${role}; clients would then compare the new metadata with the old. Give ${role} new keys.`,
      );
}

function materials(root: Root, role: string): readonly string[] {
  return (root.roles.get(role)?.keyIds ?? []).flatMap((id) => root.keys.get(id)?.publicKey.material ?? []);
}

async function putRoot(
  store: ObjectStore,
  tree: ServedTree,
  version: number,
  bytes: Uint8Array,
): Promise<void> {
  const key = tree.metadata('root', version);
  if ((await store.create(key, bytes)) === 'created') return;
  const stored = await store.read(key);
  if (stored !== undefined && sha256Hex(stored) === sha256Hex(bytes)) return;
  throw new RecoveryError(
    'CANNOT_PROCEED',
    `${key} is another root already; adopt into an empty data folder.`,
    {
      path: key,
    },
  );
}

/** Root's version follows from the old one; every other number of the old repository is spent. */
function oldVersions({
  published: { timestamp, snapshot, listed },
}: ForeignRepository): readonly ReservedRole[] {
  const { expires } = timestamp;
  const listedRoles = [...listed].map(([role, version]) => ({
    role,
    version,
    sha256: '',
    length: 0,
    expires,
  }));
  return [timestamp, snapshot]
    .map(({ role, version, sha256, length }) => ({ role, version, sha256, length, expires }))
    .concat(listedRoles);
}

async function takeTargets(
  { store, foreign, files: source }: AdoptOptions,
  tree: ServedTree,
): Promise<{ readonly entries: readonly TargetEntry[]; readonly files: number; readonly refused: string[] }> {
  const entries: TargetEntry[] = [];
  const refused: string[] = [];
  let files = 0;
  for (const target of foreign.targets) {
    const { path, length } = target;
    const found = source === undefined ? undefined : await findFile(source, target);
    const sha256 = target.hashes.get('sha256') ?? found?.sha256;
    if (sha256 === undefined) {
      refused.push(`${path}: it has no sha256, and its file, of which one could be computed, is not at hand`);
      continue;
    }
    entries.push({ path, length, sha256 });
    if (source === undefined || found === undefined) continue;
    const expected = { sha256, length, maxLength: length };
    const key = tree.hashed(path, sha256);
    if ((await ensureGoodObject(store, key, expected, source, found.path)) === undefined) continue;
    await store.copy(key, tree.plain(path));
    files += 1;
  }
  return { entries, files, refused };
}

/** The file of a target under any of its names, if it has every hash that is listed and known here. */
async function findFile(
  source: PublishedSource,
  target: TargetFile,
): Promise<{ readonly path: string; readonly sha256: string } | undefined> {
  const { path, length, hashes } = target;
  for (const name of [path, ...[...hashes.values()].map((hash) => targetFileName(path, hash))]) {
    const chunks = await source.stream(name, length).catch((error: unknown) => {
      if (error instanceof RecoveryError) return undefined;
      throw error;
    });
    const found = chunks === undefined ? undefined : await digests(chunks, length);
    const known = [...hashes].filter(([algorithm]) => found?.has(algorithm) === true);
    if (found === undefined || known.length === 0) continue;
    if (known.every(([algorithm, hash]) => found.get(algorithm) === hash))
      return { path: name, sha256: found.get('sha256') ?? '' };
  }
  return undefined;
}

async function digests(
  chunks: AsyncIterable<Uint8Array>,
  length: number,
): Promise<ReadonlyMap<string, string> | undefined> {
  const node = ['sha256', 'sha384', 'sha512'].map((name) => [name, createHash(name)] as const);
  const blake2b = (await createBLAKE2b(256)).init();
  let seen = 0;
  for await (const chunk of chunks) {
    seen += chunk.length;
    if (seen > length) return undefined;
    for (const [, hash] of node) hash.update(chunk);
    blake2b.update(chunk);
  }
  if (seen !== length) return undefined;
  const found = node.map(([name, hash]) => [name, hash.digest('hex')] as const);
  return new Map([...found, ['blake2b-256', blake2b.digest('hex')]]);
}
