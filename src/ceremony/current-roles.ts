import { encodeHex } from '../tuf/hex.ts';
import { metadataFileName } from '../tuf/layout.ts';
import { Metadata } from '../tuf/metadata.ts';
import type { Root } from '../tuf/root.ts';
import { sha256 } from '../tuf/sha256.ts';
import type { Signed } from '../tuf/signed.ts';
import { ROLE_NAME_FIELD, Targets } from '../tuf/targets.ts';
import { CeremonyError } from './errors.ts';
import type { BaseVersion } from './candidate.ts';
import { shardNames } from '../claims/claim-lists.ts';
import { OFFLINE_ROLES, type ClaimedListName, type OfflineRoleName, type SignedRoleName } from './plan.ts';

/** A part of claimed that is delegated no more, and its file. */
export interface RetiredPart {
  readonly version: number;
  readonly bytes: Uint8Array;
}

/** The offline roles as they are public: every root that is known, the newest last, and what it trusts. */
export interface CurrentRoles {
  readonly roots: readonly Metadata<Root>[];
  readonly root: Metadata<Root>;
  readonly targets: Metadata<Targets>;
  readonly claimed: Metadata<Targets>;
  /** The parts to which claimed delegates. */
  readonly claimedParts: ReadonlyMap<ClaimedListName, Metadata<Targets>>;
  /** The newest versions of parts that are no longer delegated: a name that comes back goes on from there. Not verified. */
  readonly retiredParts: ReadonlyMap<string, RetiredPart>;
  readonly bins: Metadata<Targets>;
}

/**
 * Reads roots and offline roles from files by name (`7.root.json`, `targets.json` or `3.targets.json`) and verifies the chain: every root by
 * its predecessor and itself, the others by the newest root. Throws TAMPERED, MALFORMED_FILE.
 */
export async function readCurrentRoles(files: ReadonlyMap<string, Uint8Array>): Promise<CurrentRoles> {
  const roots = await readRoots(files);
  const root = roots.at(-1);
  if (root === undefined)
    throw new CeremonyError('MALFORMED_FILE', 'There is no root metadata (N.root.json) among the files.');
  const targets = newest(files, 'targets');
  await requireSigned('targets', root.signed.verifyDelegate('targets', targets));
  const { delegations } = targets.signed;
  if (delegations?.role('bins') === undefined || delegations.role('claimed') === undefined) {
    const absent = (role: OfflineRoleName) => absentRole(role, targets.signed);
    const none = { claimedParts: new Map(), retiredParts: new Map() };
    return { roots, root, targets, claimed: absent('claimed'), ...none, bins: absent('bins') };
  }
  const claimed = newest(files, 'claimed');
  const bins = newest(files, 'bins');
  await requireSigned('claimed', targets.signed.verifyDelegate('claimed', claimed));
  await requireSigned('bins', targets.signed.verifyDelegate('bins', bins));
  const claimedParts = new Map<ClaimedListName, Metadata<Targets>>();
  for (const role of shardNames(claimed.signed)) {
    const part = newest(files, role as ClaimedListName);
    await requireSigned(role, claimed.signed.verifyDelegate(role, part));
    claimedParts.set(role as ClaimedListName, part);
  }
  const retiredParts = retiredVersions(files, claimedParts);
  return { roots, root, targets, claimed, claimedParts, retiredParts, bins };
}

/** The version of a role that is public; 0 when it never was. */
export function versionOf(current: CurrentRoles | undefined, role: SignedRoleName): number {
  if (current === undefined) return 0;
  return currentRole(current, role)?.signed.version ?? current.retiredParts.get(role)?.version ?? 0;
}

/** A role as it is public; undefined for a part of claimed that is not. */
export function currentRole(
  current: CurrentRoles,
  role: SignedRoleName,
): Metadata<Root> | Metadata<Targets> | undefined {
  return isFixed(role) ? current[role] : current.claimedParts.get(role);
}

function isFixed(role: SignedRoleName): role is OfflineRoleName {
  return (OFFLINE_ROLES as readonly string[]).includes(role);
}

