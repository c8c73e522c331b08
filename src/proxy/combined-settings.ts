import { matchesName, type NamePattern } from './name-pattern.ts';
import { TrustSettingsError, type TrustSettings } from './trust-settings.ts';

/**
 * The settings of a project together with those of its user: every rule of both holds, and where the user says from which
 * index names come, no project says otherwise.
 *
 * @throws TrustSettingsError `conflict`
 */
export function combineSettings(project: TrustSettings, user: TrustSettings): TrustSettings {
  for (const [pattern, url] of user.routes) refuseOthers(pattern, url, project, user);
  const known = new Set(project.indexes.map(({ url }) => url));
  return {
    path: project.path,
    indexes: [
      ...project.indexes,
      ...user.indexes.filter(({ url, projects }) => projects !== undefined && !known.has(url)),
    ],
    routes: new Map([...project.routes, ...user.routes]),
    agreements: new Map([...user.agreements, ...project.agreements]),
    rules: [...project.rules, ...user.rules],
    defaultIndex: project.defaultIndex,
    unknownHosts: strictest(project.unknownHosts, user.unknownHosts),
  };
}

/** Nothing a project says about names that the user routes may lead them elsewhere. */
function refuseOthers(pattern: NamePattern, url: string, project: TrustSettings, user: TrustSettings): void {
  const others = [
    ...project.routes,
    ...[...project.agreements].map(([each, { indexes }]) => [each, indexes[0] ?? ''] as const),
  ];
  for (const [each, other] of others) {
    if (other !== url && matchesName(pattern, each)) {
      throw new TrustSettingsError(
        'conflict',
        project.path,
        `it has ${each} come from ${other}, and ${user.path} has ${pattern} come from ${url}`,
      );
    }
  }
}

function strictest(
  left: TrustSettings['unknownHosts'],
  right: TrustSettings['unknownHosts'],
): TrustSettings['unknownHosts'] {
  return left === 'refuse' || right === 'refuse' ? 'refuse' : (left ?? right);
}
