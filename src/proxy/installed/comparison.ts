import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, realpath, stat } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import type { InstalledDistribution } from './installed-distribution.ts';
import type { PythonEnvironment } from './python-environment.ts';
import type { WheelFile } from './signed-content.ts';

/** How an installed distribution differs from the signed wheel; paths are those of the disk. */
export interface Comparison {
  /** Files that were compared. */
  readonly compared: number;
  readonly changed: readonly string[];
  readonly missing: readonly string[];
  /** In its RECORD, but not in the wheel, and nothing that installers add. */
  readonly added: readonly string[];
  /** Every path that belongs to the distribution, absolute. */
  readonly own: ReadonlySet<string>;
}

/** What installers write into the `.dist-info` folder of their own. */
const WRITTEN_BY_INSTALLERS =
  /^(?:INSTALLER|REQUESTED|RECORD|direct_url\.json|uv_build\.json|uv_cache\.json|RECORD\.jws|RECORD\.p7s)$/;

/** Compares what is on the disk with what the signed wheel holds, byte for byte by hashes. */
export async function compareInstalled(
  distribution: InstalledDistribution,
  wheel: readonly WheelFile[],
  environment: PythonEnvironment,
): Promise<Comparison> {
  const [changed, missing]: [string[], string[]] = [[], []];
  const own = new Set<string>();
  for (const file of wheel) {
    const path = placeOf(file, distribution, environment);
    if (path === undefined) continue;
    own.add(path);
    const found = await hashOf(path);
    if (found === undefined) missing.push(path);
    else if (found !== file.sha256 && !(await isSameScript(file, path))) changed.push(path);
  }
  const added: string[] = [];
  for (const recorded of distribution.recorded ?? []) {
    const path = resolve(distribution.site, recorded);
    if (own.has(path)) continue;
    own.add(path);
    if (!(await isWrittenByInstaller(path, distribution, environment))) added.push(path);
  }
  return { compared: own.size === 0 ? 0 : wheel.length, changed, missing, added, own };
}

/** Undefined for headers: where they are put is the installer's choice, and nothing runs them. */
function placeOf(
  { area, path }: WheelFile,
  { site }: InstalledDistribution,
  { prefix, scripts }: PythonEnvironment,
): string | undefined {
  if (area === 'headers') return undefined;
  return join({ site, scripts, data: prefix }[area], path);
}

async function isWrittenByInstaller(
  path: string,
  { site, distInfo, commands }: InstalledDistribution,
  { scripts }: PythonEnvironment,
): Promise<boolean> {
  const inside = relative(join(site, distInfo), path);
  if (WRITTEN_BY_INSTALLERS.test(inside)) return true;
  if (isCompiled(path)) return true;
  const folder = await realpath(scripts).catch(() => scripts);
  const command =
    relative(folder, await realpath(join(path, '..')).catch(() => '')) === ''
      ? path.split('/').at(-1)
      : undefined;
  if (command !== undefined && commands.includes(command.replace(/\.exe$|-script\.pyw?$/, ''))) return true;
  // A record of what is not there changes nothing.
  return (await stat(path).catch(() => undefined)) === undefined;
}

/** What Python made of a source file: it depends on the interpreter, so nobody signs it. */
export function isCompiled(path: string): boolean {
  return /[/\\]__pycache__[/\\][^/\\]+\.pyc$/.test(path);
}

async function isSameScript(file: WheelFile, path: string): Promise<boolean> {
  if (file.sha256OfRest === undefined) return false;
  const bytes = await readFile(path);
  const isScript = bytes.subarray(0, 2).equals(Buffer.from('#!'));
  const rest = bytes.subarray(bytes.indexOf('\n') + 1);
  return isScript && createHash('sha256').update(rest).digest('hex') === file.sha256OfRest;
}

/** Undefined when there is no such file. */
async function hashOf(path: string): Promise<string | undefined> {
  if ((await stat(path).catch(() => undefined))?.isFile() !== true) return undefined;
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest('hex');
}
