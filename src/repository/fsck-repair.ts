import { parseProjectRoleName } from '../claims/names.ts';
import { appendAudit } from '../db/audit.ts';
import { findFiles, pageStates } from '../db/files.ts';
import { appendJournal } from '../db/journal.ts';
import { findProject } from '../db/projects.ts';
import { findRoleVersion } from '../db/roles.ts';
import type { Executor, IndexRow } from '../db/schema.ts';
import { deleteTarget, findTarget, putTargets } from '../db/targets.ts';
import { writeTransaction } from '../db/transactions.ts';
import { metadataSidecarPath, packagePath, parseIndexPath, type IndexPath } from '../pypi/layout.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { Metadata } from '../tuf/metadata.ts';
import type { Signer } from '../tuf/signer.ts';
import type { Finding, FindingCode } from './finding.ts';
import { digestObject } from './fsck-objects.ts';
import { MetadataRepair } from './metadata-repair.ts';
import { projectTargets, sha256Hex } from './project-targets.ts';
import { ServedTree } from './served-tree.ts';

export interface RepairOptions {
  readonly db: Executor;
  readonly store: ObjectStore;
  readonly index: IndexRow;
  /** The online keys: lost metadata is signed again, and taken only when it comes out byte for byte as it was published. */
  readonly signers: readonly Signer[];
  /** For the audit log: `cli:<os user>`. */
  readonly actor: string;
  readonly clock?: () => Date;
}

/** One thing that is as it should be again, or will be with the next publication. */
export interface Repaired {
  readonly finding: Finding;
  /** What was done, one clause. */
  readonly action: string;
}

export interface RepairReport {
  readonly repaired: readonly Repaired[];
  /** What nothing here can prove the right state of, and the way out. */
  readonly left: readonly { readonly finding: Finding; readonly wayOut: string }[];
}

const RESTORE =
  'the right bytes are not here: copy this object from a backup, an archive or a mirror into the tree, and run fsck again';
const DECIDE =
  'nobody can prove which side is right: see docs/operations/expiry.md, "When fsck is not clean"';
const WAYS_OUT: Readonly<Partial<Record<FindingCode, string>>> = {
  NO_REPOSITORY: 'hold a ceremony, or start rind serve once',
  METADATA_MISSING: RESTORE,
  METADATA_INVALID: RESTORE,
  METADATA_EXPIRED: 'the publisher renews what is online when it runs; offline roles need a ceremony',
  TARGET_MISSING: RESTORE,
  TARGET_CHANGED: RESTORE,
  COPY_MISSING: RESTORE,
  COPY_CHANGED: RESTORE,
};

/**
 * Mends what the database, the other copy of an object, or the deterministic signature of an online key proves: nothing is invented, and nothing
 * is signed that was not signed before, except by the next publication from the rows of projects. The caller holds the store lock: no publisher
 * may run. One entry in the audit log for each repair.
 */
export async function repair(options: RepairOptions, findings: readonly Finding[]): Promise<RepairReport> {
  const run = new RepairRun(options);
  const repaired: Repaired[] = [];
  const left: { finding: Finding; wayOut: string }[] = [];
  // Metadata first: what is signed decides about the rest.
  const order = [...findings].toSorted((a, b) => rank(a) - rank(b));
  for (const finding of order) {
    if (finding.severity === 'notice') continue;
    const action = await run.mend(finding);
    if (action === undefined) left.push({ finding, wayOut: WAYS_OUT[finding.code] ?? DECIDE });
    else repaired.push({ finding, action });
  }
  return { repaired, left };
}

function rank({ code, role }: Finding): number {
  if (!code.startsWith('METADATA')) return 3;
  // A snapshot is made of what the bins are, a timestamp of the snapshot.
  return role === 'timestamp' ? 2 : role === 'snapshot' ? 1 : 0;
}

class RepairRun {
  readonly #options: RepairOptions;
  readonly #tree: ServedTree;
  readonly #metadata: MetadataRepair;
  readonly #rendered = new Set<number>();

  constructor(options: RepairOptions) {
    this.#options = options;
    this.#tree = new ServedTree(options.index.name);
    this.#metadata = new MetadataRepair(options, this.#tree);
  }

