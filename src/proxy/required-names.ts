import { isValidProjectName, normalizeProjectName } from '../pypi/project-name.ts';

/** Bytes of core metadata that are looked at: requirements stand before the description. */
const MAX_LOOKED_AT = 65_536;
const MOST = 128;

/**
 * The projects that core metadata requires without any extra, normalized, at most 128. For a guess of what is asked for next: what
 * does not look like a requirement is passed over, and of markers only `extra` counts.
 */
export function requiredNames(metadata: Uint8Array): readonly string[] {
  const names = new Set<string>();
  const text = Buffer.from(metadata.subarray(0, MAX_LOOKED_AT)).toString('latin1');
  for (const line of text.split('\n')) {
    if (line === '' || line === '\r' || names.size === MOST) break;
    const name = requiredName(line);
    if (name !== undefined) names.add(name);
  }
  return [...names];
}

function requiredName(line: string): string | undefined {
  const [start, name = ''] = /^requires-dist:[ \t]*([a-z0-9._-]+)/i.exec(line) ?? [];
  if (start === undefined || !isValidProjectName(name)) return undefined;
  const rest = line.slice(start.length);
  const marker = rest.indexOf(';');
  const isExtra = marker !== -1 && rest.includes('extra', marker);
  const isElsewhere = rest.trimStart().startsWith('@');
  return isExtra || isElsewhere ? undefined : normalizeProjectName(name);
}
