/** Entry points (entry points specification): what a wheel offers to other programs, and the commands it installs. */
import { UnsafeArchiveError } from './archive.ts';
import { quote } from './errors.ts';

const SCRIPT_GROUPS: ReadonlySet<string> = new Set(['console_scripts', 'gui_scripts']);
/** Of commands: what is a filename everywhere, and cannot lead out of the folder it is written to. */
const SCRIPT_NAME = /^[\p{L}\p{N}_][\p{L}\p{N}_.+ -]*$/u;
/** `module:object`, with extras from before they were withdrawn. */
const SCRIPT_OBJECT =
  /^[\p{L}\p{N}_]+(?:\.[\p{L}\p{N}_]+)*[ \t]*:[ \t]*[\p{L}\p{N}_]+(?:\.[\p{L}\p{N}_]+)*[ \t]*(?:\[[^[\]]*\])?$/u;
// eslint-disable-next-line no-control-regex -- control characters are what is looked for
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f]/;

/**
 * The commands that `entry_points.txt` makes installers write (`console_scripts` and `gui_scripts`). Lines may be indented: for years
 * setuptools wrote what it was given.
 *
 * @throws UnsafeArchiveError `wrong-content` when a line is neither a group nor an entry of one, or a command has a name or an object that
 *   installers refuse or understand differently
 */
export function parseScripts(text: string): readonly string[] {
  const scripts = new Set<string>();
  let group: string | undefined;
  for (const untrimmed of text.split(/\r\n|\r|\n/)) {
    const line = untrimmed.trim();
    if (line === '' || line.startsWith('#') || line.startsWith(';')) continue;
    if (CONTROL.test(line)) throw wrong(line, 'has a control character');
    if (line.startsWith('[')) {
      group = groupOf(line);
      continue;
    }
    const [name, object] = entryOf(line);
    if (group === undefined) throw wrong(line, 'stands before the first group');
    if (!SCRIPT_GROUPS.has(group)) continue;
    if (!SCRIPT_NAME.test(name)) throw wrong(line, `gives a command the name ${quote(name)}`);
    if (!SCRIPT_OBJECT.test(object)) throw wrong(line, 'names no function as module:function');
    if (scripts.has(name)) throw wrong(line, `is a second command ${quote(name)}`);
    scripts.add(name);
  }
  return [...scripts];
}

function groupOf(line: string): string {
  const name = line.endsWith(']') ? line.slice(1, -1).trim() : '';
  // The specification wants words with dots; names with hyphens are in use, and nobody reads them differently.
  if (name === '' || /[[\]]/.test(name)) throw wrong(line, 'is no group');
  return name;
}

function entryOf(line: string): readonly [string, string] {
  const equals = line.indexOf('=');
  const [name, object] = [line.slice(0, Math.max(equals, 0)).trim(), line.slice(equals + 1).trim()];
  if (equals < 0 || name === '' || object === '') throw wrong(line, 'is not name = object');
  return [name, object];
}

function wrong(line: string, why: string): UnsafeArchiveError {
  return new UnsafeArchiveError(
    'wrong-content',
    `the line ${quote(line)} of entry_points.txt ${why}.`,
    'entry_points.txt',
  );
}
