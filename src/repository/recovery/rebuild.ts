import { parseProjectRoleName } from '../../claims/names.ts';
import {
  abandonOpenPublication,
  adoptPublication,
  forgetTargets,
  reserveForeignVersions,
  settleSerials,
} from '../../db/foreign-versions.ts';
import { acquireLease } from '../../db/leases.ts';
import { holdPublication, releaseHold } from '../../db/publication-holds.ts';
import type { ReservedRole } from '../../db/publications.ts';
import type { Executor, IndexRow } from '../../db/schema.ts';
import { putTargets, type TargetEntry } from '../../db/targets.ts';
import { replaceTakedowns } from '../../db/takedowns.ts';
import { writeTransaction } from '../../db/transactions.ts';
import { FormatError } from '../../pypi/errors.ts';
import { parseIndexPath } from '../../pypi/layout.ts';
import { parseTakedowns, TAKEDOWNS_PATH } from '../../pypi/takedown-list.ts';
import type { ProjectPage } from '../../pypi/project-page.ts';
import { parseProjectJson } from '../../pypi/simple.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import { RepositoryError } from '../../tuf/errors.ts';
import { metadataFileName, targetFileName } from '../../tuf/layout.ts';
import { Metadata } from '../../tuf/metadata.ts';
import type { TargetFile } from '../../tuf/file.ts';
import type { Targets } from '../../tuf/targets.ts';
import { sha256Hex } from '../project-targets.ts';
import { ServedTree } from '../served-tree.ts';
import { RecoveryError } from './errors.ts';
import { ensureGoodObject } from './good-object.ts';
import { readGoodPage, restoreProject, type GoodProjectContext } from './good-project.ts';
import { readSource, type PublishedSource } from './published-source.ts';
import { ClaimsOfTree } from './published-claims-rows.ts';
import { readPublishedLog, recordPublishedLog, writePublishedLog } from './published-log.ts';
import { walkPublished, type PublishedRole, type PublishedState } from './published-walk.ts';

export interface RebuildOptions {
  /** Empty, or older than what is published: a restored backup, for instance. Rows that are not in the tree (tokens, users) stay. */
  readonly db: Executor;
  readonly store: ObjectStore;
  readonly index: IndexRow;
  readonly source: PublishedSource;
  /** A root that is trusted by other means than the source. */
  readonly pinnedRoot: Uint8Array;
  readonly now: Date;
}

export interface RebuildReport {
  readonly roles: number;
  readonly targets: number;
  readonly projects: number;
  readonly files: number;
  /** Sentences about what is signed, but could not be brought back. */
  readonly problems: readonly string[];
}

/**
 * Makes the rows of an index from the tree that it published, verified as a client verifies it from a pinned root on, and the objects of its
 * store where the source is another tree. Versions go on above everything that the tree has. Everything signed is renewed by the next
 * publication. Tokens, users and the history are not in the tree, so they are not brought back. Throws RecoveryError.
 */
export async function rebuildIndex(options: RebuildOptions): Promise<RebuildReport> {
  const rebuild = new Rebuild(options);
  // Before the first row changes.
  await rebuild.requireLog(await walkPublished(options.source, options.pinnedRoot));
  const { db, index, now } = options;
  await writeTransaction(db, async (tx) => {
    const reason =
      'A rebuild from the published tree was begun and is not complete: run it again, nothing is published before.';
    await holdPublication(tx, { indexId: index.id, kind: 'backup', reason, now });
    // A backup may have been copied in the middle of a publication: whether it became public, the tree says.
    const epoch = await acquireLease(tx, index.id, 'recovery', now);
    await abandonOpenPublication(tx, index.id, epoch, now);
    await forgetTargets(tx, index.id);
  });
  const state = await walkPublished(options.source, options.pinnedRoot, (role, targets) =>
    rebuild.takeRole(role, targets),
  );
  await rebuild.finish(state);
  return rebuild.report();
}

class Rebuild {
  readonly #options: RebuildOptions;
  readonly #tree: ServedTree;
  readonly #context: GoodProjectContext;
  readonly #roles: ReservedRole[] = [];
  readonly #problems: string[] = [];
  readonly #claims = new ClaimsOfTree();
  readonly #seen = new Set<string>();
  #files = 0;
  #targets = 0;

  constructor(options: RebuildOptions) {
    const { db, store, index, source, now } = options;
    this.#options = options;
    this.#tree = new ServedTree(index.name);
    this.#context = { db, store, tree: this.#tree, indexId: index.id, source, now };
  }

  async takeRole(role: PublishedRole, signed: Targets): Promise<void> {
    await this.#takeMetadata(role);
    const project = this.#claims.take(role, signed);
    const isClaimed = project !== undefined;
    const entries = [...signed.targets.values()].map((target) => ({ ...entryOf(target), isClaimed }));
    await this.#takeEntries(isClaimed ? entries : entries.filter(({ path }) => !this.#isHidden(role, path)));
    if (parseProjectRoleName(role.role)?.kind === 'wheels') await this.#takeBuilt(entries);
  }

