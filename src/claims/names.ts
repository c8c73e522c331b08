import { isNormalizedProjectName } from '../pypi/project-name.ts';

const PREFIX = 'project-';
const SUFFIXES = { release: '.release', wheels: '.wheels' } as const;

/** What a role of a claimed project is for: `project` the owners', `release` their machines', `wheels` a builder's. */
export type ProjectRoleKind = 'project' | 'release' | 'wheels';

/** The role of a claimed project: `project-foo`. Names of projects hold no dot, so the other roles of a project never collide with it. */
export function projectRoleName(project: string): string {
  return PREFIX + project;
}

/** The role that the owners delegate their project's paths to when several machines publish: `project-foo.release`. */
export function releaseRoleName(project: string): string {
  return PREFIX + project + SUFFIXES.release;
}

/** The role of a builder of wheels: `project-foo.wheels` (PEP 480, appendix A). */
export function wheelsRoleName(project: string): string {
  return PREFIX + project + SUFFIXES.wheels;
}

/** The inverse of the three names above; undefined for every other role. */
export function parseProjectRoleName(
  role: string,
): { readonly project: string; readonly kind: ProjectRoleKind } | undefined {
  if (!role.startsWith(PREFIX)) return undefined;
  const [project = '', kind = 'project', ...more] = role.slice(PREFIX.length).split('.');
  if (more.length > 0 || !isNormalizedProjectName(project)) return undefined;
  return kind === 'project' || kind === 'release' || kind === 'wheels' ? { project, kind } : undefined;
}

/** The patterns of everything of a project: its pages and its files. */
export function projectPaths(project: string): readonly string[] {
  return [`packages/${project}/*`, `simple/${project}/*`];
}

/** The pattern of what a builder of wheels may sign. */
export function wheelPaths(project: string): readonly string[] {
  return [`packages/${project}/*.whl`];
}

/** Whether a target path belongs to the project; what {@link projectPaths} match. */
export function isPathOfProject(path: string, project: string): boolean {
  const [area, name, last, ...more] = path.split('/');
  return (
    (area === 'packages' || area === 'simple') && name === project && (last ?? '') !== '' && more.length === 0
  );
}
