import { nextPage } from '../claims/next-page.ts';
import { nextRoles, type RolePlan } from '../claims/next-roles.ts';
import { parseProjectRoleName, projectRoleName } from '../claims/names.ts';
import { ownersOf, type Owners } from '../claims/owners.ts';
import { pageTargets } from '../claims/page-targets.ts';
import { delegatedOwners } from '../claims/project-role.ts';
import type { ProjectChange, SignedTransaction } from '../claims/transaction-form.ts';
import type { PageFile } from '../pypi/simple.ts';
import { Metadata, signMetadata } from '../tuf/metadata.ts';
import type { Signer } from '../tuf/signer.ts';
import type { Targets } from '../tuf/targets.ts';
import { CliError } from './cli-error.ts';
import type { VerifiedProject } from './verified-project.ts';

/** What a developer changes and signs. */
export interface SignedChange {
  readonly files?: readonly PageFile[];
  readonly changes?: readonly ProjectChange[];
  readonly owners?: Owners | undefined;
  readonly release?: RolePlan['release'];
  readonly wheels?: RolePlan['wheels'];
  readonly renews?: boolean;
  /** For a first claim: the versions of an earlier one that is gone, by role. */
  readonly past?: ReadonlyMap<string, number> | undefined;
}

/** A transaction, and whether others have to sign it too. */
export interface PreparedTransaction {
  readonly transaction: SignedTransaction;
  /** For people: `project-foo: 1 of 2 signatures`. */
  readonly missing: readonly string[];
}

const DAY = 86_400_000;
/** How long a signature of a developer lasts. */
export const SIGNATURE_LIFETIME = 365 * DAY;

/**
 * Makes and signs the next metadata of a project on top of its verified present: the pages are made here, by the same function as the index's.
 * @throws {ClaimError} @throws {CliError} when none of the keys may sign
 */
export async function prepareTransaction(
  project: VerifiedProject,
  change: SignedChange,
  signers: readonly Signer[],
  now: Date,
): Promise<PreparedTransaction> {
  const { page, roles: present } = project;
  const { files = [], changes = [] } = change;
  const roles = nextRoles({
    project: page.name,
    present,
    past: change.past,
    targets: pageTargets(nextPage(page, files, changes)).targets,
    expires: new Date(now.getTime() + SIGNATURE_LIFETIME),
    owners: change.owners,
    release: change.release,
    wheels: change.wheels,
    renews: change.renews,
  });
  if (roles.size === 0) throw new CliError('usage', `Nothing would change in ${page.name}.`);
  const signed = new Map<string, Metadata<Targets>>();
  for (const [role, targets] of roles)
    signed.set(role, await sign(role, targets, { project, roles, signers }));
  return {
    transaction: {
      base: new Map([
        ...(change.past ?? []),
        ...[...present].map(([role, { version }]) => [role, version] as const),
      ]),
      roles: new Map([...signed].map(([role, metadata]) => [role, metadata.toBytes()])),
      files: files.map(({ filename, sha256, uploadTime }) => ({ filename, sha256, uploadTime })),
      changes,
    },
    missing: [...signed].flatMap(([role, metadata]) =>
      missingFor(role, metadata, { project, roles, renews: change.renews === true }),
    ),
  };
}

interface Signing {
  readonly project: Pick<VerifiedProject, 'page' | 'standing' | 'owners' | 'roles'>;
  /** Those that change. */
  readonly roles: ReadonlyMap<string, Targets>;
  /** A renewal waits for as many owners as they wish: only then can administrators move the project. */
  readonly renews?: boolean;
}

/** Some of whom must sign. */
export type SignerGroup = Owners & { readonly areNew?: boolean };

async function sign(
  role: string,
  targets: Targets,
  { project, roles, signers }: Signing & { readonly signers: readonly Signer[] },
): Promise<Metadata<Targets>> {
  const groups = signersOf(role, { project, roles });
  const allowed = new Set(groups.flatMap(({ keys }) => keys.map(({ keyId }) => keyId)));
  const mine = signers.filter(({ key }) => allowed.has(key.keyId));
  if (mine.length > 0) return signMetadata(targets, mine, role);
  throw new CliError(
    'failure',
    `${role} is not signed by this key (${signers.map(({ key }) => key.keyId.slice(0, 12)).join(', ')}), but by one of: ${[...allowed].map((id) => id.slice(0, 12)).join(', ')}.`,
    ['name another key with --key', 'or let an owner add this one: rind key add'],
  );
}

function missingFor(role: string, metadata: Metadata<Targets>, signing: Signing): readonly string[] {
  const signed = new Set(metadata.signatures.map(({ keyId }) => keyId));
  const lines = signersOf(role, signing).flatMap(({ keys, threshold, areNew = false }) => {
    const waiting = keys.filter(({ keyId }) => !signed.has(keyId));
    if (areNew) return waiting.map(({ keyId }) => `${role}: the new key ${keyId} has not signed yet`);
    const have = keys.length - waiting.length;
    return have < threshold ? [`${role}: ${have} of ${threshold} signatures`] : [];
  });
  return [...new Set(lines)];
}

/** Who has to sign a role, and how many of each group: new owners sign beside the present ones, each new key among them. */
export function signersOf(role: string, { project, roles, renews = false }: Signing): readonly SignerGroup[] {
  const own = projectRoleName(project.page.name);
  const owned = roles.get(own) ?? project.roles.get(own);
  if (parseProjectRoleName(role)?.kind !== 'project') {
    const delegated = owned === undefined ? undefined : delegatedOwners(owned, role);
    return delegated === undefined ? [] : [delegated];
  }
  const wished = owned === undefined ? undefined : ownersOf(owned);
  const present = project.owners;
  if (wished === undefined) return present === undefined ? [] : [present];
  const named = namedBefore(project);
  const known = new Set([...(present?.keys ?? []), ...(named?.keys ?? [])].map(({ keyId }) => keyId));
  const fresh = wished.keys.filter(({ keyId }) => !known.has(keyId));
  const threshold = project.standing === 'claimed' || renews ? wished.threshold : 1;
  return [
    ...(present === undefined ? [] : [present]),
    ...(named === undefined || project.standing !== 'claimed' ? [] : [named]),
    { keys: wished.keys, threshold },
    ...(fresh.length === 0 ? [] : [{ keys: fresh, threshold: fresh.length, areNew: true }]),
  ];
}

function namedBefore({ roles, page }: Signing['project']): Owners | undefined {
  const before = roles.get(projectRoleName(page.name));
  return before === undefined ? undefined : ownersOf(before);
}
