import type { TufCrypto } from '../tuf/crypto.ts';
import { defaultCrypto } from '../tuf/default-crypto.ts';
import { MalformedMetadataError } from '../tuf/errors.ts';
import { Metadata } from '../tuf/metadata.ts';
import { ROLE_NAME_FIELD, type Targets } from '../tuf/targets.ts';
import { ClaimError } from './errors.ts';
import { projectRoleName } from './names.ts';
import { isSameOwners, ownersOf, type Owners } from './owners.ts';
import { requireOwnDelegations, requireOwnTargets, requireTargets } from './project-content.ts';
import type { ExpectedTargets } from './project-content.ts';
import { requireSignatures } from './project-signatures.ts';
import type { SignedTransaction } from './transaction-form.ts';

/** Where a project stands (PEP 480). */
export type ClaimStanding = 'unclaimed' | 'recently-claimed' | 'claimed';

/** What the index knows of a project before a transaction. */
export interface ClaimState {
  readonly project: string;
  readonly standing: ClaimStanding;
  /** Whom claimed or recently-claimed delegates the project to now; undefined while it is unclaimed. */
  readonly owners: Owners | undefined;
  /** The metadata of its roles that is public now, by role. */
  readonly roles: ReadonlyMap<string, Metadata<Targets>>;
}

/** What a transaction is checked against. */
export interface TransactionCheck extends ExpectedTargets {
  readonly state: ClaimState;
  readonly transaction: SignedTransaction;
  readonly now: Date;
  /** A proposal: signed by some of the owners, not yet by enough of them. */
  readonly allowsPartial?: boolean | undefined;
  readonly crypto?: TufCrypto | undefined;
}

/** A role that passed every check. */
export interface CheckedRole {
  readonly role: string;
  readonly metadata: Metadata<Targets>;
  readonly bytes: Uint8Array;
}

/** How many keys have signed a role, and how many must. */
export interface SignatureCount {
  readonly role: string;
  readonly have: number;
  readonly need: number;
}

/** What comes of a transaction that passed. */
export interface CheckedTransaction {
  readonly roles: readonly CheckedRole[];
  /** Whom the owners want in the delegation. */
  readonly owners: Owners;
  /** Whether these are others than those whom the owners named last. */
  readonly changesOwners: boolean;
  /** Empty unless it is a proposal. */
  readonly missing: readonly SignatureCount[];
}

const DAY = 86_400_000;
/** The longest lifetime of a project's role, in milliseconds. */
export const LONGEST_LIFETIME = 400 * DAY;
/** How far the time of an upload may be from the index's clock, in milliseconds. */
export const MOST_UPLOAD_SKEW = 600_000;

/**
 * The index's checks of what developers sign (PEP 480; D8): enough registered keys, valid signatures, not expired, the very files and pages
 * that there will be, no delegation and no target outside the project. Nothing is stored before all of them passed.
 * @throws {ClaimError}
 */
export async function checkTransaction(check: TransactionCheck): Promise<CheckedTransaction> {
  const { state, transaction, now, crypto = defaultCrypto } = check;
  requireBase(state, transaction);
  const read = readRoles(transaction);
  for (const { role, metadata } of read) {
    requireNextVersion(state, role, metadata);
    requireLifetime(role, metadata, now);
  }
  requireUploadTimes(transaction, now);
  const after = new Map(state.roles);
  for (const { role, metadata } of read) after.set(role, metadata);
  const owned = after.get(projectRoleName(state.project));
  if (owned === undefined) {
    throw new ClaimError(
      'SIGNATURE',
      `${projectRoleName(state.project)} is missing: the first claim of a project signs it.`,
    );
  }
  const owners = wishedOwners(owned);
  requireOwnDelegations(state.project, owned);
  requireOwnTargets(state.project, after);
  requireTargets(state.project, after, check);
  const missing = await requireSignatures(
    { state, read, after, owned, owners, crypto },
    check.allowsPartial === true,
  );
  const before = state.roles.get(projectRoleName(state.project));
  const named = before === undefined ? undefined : ownersOf(before.signed);
  const changesOwners = state.owners === undefined || named === undefined || !isSameOwners(owners, named);
  return { roles: read, owners, changesOwners, missing };
}

