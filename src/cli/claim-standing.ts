import { ClaimError } from '../claims/errors.ts';
import { projectRoleName } from '../claims/names.ts';
import { isSameOwners, ownersOf, type Owners } from '../claims/owners.ts';
import { parseOwnersText } from '../claims/owners-text.ts';
import { latestSignedRoles, listClaims, type NamedClaim } from '../db/claims.ts';
import type { ClaimState, Executor, SignedRoleRow } from '../db/schema.ts';
import { readSignedProject } from '../repository/claimed-project.ts';
import { PublicationError } from '../repository/errors.ts';
import { MalformedMetadataError } from '../tuf/errors.ts';
import { Metadata } from '../tuf/metadata.ts';

/** A claimed project as administrators see it. */
export interface ClaimStanding {
  readonly project: string;
  readonly state: ClaimState;
  readonly claimedAt: Date;
  /** When it became 'claimed'. */
  readonly movedAt: Date | undefined;
  /** To whom it is delegated now. */
  readonly owners: Owners;
  /** To whom its owners want it delegated, as they signed it; undefined when nothing that they signed can be read. */
  readonly wished: Owners | undefined;
  /** Whether only the administrators' signature is missing: in recently-claimed, or claimed with other wishes. */
  readonly waits: boolean;
  /** Why it cannot be moved, a sentence; undefined: it can. */
  readonly missing: string | undefined;
  /** When the first of its roles ends. */
  readonly expires: Date | undefined;
}

/** Every claimed project of an index, by name. */
export async function claimStandings(
  db: Executor,
  indexId: number,
  now: Date,
): Promise<readonly ClaimStanding[]> {
  const claims = await listClaims(db, indexId);
  const roles = new Map<number, SignedRoleRow[]>();
  for (const row of await latestSignedRoles(
    db,
    claims.map(({ project_id }) => project_id),
  )) {
    const list = roles.get(row.project_id);
    if (list === undefined) roles.set(row.project_id, [row]);
    else list.push(row);
  }
  return Promise.all(claims.map((claim) => standingOf(claim, roles.get(claim.project_id) ?? [], now)));
}

async function standingOf(
  claim: NamedClaim,
  rows: readonly SignedRoleRow[],
  now: Date,
): Promise<ClaimStanding> {
  const { project, state, claimed_at, moved_at } = claim;
  const owners = parseOwnersText(claim.owners);
  const ends = rows.map(({ expires_at }) => new Date(expires_at).getTime());
  const expires = ends.length === 0 ? undefined : new Date(Math.min(...ends));
  const common = {
    project,
    state,
    owners,
    expires,
    claimedAt: new Date(claimed_at),
    movedAt: moved_at === null ? undefined : new Date(moved_at),
  };
  try {
    const wished = signedWish(project, rows) ?? owners;
    const waits = state === 'recently-claimed' || !isSameOwners(owners, wished);
    return { ...common, wished, waits, missing: await missingFor(project, wished, rows, expires, now) };
  } catch (error) {
    return { ...common, wished: undefined, waits: true, missing: sentenceOf(error) };
  }
}

/** The wish as the owners signed it: what rows say could be anybody's who has the database. */
function signedWish(project: string, rows: readonly SignedRoleRow[]): Owners | undefined {
  const role = projectRoleName(project);
  const row = rows.find((one) => one.role === role);
  return row === undefined ? undefined : ownersOf(Metadata.fromBytes(row.bytes, 'targets', { role }).signed);
}

async function missingFor(
  project: string,
  wished: Owners,
  rows: readonly SignedRoleRow[],
  expires: Date | undefined,
  now: Date,
): Promise<string | undefined> {
  if (expires !== undefined && expires <= now)
    return `What its owners signed expired on ${expires.toISOString().slice(0, 10)}: rind sign ${project} --renew.`;
  try {
    await readSignedProject(project, wished, rows);
    return undefined;
  } catch (error) {
    return `${sentenceOf(error)} Its owners sign it anew, all ${wished.threshold} of them that it is to need: rind sign ${project} --renew.`;
  }
}

function sentenceOf(error: unknown): string {
  const isExpected =
    error instanceof PublicationError ||
    error instanceof ClaimError ||
    error instanceof MalformedMetadataError;
  if (!isExpected) throw error;
  return error.message;
}