  /** What was done, undefined when nothing could be. */
  async mend(finding: Finding): Promise<string | undefined> {
    switch (finding.code) {
      case 'METADATA_MISSING':
      case 'METADATA_INVALID':
      case 'METADATA_DIFFERS':
      case 'EQUIVOCATION':
        return this.#mendMetadata(finding);
      case 'TARGET_MISSING':
      case 'TARGET_CHANGED':
      case 'COPY_MISSING':
      case 'COPY_CHANGED':
        return this.#mendObject(finding);
      case 'TARGET_DIFFERS':
        return this.#mendTargetRow(finding);
      case 'FILE_NOT_SIGNED':
      case 'PAGE_DIFFERS':
        return this.#publishAgain(finding);
      default:
        return undefined;
    }
  }

  async #mendMetadata(finding: Finding): Promise<string | undefined> {
    const { role } = finding;
    if (role === undefined) return undefined;
    if (finding.code === 'METADATA_DIFFERS' && (await this.#mendRoleRow(finding)))
      return 'the row of the role follows what was published';
    const key = await this.#metadata.recreate(role);
    if (key === undefined) return undefined;
    await this.#audit(finding, 'signed again, the same bytes');
    return 'signed again, byte for byte as it was published';
  }

  /** The public version was reserved with these very bytes by a publication that was published: only the row is behind. */
  async #mendRoleRow(finding: Finding): Promise<boolean> {
    const { db, store, index } = this.#options;
    const { role = '', version = 0 } = finding;
    const key = this.#tree.metadata(role, role === 'timestamp' ? undefined : version);
    const reserved = await findRoleVersion(db, index.id, role, version);
    const stored = await digestObject(store, key);
    if (reserved === undefined || reserved.sha256 !== stored?.sha256) return false;
    await writeTransaction(db, async (tx) => {
      const publication = await tx
        .selectFrom('publications')
        .selectAll()
        .where('id', '=', reserved.publication_id)
        .executeTakeFirst();
      const { sha256, length, expires_at } = reserved;
      const signed_at = publication?.created_at ?? this.#now().toISOString();
      const row = { version, sha256, length, signed_at, expires_at };
      await tx
        .insertInto('roles')
        .values({ index_id: index.id, role, ...row })
        .onConflict((conflict) => conflict.columns(['index_id', 'role']).doUpdateSet(row))
        .execute();
      await this.#appendAudit(tx, finding, 'row of the role mended');
    });
    return true;
  }

  /** A file, a page or core metadata: from its other name, or a page from the rows. */
  async #mendObject(finding: Finding): Promise<string | undefined> {
    const { store } = this.#options;
    const parsed = parseIndexPath((finding.path ?? '').slice(this.#tree.prefix.length));
    const content = parsed === undefined ? undefined : await this.#contentOf(parsed);
    if (parsed === undefined || content === undefined) return undefined;
    const names = [content.nameSha256, ...(parsed.otherHash === undefined ? [] : [parsed.otherHash])];
    const keys = [
      ...names.map((hash) => this.#tree.hashed(content.path, hash)),
      this.#tree.plain(content.path),
    ];
    const isGood = async (key: string) => (await digestObject(store, key))?.sha256 === content.sha256;
    const bad: string[] = [];
    for (const key of keys) if (!(await isGood(key))) bad.push(key);
    if (bad.length === 0) return 'was mended with its other name';
    const page = await this.#renderedPage(parsed, content);
    if (page !== undefined) {
      for (const key of bad) await store.put(key, page);
      await this.#audit(finding, 'rendered again, the same bytes');
      return 'rendered again, byte for byte as it is signed';
    }
    const good = keys.find((key) => !bad.includes(key));
    if (good === undefined) return undefined;
    for (const key of bad) {
      await store.remove(key);
      await store.copy(good, key);
    }
    await this.#audit(finding, 'copied from its other name');
    return `copied from ${good}`;
  }

  /** What must stand under both names of a path. `nameSha256`: the hash in the name, which for core metadata is that of its file. */
  async #contentOf(
    parsed: IndexPath,
  ): Promise<{ readonly path: string; readonly sha256: string; readonly nameSha256: string } | undefined> {
    const { db, index } = this.#options;
    if (parsed.kind === 'metadata') {
      const file = (await findFiles(db, index.id, [parsed.filename])).get(parsed.filename);
      if (file === undefined || file.metadata_sha256 === null) return undefined;
      const path = metadataSidecarPath(parsed.project, parsed.filename);
      return { path, sha256: file.metadata_sha256, nameSha256: file.sha256 };
    }
    const path =
      parsed.kind === 'file'
        ? packagePath(parsed.project, parsed.filename)
        : `simple/${parsed.project}/${parsed.kind === 'simple-json' ? 'index.json' : 'index.html'}`;
    const target = await findTarget(db, index.id, path);
    return target && { path, sha256: target.sha256, nameSha256: target.sha256 };
  }

  async #renderedPage(
    { kind, project }: IndexPath,
    content: { readonly path: string; readonly sha256: string },
  ): Promise<Uint8Array | undefined> {
    if (kind !== 'simple-json' && kind !== 'simple-html') return undefined;
    const bytes = (await this.#pagesOf(project)).get(content.path);
    return bytes !== undefined && sha256Hex(bytes) === content.sha256 ? bytes : undefined;
  }

  async #pagesOf(project: string): Promise<ReadonlyMap<string, Uint8Array>> {
    const { db, index } = this.#options;
    const row = await findProject(db, index.id, project);
    const [state] = row === undefined ? [] : await pageStates(db, [row.id]);
    return state === undefined ? new Map<string, Uint8Array>() : projectTargets(state).pages;
  }

