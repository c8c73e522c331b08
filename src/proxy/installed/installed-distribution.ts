import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { normalizeProjectName, isValidProjectName } from '../../pypi/project-name.ts';
import { parseRecord } from '../../pypi/record.ts';
import { canonicalVersion, isValidVersion } from '../../pypi/version.ts';

/** A distribution that is installed, as its own `.dist-info` tells it; nothing of it is verified. */
export interface InstalledDistribution {
  /** Normalized. */
  readonly project: string;
  readonly version: string;
  /** The folder of distributions it is in. */
  readonly site: string;
  /** Name of the `.dist-info` folder. */
  readonly distInfo: string;
  /** `py3-none-any` and others, of its WHEEL file; sorted. */
  readonly tags: readonly string[];
  /** Paths of its RECORD, relative to the site; undefined when there is none that can be read. */
  readonly recorded: readonly string[] | undefined;
  /** Names of the commands that its entry points make. */
  readonly commands: readonly string[];
  /** Where it came from, when it did not come from an index. */
  readonly origin: string | undefined;
}

/** Something installed that has no `.dist-info` which can be read; the reason is one clause. */
export interface UnreadableDistribution {
  readonly name: string;
  readonly reason: string;
}

const MAX_LENGTH = 16 * 2 ** 20;

/** Everything that is installed in a folder of distributions, by name. */
export async function listInstalled(
  site: string,
): Promise<readonly (InstalledDistribution | UnreadableDistribution)[]> {
  const found: (InstalledDistribution | UnreadableDistribution)[] = [];
  for (const name of (await readdir(site)).toSorted()) {
    if (name.endsWith('.dist-info')) found.push(await readInstalled(site, name));
    else if (/\.(?:egg-info|egg|egg-link)$/.test(name)) {
      found.push({ name, reason: 'it was installed without a record of its files' });
    }
  }
  return found;
}

async function readInstalled(
  site: string,
  distInfo: string,
): Promise<InstalledDistribution | UnreadableDistribution> {
  const read = (file: string): Promise<string | undefined> => readText(join(site, distInfo, file));
  const metadata = (await read('METADATA')) ?? '';
  const name = headers(metadata, 'Name')[0] ?? '';
  const version = headers(metadata, 'Version')[0] ?? '';
  if (!isValidProjectName(name) || !isValidVersion(version)) {
    return { name: distInfo, reason: 'its METADATA has no name and version that can be read' };
  }
  return {
    project: normalizeProjectName(name),
    version: canonicalVersion(version),
    site,
    distInfo,
    tags: headers((await read('WHEEL')) ?? '', 'Tag').toSorted(),
    recorded: recordedPaths(await read('RECORD')),
    commands: commandsOf((await read('entry_points.txt')) ?? ''),
    origin: originOf(await read('direct_url.json')),
  };
}

function headers(text: string, name: string): string[] {
  const [head = ''] = text.split(/\r?\n\r?\n/, 1);
  const prefix = `${name.toLowerCase()}:`;
  return head
    .split(/\r?\n/)
    .filter((line) => line.toLowerCase().startsWith(prefix))
    .map((line) => line.slice(prefix.length).trim());
}

function recordedPaths(text: string | undefined): readonly string[] | undefined {
  try {
    return text === undefined ? undefined : [...parseRecord(text).keys()];
  } catch {
    return undefined;
  }
}

/** `[console_scripts]` and `[gui_scripts]` (entry points specification). */
function commandsOf(text: string): string[] {
  const commands: string[] = [];
  let isScripts = false;
  for (const line of text.split(/\r?\n/)) {
    const section = /^\s*\[([^\]]*)\]/.exec(line)?.[1];
    if (section !== undefined) isScripts = /^(?:console|gui)_scripts$/.test(section.trim());
    else if (isScripts && /^[^#;=]+=/.test(line)) commands.push((line.split('=', 1)[0] ?? '').trim());
  }
  return commands;
}

/** direct_url.json (PEP 610). */
function originOf(text: string | undefined): string | undefined {
  try {
    const { url, dir_info: folder } = JSON.parse(text ?? '{}') as {
      url?: unknown;
      dir_info?: { editable?: unknown };
    };
    if (typeof url !== 'string') return undefined;
    return folder?.editable === true ? `${url} (editable)` : url;
  } catch {
    return undefined;
  }
}

async function readText(path: string): Promise<string | undefined> {
  const status = await stat(path).catch(() => undefined);
  if (status?.isFile() !== true || status.size > MAX_LENGTH) return undefined;
  return readFile(path, 'utf8');
}
