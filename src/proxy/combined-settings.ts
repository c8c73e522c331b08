import { matchesName, type NamePattern } from './name-pattern.ts';
import { TrustSettingsError } from './trust-settings-error.ts';
import type { TrustSettings } from './trust-settings.ts';

/**
 * The settings of a project together with those of its user: every rule of both holds, and where the user says from which
 * index names come, no project says otherwise.
 *
 * @throws TrustSettingsError `conflict`
 */
export function combineSettings(project: TrustSettings, user: TrustSettings): TrustSettings {
  for (const [pattern, url] of user.routes) refuseOthers(pattern, url, project, user);
  refuseOtherAgreements(project, user);
  const known = new Set(project.indexes.map(({ url }) => url));
  // Rules alone do not say that names come from nowhere.
  const isSilent = project.indexes.length === 0;
  const users = new Map(user.indexes.map((index) => [index.url, index]));
  return {
    path: project.path,
    indexes: [
      // Whom the user trusts at a URL is not for a project to replace.
      ...project.indexes.map((index) => ({
        ...index,
        rootSha256: users.get(index.url)?.rootSha256 ?? index.rootSha256,
        mirrors: [...new Set([...(users.get(index.url)?.mirrors ?? []), ...index.mirrors])],
      })),
      ...user.indexes.filter(({ url, projects }) => (isSilent || projects !== undefined) && !known.has(url)),
    ],
    routes: new Map([...project.routes, ...user.routes]),
    agreements: new Map([...project.agreements, ...user.agreements]),
    rules: [...project.rules, ...user.rules],
    defaultIndex: isSilent ? user.defaultIndex : project.defaultIndex,
    unknownHosts: strictest(project.unknownHosts, user.unknownHosts ?? impliedBy(user)),
  };
}

/** Nothing a project says about names that the user routes may lead them elsewhere. */
function refuseOthers(pattern: NamePattern, url: string, project: TrustSettings, user: TrustSettings): void {
  const refuse = (each: NamePattern, other: string): never => {
    const reason = `it has ${each} come from ${other}, and ${user.path} has ${pattern} come from ${url}`;
    throw new TrustSettingsError('conflict', project.path, reason);
  };
  for (const [each, other] of project.routes) {
    if (other !== url && matchesName(pattern, each)) refuse(each, other);
  }
  // A map counts before every route, however wide its pattern is, and any of its indexes can be outvoted.
  for (const [each, { indexes, threshold }] of project.agreements) {
    const meets = matchesName(pattern, each) || matchesName(each, pattern);
    if (meets && (indexes[0] !== url || threshold !== indexes.length)) refuse(each, indexes.join(' or '));
  }
}

/** What the user has several indexes agree about, no project has others agree about; a wider map of it counts less anyway. */
function refuseOtherAgreements(project: TrustSettings, user: TrustSettings): void {
  for (const [mine, agreement] of user.agreements) {
    for (const [each, other] of project.agreements) {
      if (!matchesName(mine, each) || JSON.stringify(other) === JSON.stringify(agreement)) continue;
      const reason = `it maps ${each} to other indexes or another threshold than ${user.path} maps ${mine}`;
      throw new TrustSettingsError('conflict', project.path, reason);
    }
  }
}

/** Who says from where names come has not left other hosts open, unless she says so. */
function impliedBy({ routes, agreements }: TrustSettings): TrustSettings['unknownHosts'] {
  return routes.size + agreements.size > 0 ? 'refuse' : undefined;
}

function strictest(
  left: TrustSettings['unknownHosts'],
  right: TrustSettings['unknownHosts'],
): TrustSettings['unknownHosts'] {
  return left === 'refuse' || right === 'refuse' ? 'refuse' : (left ?? right);
}