  /** Signed and rightly so, then the row follows; not signed, then the row goes and the publisher looks at the project again. */
  async #mendTargetRow(finding: Finding): Promise<string | undefined> {
    const { db, store, index } = this.#options;
    const { path = '', role = '' } = finding;
    const parsed = parseIndexPath(path);
    const listed = await this.#metadata.readPublic(role);
    if (parsed === undefined || parsed.kind === 'metadata' || listed === undefined) return undefined;
    const signed = Metadata.fromBytes(listed, 'targets').signed.targets.get(path);
    if (signed === undefined) {
      await writeTransaction(db, (tx) => deleteTarget(tx, index.id, path));
      return this.#publishAgain(finding);
    }
    const sha256 = signed.hashes.get('sha256') ?? '';
    const { length } = signed;
    const file =
      parsed.kind === 'file'
        ? (await findFiles(db, index.id, [parsed.filename])).get(parsed.filename)
        : undefined;
    const isUploaded = file?.sha256 === sha256 && file.length === length && file.removed_at === null;
    const page = (await this.#pagesOf(parsed.project)).get(path);
    const isRight = isUploaded || (page !== undefined && sha256Hex(page) === sha256);
    if (!isRight || (await digestObject(store, this.#tree.hashed(path, sha256)))?.sha256 !== sha256)
      return undefined;
    await writeTransaction(db, async (tx) => {
      const isClaimed = parseProjectRoleName(role) !== undefined;
      await deleteTarget(tx, index.id, path);
      await putTargets(tx, index.id, [{ path, length, sha256, isClaimed }]);
      await this.#appendAudit(tx, finding, 'row of the target mended');
    });
    return 'the row of the target follows what is signed';
  }

  /** The rows of a project are ahead of what is signed, and no change waits that says so. */
  async #publishAgain(finding: Finding): Promise<string | undefined> {
    const { db, index } = this.#options;
    const name = parseIndexPath(finding.path ?? '')?.project;
    const project = name === undefined ? undefined : await findProject(db, index.id, name);
    if (project === undefined) return undefined;
    if (!this.#rendered.has(project.id)) {
      this.#rendered.add(project.id);
      await writeTransaction(db, async (tx) => {
        const now = this.#now();
        await appendJournal(tx, {
          indexId: index.id,
          projectId: project.id,
          kind: 'render',
          detail: {},
          now,
        });
        await this.#appendAudit(tx, finding, 'given to the publisher again');
      });
    }
    return 'given to the publisher again';
  }

  #now(): Date {
    return this.#options.clock?.() ?? new Date();
  }

  #audit(finding: Finding, action: string): Promise<void> {
    return writeTransaction(this.#options.db, (tx) => this.#appendAudit(tx, finding, action));
  }

  #appendAudit(tx: Executor, { code, path, role }: Finding, action: string): Promise<void> {
    const { index, actor } = this.#options;
    const subject = path ?? role ?? '';
    return appendAudit(tx, {
      indexId: index.id,
      at: this.#now(),
      actor,
      action: 'fsck.repair',
      subject,
      detail: { code, action },
    });
  }
}