/** Only numbers are taken from them, which can do nothing but leave versions out. */
function retiredVersions(
  files: ReadonlyMap<string, Uint8Array>,
  present: ReadonlyMap<string, unknown>,
): ReadonlyMap<string, RetiredPart> {
  const retired = new Map<string, RetiredPart>();
  for (const [name, bytes] of files) {
    const [, version, role = ''] = /^([1-9][0-9]{0,14})\.(claimed-[a-z0-9-]+)\.json$/.exec(name) ?? [];
    if (version === undefined || present.has(role)) continue;
    if (Number(version) > (retired.get(role)?.version ?? 0))
      retired.set(role, { version: Number(version), bytes });
  }
  return retired;
}

/** Whether these are roles of a repository that Rind did not make, which has no claimed and no bins: one that is adopted. */
export function isForeignRepository({ bins }: CurrentRoles): boolean {
  return bins.signatures.length === 0;
}

/** What stands for a role that a repository does not have: version 1, empty, signed by nobody, the same every time. */
function absentRole(role: OfflineRoleName, { expires }: Targets): Metadata<Targets> {
  const unrecognizedFields = new Map([[ROLE_NAME_FIELD, role]]);
  return Metadata.unsigned(new Targets({ version: 1, expires, targets: new Map(), unrecognizedFields }));
}

/** The current roles as the files that {@link readCurrentRoles} reads. */
export function currentRoleFiles({
  roots,
  targets,
  claimed,
  claimedParts,
  retiredParts,
  bins,
}: CurrentRoles): ReadonlyMap<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  for (const root of roots) files.set(metadataFileName('root', root.signed.version), root.toBytes());
  for (const [role, metadata] of [...Object.entries({ targets, claimed, bins }), ...claimedParts])
    if (metadata.signatures.length > 0)
      files.set(metadataFileName(role, metadata.signed.version), metadata.toBytes());
  for (const [role, { version, bytes }] of retiredParts) files.set(metadataFileName(role, version), bytes);
  return files;
}

/** What an event made on top of these roles states as its base. */
export function baseVersions(current: CurrentRoles): ReadonlyMap<SignedRoleName, BaseVersion> {
  const all: readonly (readonly [SignedRoleName, Metadata<Signed>])[] = [
    ...OFFLINE_ROLES.map((role) => [role, current[role]] as const),
    ...current.claimedParts,
  ];
  return new Map(
    all.map(([role, metadata]) => [role, { version: metadata.signed.version, sha256: signedHash(metadata) }]),
  );
}

/** sha256 of the signed part, lower-case hex: what a version is, whoever signed it. */
export function signedHash(metadata: Metadata<Signed>): string {
  return encodeHex(sha256(metadata.signedBytes));
}

async function readRoots(files: ReadonlyMap<string, Uint8Array>): Promise<readonly Metadata<Root>[]> {
  const roots = [...files]
    .filter(([name]) => /^\d+\.root\.json$/.test(name))
    .map(([, bytes]) => Metadata.fromBytes(bytes, 'root'))
    .toSorted((a, b) => a.signed.version - b.signed.version);
  for (const [index, root] of roots.entries()) {
    const role = `root version ${root.signed.version}`;
    await requireSigned(role, root.signed.verifyDelegate('root', root));
    const previous = roots[index - 1];
    if (previous === undefined) continue;
    if (root.signed.version !== previous.signed.version + 1)
      throw new CeremonyError(
        'MALFORMED_FILE',
        `Root version ${previous.signed.version + 1} is missing among the files.`,
      );
    await requireSigned(role, previous.signed.verifyDelegate('root', root));
  }
  return roots;
}

function newest(files: ReadonlyMap<string, Uint8Array>, role: SignedRoleName): Metadata<Targets> {
  let best: { readonly version: number; readonly bytes: Uint8Array } | undefined;
  for (const [name, bytes] of files) {
    const match = /^(?:(\d+)\.)?([a-z][a-z0-9-]*)\.json$/.exec(name);
    const version = Number(match?.[1] ?? 0);
    if (match?.[2] === role && (best === undefined || version > best.version)) best = { version, bytes };
  }
  if (best === undefined)
    throw new CeremonyError('MALFORMED_FILE', `The metadata of ${role} is missing among the files.`);
  return Metadata.fromBytes(best.bytes, 'targets', { role });
}

async function requireSigned(role: string, result: Promise<{ readonly verified: boolean }>): Promise<void> {
  if ((await result).verified) return;
  throw new CeremonyError(
    'TAMPERED',
    `The current ${role} is not signed by a threshold of the keys that it needs; get a true copy of it.`,
  );
}
