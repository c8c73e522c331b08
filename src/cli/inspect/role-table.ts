import type { InspectedRole, Inspection } from '../../proxy/inspection.ts';

const HEADINGS = ['role', 'version', 'expires', 'keys', 'signs for', 'targets'];

/** The roles as a table: a heading, then a line for each. */
export function roleTable({ roles }: Inspection, now: Date): readonly string[] {
  const rows = [HEADINGS, ...roles.map((role) => cellsOf(role, now))];
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

/** The roles as a tree, by who delegates to whom. */
export function roleTree({ roles }: Inspection, now: Date): readonly string[] {
  const lines: string[] = [];
  const add = (role: InspectedRole, indent: string, isLast: boolean): void => {
    const branch = role.delegatedBy === undefined ? '' : isLast ? '└── ' : '├── ';
    lines.push(`${indent}${branch}${role.name}  ${summaryOf(role, now)}`);
    const children = roles.filter(({ delegatedBy }) => delegatedBy === role.name);
    const deeper = role.delegatedBy === undefined ? '' : `${indent}${isLast ? '    ' : '│   '}`;
    for (const [position, child] of children.entries()) add(child, deeper, position === children.length - 1);
  };
  for (const role of roles) if (role.delegatedBy === undefined) add(role, '', true);
  return lines;
}

/** `2 of 3 keys, version 7, expires 2027-01-01` */
export function summaryOf(role: InspectedRole, now: Date): string {
  const parts = [keysText(role), versionText(role), expiryText(role, now)];
  return parts.filter((part) => part !== '').join(', ');
}

/** `2 of 3 keys` */
export function keysText({ keys, threshold }: InspectedRole): string {
  return `${threshold} of ${keys.length} ${keys.length === 1 ? 'key' : 'keys'}`;
}

function versionText({ versions }: InspectedRole): string {
  if (versions === undefined) return 'not published';
  const [lowest, highest] = versions;
  return lowest === highest ? `version ${lowest}` : `versions ${lowest} to ${highest}`;
}

/** How long it is good for. */
export function expiryText({ expires, problem }: InspectedRole, now: Date): string {
  if (problem !== undefined) return `NOT VERIFIED: ${problem}`;
  if (expires === undefined) return '';
  const days = Math.floor((expires.getTime() - now.getTime()) / 86_400_000);
  return `expires ${expires.toISOString().slice(0, 10)} (${days < 0 ? 'EXPIRED' : days === 1 ? '1 day' : `${days} days`})`;
}

function cellsOf(role: InspectedRole, now: Date): string[] {
  const { name, count, versions, expires, keys, paths, targets, problem } = role;
  const schemes = [...new Set(keys.map(({ scheme }) => scheme))].join(', ');
  return [
    count === 1 ? name : `${name} (${count})`,
    versions === undefined ? '-' : [...new Set(versions)].join('-'),
    problem ?? (expires === undefined ? '' : expiryText(role, now).replace('expires ', '')),
    `${keysText(role)} (${schemes})`,
    pathsText(paths, role),
    targets === undefined ? '' : String(targets),
  ];
}

function pathsText(paths: readonly string[] | undefined, { name, delegatedBy }: InspectedRole): string {
  if (delegatedBy === undefined || delegatedBy === 'root') return name === 'targets' ? 'everything' : '';
  if (paths === undefined) return 'paths by their hash';
  const shown = paths.slice(0, 3).join(' ');
  return paths.length > 3 ? `${shown} and ${paths.length - 3} more` : shown;
}
