import { packagePath } from '../pypi/layout.ts';
import { projectRoleName, releaseRoleName, wheelsRoleName } from '../claims/names.ts';
import { ownersOf } from '../claims/owners.ts';
import { delegatedOwners, newWheelsRole, type SignedTarget } from '../claims/project-role.ts';
import type { SignedTransaction } from '../claims/transaction-form.ts';
import { signMetadata } from '../tuf/metadata.ts';
import type { Signer } from '../tuf/signer.ts';
import { CliError } from './cli-error.ts';
import type { LocalDistribution } from './local-distribution.ts';
import { SIGNATURE_LIFETIME } from './signed-change.ts';
import type { VerifiedProject } from './verified-project.ts';

type Present = Pick<VerifiedProject, 'page' | 'roles'>;

/** Whether a key signs wheels of the project and nothing else: that of a builder (PEP 480, appendix A). */
export function isBuilder({ page, roles }: Present, keyId: string): boolean {
  const owned = roles.get(projectRoleName(page.name));
  if (owned === undefined) return false;
  const has = (role: string) =>
    delegatedOwners(owned, role)?.keys.some((key) => key.keyId === keyId) === true;
  const isOwner = ownersOf(owned)?.keys.some((key) => key.keyId === keyId) === true;
  return !isOwner && !has(releaseRoleName(page.name)) && has(wheelsRoleName(page.name));
}

/**
 * What a builder signs: its list with further wheels. The page stays as it is until an owner signs it.
 * @throws {CliError} for anything but wheels, and where more than one builder has to sign
 */
export async function builderTransaction(
  { page, roles }: Present,
  files: readonly LocalDistribution[],
  signer: Signer,
  now: Date,
): Promise<SignedTransaction> {
  const role = wheelsRoleName(page.name);
  const other = files.find(({ filename }) => filename.kind !== 'wheel');
  if (other !== undefined)
    throw new CliError('usage', `The key of a builder signs wheels, not ${other.filename.filename}.`, [
      'an owner publishes it: rind publish',
    ]);
  const owned = roles.get(projectRoleName(page.name));
  const threshold = owned?.delegations?.role(role)?.threshold ?? 1;
  if (threshold > 1)
    throw new CliError('failure', `${threshold} builders have to sign each wheel, and this is one of them.`, [
      `an owner lowers that: rind key threshold ${page.name} 1 --for wheels`,
    ]);
  const present = roles.get(role);
  const targets = new Map<string, SignedTarget>();
  for (const [path, { length, hashes }] of present?.targets ?? [])
    targets.set(path, { length, sha256: hashes.get('sha256') ?? '' });
  for (const { filename, length, sha256 } of files)
    targets.set(packagePath(page.name, filename.filename), { length, sha256 });
  const next = newWheelsRole({
    project: page.name,
    version: (present?.version ?? 0) + 1,
    expires: new Date(now.getTime() + SIGNATURE_LIFETIME),
    targets,
  });
  return {
    base: new Map([...roles].map(([name, { version }]) => [name, version])),
    roles: new Map([[role, (await signMetadata(next, [signer], role)).toBytes()]]),
    files: [],
    changes: [],
  };
}
