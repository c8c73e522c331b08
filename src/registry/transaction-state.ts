import { createHash } from 'node:crypto';
import { ClaimError } from '../claims/errors.ts';
import { wheelsRoleName } from '../claims/names.ts';
import { nextPage } from '../claims/next-page.ts';
import { parseOwnersText } from '../claims/owners-text.ts';
import { pageTargets } from '../claims/page-targets.ts';
import type { SignedTarget } from '../claims/project-role.ts';
import type { ClaimState } from '../claims/transaction.ts';
import type { PublishedFile, SignedTransaction } from '../claims/transaction-form.ts';
import { findClaim, latestSignedRoles } from '../db/claims.ts';
import { pageStates, type PageState } from '../db/files.ts';
import type { ClaimRow, Executor, ProjectRow, SignedRoleRow, StagedFileRow } from '../db/schema.ts';
import { stagedFilesOf } from '../db/staged-files.ts';
import { packagePath } from '../pypi/layout.ts';
import { InvalidPageError, type PageFile } from '../pypi/simple.ts';
import { projectPage } from '../repository/project-targets.ts';
import { Metadata } from '../tuf/metadata.ts';
import type { Targets } from '../tuf/targets.ts';
import { offeredMetadataOf } from './offered-metadata.ts';

/** A project before a transaction, in one snapshot of the database. */
export interface ProjectStanding {
  readonly page: PageState;
  readonly claim: ClaimRow | undefined;
  readonly signed: readonly SignedRoleRow[];
  /** By filename; none that has expired. */
  readonly staged: ReadonlyMap<string, StagedFileRow>;
}

/** What a transaction is measured by. */
export interface TransactionGoal {
  readonly state: ClaimState;
  /** Everything of the project afterwards, by path. */
  readonly expected: ReadonlyMap<string, SignedTarget>;
  readonly builtWheels: ReadonlyMap<string, SignedTarget>;
  /** Every staged file, by name. */
  readonly staged: ReadonlyMap<string, StagedFileRow>;
  /** The staged files that become public, in the transaction's order. */
  readonly published: readonly { readonly staged: StagedFileRow; readonly uploadTime: string }[];
}

/** Call it in a read transaction, or in the one that writes. */
export async function readStanding(
  tx: Executor,
  project: Pick<ProjectRow, 'id' | 'name'>,
  now: Date,
): Promise<ProjectStanding> {
  const [page] = await pageStates(tx, [project.id]);
  if (page === undefined) throw new Error(`The project ${project.name} has no row any more.`);
  const staged = await stagedFilesOf(tx, project.id, now);
  return {
    page,
    claim: await findClaim(tx, project.id),
    signed: await latestSignedRoles(tx, [project.id]),
    staged: new Map(staged.map((file) => [file.filename, file])),
  };
}

/** Equal while nothing of the project changed that a transaction was measured by; staged files may come and go. */
export function standingTag({ page, claim, signed }: ProjectStanding): string {
  const rows = [
    [page.status, page.statusReason ?? null, page.isRemoved],
    page.files.map(({ id, yanked, yanked_reason }) => [id, yanked, yanked_reason]),
    claim === undefined ? null : [claim.state, claim.owners, claim.wished_owners],
    signed.map(({ role, version, sha256 }) => [role, version, sha256]),
  ];
  return createHash('sha256').update(JSON.stringify(rows)).digest('hex');
}

/** Where a project stands, as the checks want it. */
export function claimStateOf({ page, claim, signed }: ProjectStanding): ClaimState {
  const roles = new Map<string, Metadata<Targets>>();
  for (const { role, bytes } of signed) roles.set(role, Metadata.fromBytes(bytes, 'targets', { role }));
  return {
    project: page.project.name,
    standing: claim?.state ?? 'unclaimed',
    owners: claim === undefined ? undefined : parseOwnersText(claim.owners),
    roles,
  };
}

/**
 * What there will be after a transaction, by the same functions that developers use.
 * @throws {ClaimError} FILES
 */
export function goalOf(standing: ProjectStanding, transaction: SignedTransaction): TransactionGoal {
  const { page, staged } = standing;
  const { name } = page.project;
  const state = claimStateOf(standing);
  const published = transaction.files.map((file) => ({
    staged: stagedFile(staged, file),
    uploadTime: file.uploadTime,
  }));
  const files = published.map(({ staged: row, uploadTime }) => stagedPageFile(row, uploadTime));
  const expected = makingPage(() => {
    const next = nextPage(projectPage(page), files, transaction.changes);
    return pageTargets(next).targets;
  });
  return { state, expected, builtWheels: builtWheels(name, state, staged), staged, published };
}

/** A staged file as a page will list it. */
export function stagedPageFile(row: StagedFileRow, uploadTime: string): PageFile {
  const { metadata_sha256: offered } = offeredMetadataOf(row);
  return {
    filename: row.filename,
    version: row.version,
    sha256: row.sha256,
    size: row.length,
    uploadTime,
    ...(row.requires_python === null ? {} : { requiresPython: row.requires_python }),
    ...(offered === null ? {} : { coreMetadataSha256: offered }),
    ...(row.provenance_url === null ? {} : { provenance: row.provenance_url }),
  };
}

function stagedFile(
  staged: ReadonlyMap<string, StagedFileRow>,
  { filename, sha256 }: PublishedFile,
): StagedFileRow {
  const row = staged.get(filename);
  if (row === undefined) {
    throw new ClaimError('FILES', `${filename} is not staged: upload it first, then sign.`, {
      path: filename,
    });
  }
  if (row.sha256 === sha256) return row;
  throw new ClaimError('FILES', `${filename} is staged with sha256 ${row.sha256}, not ${sha256}.`, {
    path: filename,
  });
}

/** What a builder may list before it stands on the page: staged wheels, and those listed already. */
function builtWheels(
  project: string,
  { roles }: ClaimState,
  staged: ReadonlyMap<string, StagedFileRow>,
): ReadonlyMap<string, SignedTarget> {
  const wheels = new Map<string, SignedTarget>();
  for (const [path, { length, hashes }] of roles.get(wheelsRoleName(project))?.signed.targets ?? [])
    wheels.set(path, { length, sha256: hashes.get('sha256') ?? '' });
  for (const { filename, length, sha256 } of staged.values())
    if (filename.endsWith('.whl')) wheels.set(packagePath(project, filename), { length, sha256 });
  return wheels;
}

function makingPage<Result>(make: () => Result): Result {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof InvalidPageError)) throw error;
    throw new ClaimError('FILES', `The page of the project could not be made: ${error.message}`, {
      cause: error,
    });
  }
}
