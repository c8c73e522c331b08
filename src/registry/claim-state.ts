import { waitingSummary } from '../db/journal.ts';
import type { Executor, ProjectRow, ClaimState } from '../db/schema.ts';
import { findClaim, latestSignedRoles } from '../db/claims.ts';
import { PAGE_FORMAT_VERSION } from '../pypi/simple.ts';
import { isStaging } from './claimed-projects.ts';

/** What whoever signs for a project has to know beside its verified metadata. */
export interface ClaimDescription {
  readonly project: string;
  readonly displayName: string;
  readonly state: 'unclaimed' | ClaimState;
  /** The keys that the project is delegated to, as in signed metadata (claims/owners.ts). */
  readonly owners: unknown;
  /** The keys that its owners want in the delegation. */
  readonly wishedOwners: unknown;
  /** The version of each of its roles that the next one builds on. */
  readonly roles: Readonly<Record<string, number>>;
  readonly staging: boolean;
  /** The version of the function that makes pages. */
  readonly pageFormat: number;
  readonly status: string;
  readonly statusReason: string | null;
  readonly claimedAt: string | null;
  readonly movedAt: string | null;
  /** A change is on its way to be public. */
  readonly waiting: boolean;
}

/** Where a project stands (PEP 480). */
export async function describeClaim(
  { db, index }: { readonly db: Executor; readonly index: { readonly id: number } },
  project: ProjectRow,
): Promise<ClaimDescription> {
  const [claim, signed, waiting] = await Promise.all([
    findClaim(db, project.id),
    latestSignedRoles(db, [project.id]),
    waitingSummary(db, index.id),
  ]);
  return {
    project: project.name,
    displayName: project.display_name,
    state: claim?.state ?? 'unclaimed',
    owners: claim === undefined ? null : (JSON.parse(claim.owners) as unknown),
    wishedOwners: claim === undefined ? null : (JSON.parse(claim.wished_owners) as unknown),
    roles: Object.fromEntries(signed.map(({ role, version }) => [role, version])),
    staging: claim !== undefined && isStaging(claim),
    pageFormat: PAGE_FORMAT_VERSION,
    status: project.status,
    statusReason: project.status_reason,
    claimedAt: claim?.claimed_at ?? null,
    movedAt: claim?.moved_at ?? null,
    waiting: waiting.projectIds.has(project.id),
  };
}
