import { encodeHex } from '../tuf/hex.ts';
import { metadataFileName } from '../tuf/layout.ts';
import { Metadata } from '../tuf/metadata.ts';
import type { Root } from '../tuf/root.ts';
import { sha256 } from '../tuf/sha256.ts';
import type { Signed } from '../tuf/signed.ts';
import { ROLE_NAME_FIELD, Targets } from '../tuf/targets.ts';
import { CeremonyError } from './errors.ts';
import type { BaseVersion } from './candidate.ts';
import { OFFLINE_ROLES, type OfflineRoleName } from './plan.ts';

/** The offline roles as they are public: every root that is known, the newest last, and what it trusts. */
export interface CurrentRoles {
  readonly roots: readonly Metadata<Root>[];
  readonly root: Metadata<Root>;
  readonly targets: Metadata<Targets>;
  readonly claimed: Metadata<Targets>;
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
    return { roots, root, targets, claimed: absent('claimed'), bins: absent('bins') };
  }
  const claimed = newest(files, 'claimed');
  const bins = newest(files, 'bins');
  await requireSigned('claimed', targets.signed.verifyDelegate('claimed', claimed));
  await requireSigned('bins', targets.signed.verifyDelegate('bins', bins));
  return { roots, root, targets, claimed, bins };
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
  bins,
}: CurrentRoles): ReadonlyMap<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  for (const root of roots) files.set(metadataFileName('root', root.signed.version), root.toBytes());
  for (const [role, metadata] of Object.entries({ targets, claimed, bins }))
    if (metadata.signatures.length > 0)
      files.set(metadataFileName(role, metadata.signed.version), metadata.toBytes());
  return files;
}

/** What an event made on top of these roles states as its base. */
export function baseVersions(current: CurrentRoles): ReadonlyMap<OfflineRoleName, BaseVersion> {
  return new Map(
    OFFLINE_ROLES.map((role) => [
      role,
      { version: current[role].signed.version, sha256: signedHash(current[role]) },
    ]),
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

function newest(files: ReadonlyMap<string, Uint8Array>, role: OfflineRoleName): Metadata<Targets> {
  let best: { readonly version: number; readonly bytes: Uint8Array } | undefined;
  for (const [name, bytes] of files) {
    const match = /^(?:(\d+)\.)?([a-z]+)\.json$/.exec(name);
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
