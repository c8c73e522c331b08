/**
 * A pattern of project names: a name, or the beginning of names followed by `*` (`acme-*`, `*`), in normalized form. Nothing
 * else, so that of two patterns that match one name, one always says more than the other.
 */
export type NamePattern = string;

const PATTERN = /^(?:[a-z0-9]+(?:-[a-z0-9]+)*(?:-?\*)?|\*)$/;
const LONGEST = 128;

/** The pattern in its one form (`Acme_*` is `acme-*`), or `undefined` when it is none. */
export function parseNamePattern(text: string): NamePattern | undefined {
  if (text.length > LONGEST) return undefined;
  const pattern = text.toLowerCase().replace(/[-_.]+/g, '-');
  return PATTERN.test(pattern) ? pattern : undefined;
}

/** @param project a normalized name */
export function matchesName(pattern: NamePattern, project: string): boolean {
  return pattern.endsWith('*') ? project.startsWith(pattern.slice(0, -1)) : pattern === project;
}

/** The entry whose pattern says most about a project: its name before every beginning, a longer beginning before a shorter. */
export function mostSpecific<T>(entries: ReadonlyMap<NamePattern, T>, project: string): T | undefined {
  const exact = entries.get(project);
  if (exact !== undefined) return exact;
  for (let length = project.length; length >= 0; length -= 1) {
    const found = entries.get(`${project.slice(0, length)}*`);
    if (found !== undefined) return found;
  }
  return undefined;
}
