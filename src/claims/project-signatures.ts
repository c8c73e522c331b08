import type { TufCrypto } from '../tuf/crypto.ts';
import type { Key } from '../tuf/key.ts';
import type { Metadata } from '../tuf/metadata.ts';
import type { Targets } from '../tuf/targets.ts';
import { verifySignatures } from '../tuf/verification.ts';
import { ClaimError } from './errors.ts';
import { projectRoleName } from './names.ts';
import { isSameOwners, ownersOf, withThresholdOne, type Owners } from './owners.ts';
import { delegatedOwners } from './project-role.ts';
import type { CheckedRole, ClaimState, SignatureCount } from './transaction.ts';

/** A transaction as it is read, and what comes of it. */
export interface SignatureCheck {
  readonly state: ClaimState;
  readonly read: readonly CheckedRole[];
  /** Every role of the project as it will be. */
  readonly after: ReadonlyMap<string, Metadata<Targets>>;
  readonly owned: Metadata<Targets>;
  /** Those that the new metadata wishes. */
  readonly owners: Owners;
  readonly crypto: TufCrypto;
}

/**
 * Enough of the right keys have signed each role, and nobody else has. Returns where signatures are missing, which is nowhere unless `allowsPartial`.
 * @throws {ClaimError} SIGNATURE, THRESHOLD, OWNERS, DELEGATION
 */
export async function requireSignatures(
  check: SignatureCheck,
  allowsPartial: boolean,
): Promise<readonly SignatureCount[]> {
  const { state, after, owned, owners, crypto } = check;
  const missing: SignatureCount[] = [];
  for (const { role, metadata } of signedRoles(check)) {
    const isProject = role === projectRoleName(state.project);
    const groups = isProject ? ownerGroups(state, owners, allowsPartial) : [requireDelegated(owned, role)];
    const allowed = keysOf(isProject ? [...groups, owners] : groups);
    await requireOnlyThese(role, metadata, allowed, crypto);
    for (const group of groups) {
      const have = await countOf(group, metadata, crypto);
      if (have < group.threshold) missing.push({ role, have, need: group.threshold });
    }
  }
  for (const role of owned.signed.delegations?.roles?.keys() ?? []) {
    if (after.has(role)) continue;
    throw new ClaimError(
      'DELEGATION',
      `${projectRoleName(state.project)} delegates to ${role}, which nobody has signed yet: clients would fail. Sign it in the same transaction, if only as an empty list.`,
      { role },
    );
  }
  const [first] = missing;
  if (first === undefined) {
    await requireVouched(check);
    return missing;
  }
  if (allowsPartial && missing.every(({ have }) => have > 0)) return missing;
  throw new ClaimError(
    'THRESHOLD',
    `${first.role} is signed by ${first.have} of the ${first.need} keys that it needs.`,
    { role: first.role },
  );
}

/** The roles of the transaction, and with a new role of the owners everything that it delegates to, which may have got other keys. */
function signedRoles({
  state,
  read,
  after,
  owned,
}: SignatureCheck): readonly Pick<CheckedRole, 'role' | 'metadata'>[] {
  const isReowned = read.some(({ role }) => role === projectRoleName(state.project));
  const names = new Set(read.map(({ role }) => role));
  if (isReowned) for (const role of owned.signed.delegations?.roles?.keys() ?? []) names.add(role);
  return [...names].flatMap((role) => {
    const metadata = after.get(role);
    return metadata === undefined ? [] : [{ role, metadata }];
  });
}

function requireDelegated({ signed }: Metadata<Targets>, role: string): Owners {
  const owners = delegatedOwners(signed, role);
  if (owners !== undefined) return owners;
  throw new ClaimError('DELEGATION', `${signed.roleName ?? 'The project'} does not delegate to ${role}.`, {
    role,
  });
}

function keysOf(groups: readonly Owners[]): ReadonlyMap<string, Key> {
  return new Map(groups.flatMap(({ keys }) => keys.map((key) => [key.keyId, key] as const)));
}

/**
 * Who must agree to the owners' role: those whom it is delegated to now, and, of those whom it names, as many as the next delegation asks for.
 * While a claimed project waits for administrators to follow its owners, those whom they named last count too: who was revoked signs nothing
 * alone, though clients would still believe her. A proposal collects all the signatures that the owners wish, also where one would do for now:
 * an administrator can move the project only when they are there.
 */
function ownerGroups(
  { standing, owners: present, roles, project }: ClaimState,
  wished: Owners,
  isProposal: boolean,
): readonly Owners[] {
  if (present === undefined || standing === 'unclaimed') return [withThresholdOne(wished)];
  if (standing !== 'claimed') return [present, isProposal ? wished : withThresholdOne(wished)];
  const last = roles.get(projectRoleName(project));
  const named = last === undefined ? undefined : ownersOf(last.signed);
  return [present, ...(named === undefined || isSameOwners(named, present) ? [] : [named]), wished];
}

/** Each signature is valid and of a key that may sign: what else stands there would only grow. */
async function requireOnlyThese(
  role: string,
  metadata: Metadata<Targets>,
  allowed: ReadonlyMap<string, Key>,
  crypto: TufCrypto,
): Promise<void> {
  for (const { keyId } of metadata.signatures) {
    const key = allowed.get(keyId);
    if (key === undefined)
      throw new ClaimError(
        'SIGNATURE',
        `${role} is signed by the key ${keyId}, which is not one of the project's.`,
        { role, keyId },
      );
    const { verified } = await verifySignatures({ keyIds: [keyId], threshold: 1 }, allowed, metadata, crypto);
    if (!verified)
      throw new ClaimError('SIGNATURE', `The signature of the key ${keyId} under ${role} is not valid.`, {
        role,
        keyId,
      });
  }
}

/** A key comes in only with its own signature: nobody can register a key of somebody else, or one that nobody holds. */
async function requireVouched({ state, owned, owners, crypto }: SignatureCheck): Promise<void> {
  const before = state.roles.get(projectRoleName(state.project));
  const known = [
    ...(state.owners?.keys ?? []),
    ...((before === undefined ? undefined : ownersOf(before.signed))?.keys ?? []),
  ];
  for (const key of owners.keys) {
    if (known.some((other) => other.keyId === key.keyId)) continue;
    const have = await countOf({ keys: [key], threshold: 1 }, owned, crypto);
    if (have === 1) continue;
    throw new ClaimError(
      'OWNERS',
      `The new key ${key.keyId} has not signed: a key comes in with a signature of its own beside that of a present key.`,
      { keyId: key.keyId },
    );
  }
}

/** How many different keys have signed. */
async function countOf(
  { keys, threshold }: Owners,
  metadata: Metadata<Targets>,
  crypto: TufCrypto,
): Promise<number> {
  const byId = new Map(keys.map((key) => [key.keyId, key]));
  const role = { keyIds: [...byId.keys()], threshold };
  const { signed } = await verifySignatures(role, byId, metadata, crypto);
  return new Set([...signed.values()].map((key) => key.publicKey.material)).size;
}