  /** Whether a target of a bin is one of a claimed project, which no client looks for there. */
  #isHidden({ role }: PublishedRole, path: string): boolean {
    const parsed = parseIndexPath(path);
    if (parsed?.project === undefined || this.#claims.listOf(parsed.project) === undefined) return false;
    this.#problems.push(`${path} is listed by ${role}, but its project is claimed; it is left out.`);
    return true;
  }

  /** Wheels that a builder lists may not stand on the page yet. */
  async #takeBuilt(entries: readonly TargetEntry[]): Promise<void> {
    const { store, source } = this.#options;
    for (const { path, length, sha256 } of entries) {
      const key = this.#tree.hashed(path, sha256);
      const expected = { length, sha256, maxLength: length };
      if ((await ensureGoodObject(store, key, expected, source, targetFileName(path, sha256))) === undefined)
        this.#problems.push(`${path} is signed, but its bytes are nowhere.`);
      else await store.copy(key, this.#tree.plain(path));
    }
  }

  async #takeEntries(entries: readonly (TargetEntry & { readonly isClaimed: boolean })[]): Promise<void> {
    await writeTransaction(this.#options.db, (tx) => putTargets(tx, this.#options.index.id, entries));
    this.#targets += entries.length;
    for (const entry of entries) await this.#takeTarget(entry);
  }