function requireBase({ roles }: ClaimState, { base }: SignedTransaction): void {
  const named = new Set([...roles.keys(), ...base.keys()]);
  for (const role of named) {
    const present = roles.get(role)?.signed.version;
    if (present === base.get(role)) continue;
    const found = present === undefined ? 'is not there' : `is version ${present}`;
    throw new ClaimError(
      'BASE_CHANGED',
      `Somebody else changed the project meanwhile: ${role} ${found}, this was made on top of ${base.get(role) ?? 'nothing'}. Fetch it and sign again.`,
      { role },
    );
  }
}

function readRoles({ roles }: SignedTransaction): readonly CheckedRole[] {
  return [...roles].map(([role, bytes]) => {
    const metadata = readRole(role, bytes);
    const { roleName } = metadata.signed;
    if (roleName !== role) {
      throw new ClaimError(
        'MALFORMED',
        `The metadata of ${role} says in ${ROLE_NAME_FIELD} that it is ${roleName ?? 'nobody'}.`,
        { role },
      );
    }
    if (Buffer.compare(metadata.toBytes(), bytes) !== 0) {
      throw new ClaimError('MALFORMED', `The metadata of ${role} is not canonical JSON.`, { role });
    }
    return { role, metadata, bytes };
  });
}

/** The metadata of a role as somebody sent it, not verified. @throws {ClaimError} MALFORMED */
export function readRole(role: string, bytes: Uint8Array): Metadata<Targets> {
  try {
    return Metadata.fromBytes(bytes, 'targets', { role });
  } catch (cause) {
    if (!(cause instanceof MalformedMetadataError)) throw cause;
    throw new ClaimError('MALFORMED', `The metadata of ${role} cannot be read: ${cause.reason}.`, {
      role,
      cause,
    });
  }
}

function requireNextVersion({ roles }: ClaimState, role: string, { signed }: Metadata<Targets>): void {
  const next = (roles.get(role)?.signed.version ?? 0) + 1;
  if (signed.version === next) return;
  throw new ClaimError('VERSION', `${role} has version ${signed.version}, the next one is ${next}.`, {
    role,
  });
}

function requireLifetime(role: string, { signed }: Metadata<Targets>, now: Date): void {
  if (signed.isExpired(now)) throw new ClaimError('EXPIRY', `${role} is expired already.`, { role });
  if (signed.expires.getTime() - now.getTime() <= LONGEST_LIFETIME) return;
  throw new ClaimError(
    'EXPIRY',
    `${role} would be valid for more than ${LONGEST_LIFETIME / DAY} days, which is the most that this index takes.`,
    { role },
  );
}

function requireUploadTimes({ files }: SignedTransaction, now: Date): void {
  for (const { filename, uploadTime } of files) {
    const skew = Math.abs(Date.parse(uploadTime) - now.getTime());
    if (skew <= MOST_UPLOAD_SKEW) continue;
    throw new ClaimError(
      'UPLOAD_TIME',
      `The upload time of ${filename}, ${uploadTime}, is off by ${Math.round(skew / 60_000)} minutes; at most ${MOST_UPLOAD_SKEW / 60_000} are taken. Check the clock of your machine.`,
      { path: filename },
    );
  }
}

function wishedOwners({ signed }: Metadata<Targets>): Owners {
  let owners: Owners | undefined;
  try {
    owners = ownersOf(signed);
  } catch (cause) {
    if (!(cause instanceof MalformedMetadataError)) throw cause;
    throw new ClaimError(
      'OWNERS',
      `The owners in ${signed.roleName ?? 'the metadata'} cannot be read: ${cause.message}.`,
      { role: signed.roleName, cause },
    );
  }
  if (owners === undefined)
    throw new ClaimError('OWNERS', `${signed.roleName ?? 'The metadata'} names no owners.`, {
      role: signed.roleName,
    });
  return owners;
}
