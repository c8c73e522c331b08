import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { filenameProjectName, isValidProjectName, normalizeProjectName } from '../pypi/project-name.ts';
import { isValidVersion } from '../pypi/version.ts';
import { parseTrustSettings } from '../proxy/trust-settings.ts';
import { CliError } from './cli-error.ts';
import { mirrorLine } from './pin-trust.ts';
import { newestRoot } from './show-trusted.ts';
import { openTrustStore } from './open-index.ts';
import { zipArchive, type ArchiveMember } from './zip-archive.ts';
import { print, say } from './terminal.ts';

export interface BundleOptions {
  /** Name of the Python package. */
  readonly name: string;
  readonly release: string;
  /** Folder the wheel is written to. */
  readonly output: string;
  /** A rind.toml with the indexes, routes and rules; without it every trusted index, without rules. */
  readonly settings?: string;
}

/**
 * `rind client bundle`: an organisation's own Python package that carries URL, root and rules of its indexes. Installed into an
 * environment, it puts them to `share/rind/trust.d`, where rind finds them without asking the network.
 */
export async function writeBundle(options: BundleOptions): Promise<void> {
  if (!isValidProjectName(options.name))
    throw new CliError('usage', `'${options.name}' cannot be the name of a Python package.`);
  if (!isValidVersion(options.release))
    throw new CliError('usage', `'${options.release}' is not a version of a Python package.`);
  const project = normalizeProjectName(options.name);
  const trust = await trustFiles(project, options.settings);
  const stem = `${filenameProjectName(project)}-${options.release}`;
  const members = wheelMembers(project, options.release, stem, trust);
  await mkdir(options.output, { recursive: true });
  const path = resolve(join(options.output, `${stem}-py3-none-any.whl`));
  await writeFile(path, zipArchive(members));
  print(path);
  say(
    'hint: whoever installs it trusts these indexes in that environment; give it by a way you trust already',
  );
}

/** The settings and the newest known root of each of their indexes. */
async function trustFiles(project: string, settingsPath: string | undefined): Promise<ArchiveMember[]> {
  const store = openTrustStore();
  const trusted = await store.list();
  if (trusted.length === 0) await store.choose(undefined);
  const roots = new Map<string, Uint8Array>();
  const tables: string[] = [];
  for (const index of trusted) {
    const { bytes, fingerprint } = await newestRoot(index);
    roots.set(index.url, bytes);
    const name = `index-${tables.length + 1}`;
    const lines = [
      '[[index]]',
      `name = "${name}"`,
      `url = ${JSON.stringify(index.url)}`,
      ...mirrorLine(index),
      `root-sha256 = "${fingerprint}"`,
    ];
    tables.push(`${lines.join('\n')}\n`);
  }
  const text = settingsPath === undefined ? tables.join('\n') : await readFile(settingsPath, 'utf8');
  const settings = parseTrustSettings(text, settingsPath ?? 'the trusted indexes of this user');
  const files = [{ name: `${project}.toml`, bytes: Buffer.from(text, 'utf8') as Uint8Array }];
  for (const { url, name } of settings.indexes) {
    const bytes = roots.get(url);
    if (bytes === undefined)
      throw new CliError(
        'failure',
        `${url} is not trusted here, so its root cannot be put into the package.`,
        ['rind trust add URL --fingerprint HEX'],
      );
    files.push({ name: `${project}.${name}.root.json`, bytes });
  }
  return files;
}

function wheelMembers(
  project: string,
  release: string,
  stem: string,
  trust: readonly ArchiveMember[],
): ArchiveMember[] {
  const metadata = `Metadata-Version: 2.1\nName: ${project}\nVersion: ${release}\nSummary: Package indexes that rind trusts, with their TUF roots\n`;
  const wheel = 'Wheel-Version: 1.0\nGenerator: rind\nRoot-Is-Purelib: true\nTag: py3-none-any\n';
  const members = [
    ...trust.map(({ name, bytes }) => ({ name: `${stem}.data/data/share/rind/trust.d/${name}`, bytes })),
    { name: `${stem}.dist-info/METADATA`, bytes: Buffer.from(metadata, 'utf8') },
    { name: `${stem}.dist-info/WHEEL`, bytes: Buffer.from(wheel, 'utf8') },
  ];
  const lines = members.map(({ name, bytes }) => `${name},sha256=${recordHash(bytes)},${bytes.length}\n`);
  const record = `${stem}.dist-info/RECORD`;
  return [...members, { name: record, bytes: Buffer.from(`${lines.join('')}${record},,\n`, 'utf8') }];
}

function recordHash(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('base64url');
}
