import { parseProjectRoleName, projectRoleName } from '../claims/names.ts';
import type { Owners } from '../claims/owners.ts';
import { delegatedOwners } from '../claims/project-role.ts';
import type { ClaimStanding } from '../claims/transaction.ts';
import { packagePath, simpleJsonPath } from '../pypi/layout.ts';
import { signedClaim } from '../proxy/signed-claim.ts';
import { parseProjectJson, type ProjectPage } from '../pypi/simple.ts';
import type { TargetFile } from '../tuf/file.ts';
import { ExpiredMetadataError } from '../tuf/errors.ts';
import type { Targets } from '../tuf/targets.ts';
import type { Updater } from '../updater/updater.ts';
import { CliError } from './cli-error.ts';
import { chooseIndex, openFetchers, openTrustStore, openUpdater } from './open-index.ts';
import { say } from './terminal.ts';

/** A project as the index shows it to everybody, verified: what a developer builds the next version on. */
export interface VerifiedProject {
  readonly url: string;
  readonly page: ProjectPage;
  readonly standing: ClaimStanding;
  /** Whom the project is delegated to; undefined while it is unclaimed. */
  readonly owners: Owners | undefined;
  /** The metadata of its roles, by role. */
  readonly roles: ReadonlyMap<string, Targets>;
  /** What is signed about one of its files. */
  target(filename: string): Promise<TargetFile | undefined>;
  /** The verified bytes of a file. */
  bytes(target: TargetFile, maxLength: number): Promise<Uint8Array>;
}

type ProjectUpdater = Pick<Updater, 'getSignedTarget' | 'delegatedTargets' | 'targetBytes'>;

const UNSIGNED = { owners: undefined, roles: new Map<string, Targets>() };
const MAX_PAGE_LENGTH = 64 * 2 ** 20;

export interface VerifiedProjectOptions {
  readonly index?: string | undefined;
  readonly project: string;
  /** For its developers, who have to build on what has expired; see {@link readExpiredProject}. */
  readonly allowsExpired?: boolean;
}

/**
 * Reads a project through the signatures of its index, in one snapshot.
 * @throws {CliError} when there is no such project, or the index is not trusted yet
 */
export async function withVerifiedProject<T>(
  { index, project, allowsExpired = false }: VerifiedProjectOptions,
  work: (project: VerifiedProject) => Promise<T>,
): Promise<T> {
  const trusted = await chooseIndex(openTrustStore(), index);
  const fetcher = openFetchers([trusted.url, ...trusted.mirrors]);
  try {
    const open = async (clock?: () => Date) => (await openUpdater(trusted, fetcher, clock))();
    const read = allowsExpired ? readExpiredProject : readCurrentProject;
    return await work(await read(trusted.url, project, open));
  } finally {
    await fetcher.close();
  }
}

type OpenUpdater = (clock?: () => Date) => Promise<ProjectUpdater>;

async function readCurrentProject(url: string, project: string, open: OpenUpdater): Promise<VerifiedProject> {
  return readProject(url, project, await open());
}

/**
 * Also when what its developers signed has run out: otherwise nobody could sign it again. A first client has verified by the real clock all that
 * the index signs, which names the versions of the project's roles; the second one builds on what the first has seen. Exported for its test.
 */
export async function readExpiredProject(
  url: string,
  project: string,
  open: OpenUpdater,
): Promise<VerifiedProject> {
  try {
    return await readCurrentProject(url, project, open);
  } catch (error) {
    const role = error instanceof ExpiredMetadataError ? (error.role ?? '') : '';
    if (parseProjectRoleName(role)?.project !== project) throw error;
    say(`${role} has expired: nobody can install ${project} until it is signed again`);
    return readProject(url, project, await open(() => new Date(0)));
  }
}

/** Exported for its test. */
export async function readProject(
  url: string,
  project: string,
  updater: ProjectUpdater,
): Promise<VerifiedProject> {
  const found = await updater.getSignedTarget(simpleJsonPath(project));
  if (found === undefined) {
    throw new CliError(
      'failure',
      `${url} has no project ${project}: a project is claimed after its first release is uploaded.`,
    );
  }
  const page = parseProjectJson(await updater.targetBytes(found.target, MAX_PAGE_LENGTH));
  if (page.name !== project)
    throw new CliError('verification', `${url} shows the page of ${page.name} as that of ${project}.`);
  const { standing } = await signedClaim(project, found.via, (role, delegator) =>
    updater.delegatedTargets(role, delegator),
  );
  return {
    url,
    page,
    standing,
    // Whoever holds the online key can put a role of any name below a bin: what it says is no base for a claim.
    ...(standing === 'unclaimed' ? UNSIGNED : await claimOf(project, found.via, updater)),
    target: async (filename) => (await updater.getSignedTarget(packagePath(project, filename)))?.target,
    bytes: (target, maxLength) => updater.targetBytes(target, maxLength),
  };
}

/** Owners and roles, read along the way that the search took: a role of that name elsewhere does not count. */
async function claimOf(
  project: string,
  via: readonly string[],
  updater: ProjectUpdater,
): Promise<Pick<VerifiedProject, 'owners' | 'roles'>> {
  const own = projectRoleName(project);
  const position = via.indexOf(own);
  const roles = new Map<string, Targets>();
  const parent = via[position - 1] ?? '';
  const list = await updater.delegatedTargets(parent, via[position - 2] ?? '');
  const owned = await updater.delegatedTargets(own, parent);
  roles.set(own, owned);
  for (const role of owned.delegations?.roles?.keys() ?? []) {
    if (parseProjectRoleName(role)?.project === project)
      roles.set(role, await updater.delegatedTargets(role, own));
  }
  return { owners: delegatedOwners(list, own), roles };
}
