import { findClaim, setStaging } from '../db/claims.ts';
import { appendAudit } from '../db/audit.ts';
import type { ClaimRow, Executor, ProjectRow } from '../db/schema.ts';
import { writeTransaction } from '../db/transactions.ts';
import { authorize } from './authorize.ts';
import { RegistryError } from './errors.ts';
import type { ChangeContext } from './project-change.ts';
import { actorOf, type Principal } from './principal.ts';

/**
 * Refuses what would change the page of a project whose owners sign it themselves (PEP 480): the index cannot sign it for them.
 *
 * @throws RegistryError CLAIMED_PROJECT
 */
export async function requireUnclaimed(
  db: Executor,
  project: Pick<ProjectRow, 'id' | 'name'>,
): Promise<void> {
  if ((await findClaim(db, project.id)) !== undefined) throw claimedProject(project.name);
}

/** What happens to a claimed project is signed on its owners' machines. */
export function claimedProject(name: string): RegistryError {
  return new RegistryError(
    'CLAIMED_PROJECT',
    `The project '${name}' is claimed, so only its owners' keys change it: rind publish for files, rind amend for yanks, removals and the status; an administrator can withhold files with rind takedown.`,
    { project: name },
  );
}

/** An upload to a claimed project that keeps none for its owners. The beginning is what fits into one line of a terminal. */
export function unsignedUpload(name: string): RegistryError {
  return new RegistryError(
    'CLAIMED_PROJECT',
    `The project '${name}' is claimed: its releases are signed by its owners. Publish with rind publish and your key, or ask an owner to switch staging on (rind staging ${name} on), then uploads wait for rind sign.`,
    { project: name },
  );
}

/** Whether uploads without signatures are kept for the owners. @throws RegistryError CONFLICT, NOT_PERMITTED */
export async function switchStaging(
  { db, index, clock }: ChangeContext,
  principal: Principal,
  project: ProjectRow,
  isOn: boolean,
): Promise<void> {
  await writeTransaction(db, async (tx) => {
    await authorize(tx, principal, 'own', { index, project });
    const claim = await findClaim(tx, project.id);
    if (claim === undefined) {
      throw new RegistryError(
        'CONFLICT',
        `The project '${project.name}' is not claimed: what is uploaded to it is public at once. Claim it first: rind claim ${project.name}.`,
        { project: project.name },
      );
    }
    if (isStaging(claim) === isOn) return;
    await setStaging(tx, project.id, isOn);
    await appendAudit(tx, {
      indexId: index.id,
      at: clock(),
      actor: actorOf(principal),
      action: 'claim.staging',
      subject: project.name,
      detail: { on: isOn },
    });
  });
}

export function isStaging(claim: Pick<ClaimRow, 'staging'>): boolean {
  return claim.staging === 1;
}
