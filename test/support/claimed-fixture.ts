import { createHash } from 'node:crypto';
import { claimListRole, claimLists, type ClaimedProject } from '../../src/claims/claim-lists.ts';
import { projectRoleName, releaseRoleName, wheelsRoleName } from '../../src/claims/names.ts';
import { withThresholdOne, type Owners } from '../../src/claims/owners.ts';
import { ownersText } from '../../src/claims/owners-text.ts';
import {
  newProjectRole,
  newReleaseRole,
  newWheelsRole,
  type SignedTarget,
} from '../../src/claims/project-role.ts';
import { findClaim, latestSignedRoles, putClaim, putSignedRoles } from '../../src/db/claims.ts';
import { pageStates } from '../../src/db/files.ts';
import { appendJournal } from '../../src/db/journal.ts';
import { submitOfflineBundle } from '../../src/db/offline-bundles.ts';
import { findProject } from '../../src/db/projects.ts';
import { findRole } from '../../src/db/roles.ts';
import type { ClaimState } from '../../src/db/schema.ts';
import { writeTransaction } from '../../src/db/transactions.ts';
import { projectTargets } from '../../src/repository/project-targets.ts';
import { signMetadata, type Metadata } from '../../src/tuf/metadata.ts';
import type { Signer } from '../../src/tuf/signer.ts';
import type { Targets } from '../../src/tuf/targets.ts';
import type { IndexFixture, OfflineParty } from './index-fixture.ts';

/** How developers sign a project. */
export interface Signing {
  readonly owners: readonly Signer[];
  readonly threshold?: number;
  /** Whose keys the owners want; else those that sign. */
  readonly wished?: Owners;
  /** The machines that publish, in place of the owners. */
  readonly release?: readonly Signer[];
  /** A builder of wheels and what it lists. */
  readonly wheels?: {
    readonly signers: readonly Signer[];
    readonly targets: ReadonlyMap<string, SignedTarget>;
  };
  /** In place of what the rows say. */
  readonly targets?: ReadonlyMap<string, SignedTarget>;
  readonly days?: number;
  /** The state that the row says. */
  readonly state?: ClaimState;
}

const DAY = 86_400_000;

export function ownersFor(signers: readonly Signer[], threshold = 1): Owners {
  return { keys: signers.map(({ key }) => key), threshold };
}

/** What a transaction of a project's owners leaves behind, as the server stores it: the claim, the signed roles, the change that waits. */
export async function signProject(
  fixture: Pick<IndexFixture, 'db' | 'index' | 'now'>,
  name: string,
  signing: Signing,
): Promise<number> {
  const { db, index, now } = fixture;
  const row = await findProject(db, index.id, name);
  const projectId = row?.id ?? 0;
  const [state] = await pageStates(db, [projectId]);
  if (state === undefined) throw new Error(`${name} does not exist`);
  const listed = signing.targets ?? projectTargets(state).targets;
  const latest = await latestSignedRoles(db, [projectId]);
  const common = (role: string) => ({
    project: name,
    version: (latest.find((one) => one.role === role)?.version ?? 0) + 1,
    expires: new Date(now.getTime() + (signing.days ?? 300) * DAY),
  });
  const { release, wheels } = signing;
  const owners = signing.wished ?? ownersFor(signing.owners, signing.threshold);
  const signed: { role: string; content: Targets; signers: readonly Signer[] }[] = [];
  const role = projectRoleName(name);
  const content = newProjectRole({
    ...common(role),
    owners,
    ...(release === undefined ? { targets: listed } : { release: ownersFor(release) }),
    ...(wheels === undefined ? {} : { wheels: ownersFor(wheels.signers) }),
  });
  signed.push({ role, content, signers: signing.owners });
  if (release !== undefined) {
    const name_ = releaseRoleName(name);
    signed.push({
      role: name_,
      content: newReleaseRole({ ...common(name_), targets: listed }),
      signers: release,
    });
  }
  if (wheels !== undefined) {
    const name_ = wheelsRoleName(name);
    const one = newWheelsRole({ ...common(name_), targets: wheels.targets });
    signed.push({ role: name_, content: one, signers: wheels.signers });
  }
  const roles = await Promise.all(
    signed.map(async ({ role: name_, content: one, signers }) => ({
      role: name_,
      version: one.version,
      expires: one.expires,
      bytes: (await signMetadata(one, signers)).toBytes(),
    })),
  );
  return writeTransaction(db, async (tx) => {
    const claim = await findClaim(tx, projectId);
    const standing = signing.state ?? claim?.state ?? 'recently-claimed';
    await putClaim(tx, {
      project_id: projectId,
      index_id: index.id,
      state: standing,
      owners:
        standing === 'claimed' ? (claim?.owners ?? ownersText(owners)) : ownersText(withThresholdOne(owners)),
      wished_owners: ownersText(owners),
      claimed_at: claim?.claimed_at ?? now.toISOString(),
      moved_at: claim?.moved_at ?? null,
    });
    const kind = claim === undefined ? 'claim' : 'publish';
    const journalId = await appendJournal(tx, { indexId: index.id, projectId, kind, detail: {}, now });
    await putSignedRoles(tx, { indexId: index.id, projectId, journalId }, roles);
    return journalId;
  });
}

/** The list of claimed projects as the administrators sign it, and the parts it needs, by role. */
export async function signClaimed(
  projects: readonly ClaimedProject[],
  { signers, threshold }: OfflineParty,
  common: { readonly version: number; readonly now: Date },
): Promise<ReadonlyMap<string, Metadata<Targets>>> {
  const { version, now } = common;
  const expires = new Date(now.getTime() + 300 * DAY);
  const signed = new Map<string, Metadata<Targets>>();
  for (const [role, delegations] of claimLists('claimed', projects, ownersFor(signers, threshold)))
    signed.set(role, await signMetadata(claimListRole(role, delegations, { version, expires }), signers));
  return signed;
}

/** The next version of that list as a bundle that waits for the publisher: its event. `change`: other bytes for a role, undefined for none. */
export async function submitClaimed(
  fixture: Pick<IndexFixture, 'db' | 'index' | 'now'>,
  projects: readonly ClaimedProject[],
  party: OfflineParty,
  change: (role: string, bytes: Uint8Array) => Uint8Array | undefined = (_, bytes) => bytes,
): Promise<string> {
  const { db, index, now } = fixture;
  const version = ((await findRole(db, index.id, 'claimed'))?.version ?? 0) + 1;
  const roles = [...(await signClaimed(projects, party, { version, now }))].flatMap(([role, metadata]) => {
    const bytes = change(role, metadata.toBytes());
    return bytes === undefined ? [] : [{ role, version, bytes }];
  });
  const event = `event ${version}`;
  await writeTransaction(db, (tx) => submitOfflineBundle(tx, { indexId: index.id, event, roles, now }));
  return event;
}

export function targetOf(content: string): SignedTarget {
  const bytes = Buffer.from(content);
  return { length: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}