  async #takeMetadata(role: PublishedRole, isLast = false): Promise<void> {
    const { store } = this.#options;
    const { bytes, ...reserved } = role;
    this.#roles.push(reserved);
    if (isLast) return;
    const key = this.#tree.metadata(role.role, role.version);
    if ((await store.create(key, bytes)) === 'created') return;
    const stored = await store.read(key);
    if (stored === undefined || sha256Hex(stored) !== role.sha256)
      throw new RecoveryError(
        'CANNOT_PROCEED',
        `${key} is in the store with other bytes than ${this.#options.source.name} publishes; rebuild into an empty folder.`,
        { path: key },
      );
  }

  async #takeTarget(entry: TargetEntry): Promise<void> {
    const parsed = parseIndexPath(entry.path);
    if (parsed?.kind === 'simple-json') await this.#takeProject(parsed.project, entry);
    else if (parsed?.kind === 'simple-html') await this.#takePage(entry);
    else if (entry.path === TAKEDOWNS_PATH) await this.#takeTakedowns(entry);
    else if (parsed === undefined)
      this.#problems.push(`${entry.path} is signed, but is no path of an index.`);
  }

  /** The signed list is what is withheld; who asked for it is gone with the old audit log. */
  async #takeTakedowns(entry: TargetEntry): Promise<void> {
    if (!(await this.#takePage(entry))) return;
    const { db, store, index } = this.#options;
    const bytes = await store.read(this.#tree.hashed(entry.path, entry.sha256));
    const takedowns = bytes === undefined ? [] : parseTakedowns(bytes);
    await writeTransaction(db, (tx) => replaceTakedowns(tx, index.id, takedowns));
  }

  async #takePage(entry: TargetEntry): Promise<boolean> {
    const { store, source } = this.#options;
    const key = this.#tree.hashed(entry.path, entry.sha256);
    const expected = { ...entry, maxLength: entry.length };
    const path = targetFileName(entry.path, entry.sha256);
    if ((await ensureGoodObject(store, key, expected, source, path)) === undefined) {
      this.#problems.push(`${entry.path} is signed, but its bytes are not in ${source.name}.`);
      return false;
    }
    const bytes = await store.read(key);
    if (bytes !== undefined) await store.put(this.#tree.plain(entry.path), bytes);
    return true;
  }

  async #takeProject(project: string, entry: TargetEntry): Promise<void> {
    if (!(await this.#takePage(entry))) return;
    const bytes = await readGoodPage(this.#options.source, project, entry);
    const page = bytes === undefined ? undefined : this.#parse(project, bytes);
    if (page === undefined) return;
    const { lost } = await restoreProject(this.#context, project, page, new Set());
    for (const path of lost) this.#problems.push(`${path} is signed, but its bytes are nowhere.`);
    this.#seen.add(project);
    this.#files += page.files.length - lost.length;
    const { store } = this.#options;
    for (const { filename, sha256, coreMetadataSha256 } of page.files) {
      const path = `packages/${project}/${filename}`;
      if (lost.includes(path)) continue;
      await store.copy(this.#tree.hashed(path, sha256), this.#tree.plain(path));
      if (coreMetadataSha256 === undefined) continue;
      const sidecar = `${path}.metadata`;
      await store.copy(this.#tree.hashed(sidecar, sha256), this.#tree.plain(sidecar));
    }
  }

  #parse(project: string, bytes: Uint8Array): ProjectPage | undefined {
    try {
      return parseProjectJson(bytes);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      this.#problems.push(`The page of ${project} is none that Rind makes: ${error.message}`);
      return undefined;
    }
  }

  /** Before anything is changed: a log that clients would take for another history. */
  async requireLog({ timestamp }: PublishedState): Promise<void> {
    await readPublishedLog(this.#context, timestamp.bytes);
  }

  async finish({ roots, timestamp, snapshot, listed }: PublishedState): Promise<void> {
    const { db, store, index, now } = this.#options;
    const log = await readPublishedLog(this.#context, timestamp.bytes);
    await this.#dropOtherProjects();
    for (const root of roots.values()) await this.#takeMetadata(root);
    await this.#takeMetadata(snapshot);
    await this.#takeMetadata(timestamp, true);
    const key = this.#tree.metadata('timestamp');
    const stored = await store.stat(key);
    await store.replace(key, timestamp.bytes, stored?.etag);
    if (log !== undefined) await writePublishedLog(this.#context, log);
    await this.#takeTombstones(listed);
    const floors = await this.#floors(listed);
    const newestRoot = Math.max(...roots.keys());
    const isCurrent = ({ role, version }: ReservedRole) => role !== 'root' || version === newestRoot;
    const older = this.#roles.filter((role) => !isCurrent(role));
    await writeTransaction(db, async (tx) => {
      const publication = {
        roles: this.#roles.filter(isCurrent),
        snapshotVersion: snapshot.version,
        timestampVersion: timestamp.version,
        timestampSha256: timestamp.sha256,
      };
      const id = await adoptPublication(tx, index.id, publication, now);
      await reserveForeignVersions(tx, index.id, [...older, ...floors], now);
      await settleSerials(tx, index.id, id);
      for (const project of await this.#claims.write(tx, index.id, now))
        this.#problems.push(`${project} is claimed, but nothing of it could be brought back.`);
      if (log !== undefined) await recordPublishedLog(tx, index.id, id, log);
      await releaseHold(tx, index.id, 'backup');
    });
  }

  /** Roles that nobody delegates to any more stay in the snapshot, or clients refuse it (TUF 5.5.5): bins of another number, projects that are claimed no more. */
  async #takeTombstones(listed: ReadonlyMap<string, number>): Promise<void> {
    const seen = new Set(this.#roles.map(({ role }) => role));
    for (const [role, version] of listed) {
      if (seen.has(role)) continue;
      const path = `metadata/${metadataFileName(role, version)}`;
      const bytes = await readSource(this.#options.source, path, MAX_TOMBSTONE);
      const expires = bytes === undefined ? undefined : expiresOf(role, version, bytes);
      if (bytes === undefined || expires === undefined) continue;
      const one = { role, version, expires, bytes, length: bytes.length, sha256: sha256Hex(bytes) };
      await this.#takeMetadata(one);
      this.#claims.takeTombstone(one);
    }
  }

  /** Projects that were deleted since, or whose pages are lost. */
  async #dropOtherProjects(): Promise<void> {
    const { db, index } = this.#options;
    const rows = await db.selectFrom('projects').select('name').where('index_id', '=', index.id).execute();
    for (const { name } of rows)
      if (!this.#seen.has(name)) await restoreProject(this.#context, name, undefined, new Set());
  }

  /** Numbers that are taken in the store, and those that the snapshot lists of roles that nobody delegates to any more. */
  async #floors(listed: ReadonlyMap<string, number>): Promise<readonly ReservedRole[]> {
    const { store, now } = this.#options;
    const present = new Set(this.#roles.map(({ role, version }) => `${version}.${role}`));
    const taken: ReservedRole[] = [];
    for await (const { key } of store.list(`${this.#tree.prefix}metadata/`)) {
      const [, number, role = ''] = /\/([1-9][0-9]{0,15})\.([^/]+)\.json$/.exec(key) ?? [];
      if (number === undefined || present.has(`${number}.${role}`)) continue;
      // Their next version is exactly one more, and only developers can sign it.
      if (parseProjectRoleName(role) !== undefined) continue;
      const bytes = (await store.read(key)) ?? new Uint8Array();
      taken.push({
        role,
        version: Number(number),
        sha256: sha256Hex(bytes),
        length: bytes.length,
        expires: now,
      });
      present.add(`${number}.${role}`);
    }
    for (const [role, version] of listed) {
      if (!present.has(`${version}.${role}`))
        taken.push({ role, version, sha256: '', length: 0, expires: now });
    }
    return taken;
  }

  report(): RebuildReport {
    return {
      roles: this.#roles.length,
      targets: this.#targets,
      projects: this.#seen.size,
      files: this.#files,
      problems: this.#problems,
    };
  }
}

const MAX_TOMBSTONE = 32 << 20;

/** Undefined for what is no such version of a role. */
function expiresOf(role: string, version: number, bytes: Uint8Array): Date | undefined {
  try {
    const { signed } = Metadata.fromBytes(bytes, 'targets', { role });
    return signed.version === version ? signed.expires : undefined;
  } catch (error) {
    if (error instanceof RepositoryError) return undefined;
    throw error;
  }
}

/** Throws INCOMPLETE_SOURCE for a target without sha256: nobody could fetch it by its hash. */
export function entryOf({ path, length, hashes }: TargetFile): TargetEntry {
  const sha256 = hashes.get('sha256');
  if (sha256 !== undefined) return { path, length, sha256 };
  throw new RecoveryError('INCOMPLETE_SOURCE', `${path} is signed without a sha256.`, { path });
}
