import { readFile, rename, stat, writeFile } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { dirname, join, resolve } from 'node:path';
import { parseNamePattern } from '../proxy/name-pattern.ts';
import { readProjectTrust } from '../proxy/project-trust.ts';
import { parseTomlTable, readTrustSettings } from '../proxy/trust-settings.ts';
import { isCommittedRoot } from '../proxy/committed-root.ts';
import { readSelfSignedRoot } from '../proxy/trusted-root.ts';
import type { TrustedIndex } from '../proxy/trust-store.ts';
import { CliError } from './cli-error.ts';
import { chooseIndex, openTrustStore } from './open-index.ts';
import { currentReader } from './resolve-trust.ts';
import { newestRoot } from './show-trusted.ts';
import { print, say } from './terminal.ts';

export interface PinOptions {
  /** Name of the index in the settings. */
  readonly name?: string;
  /** Patterns of the names that come from it. */
  readonly projects?: readonly string[];
  /** The pyproject.toml to write to. */
  readonly file: string;
  readonly json?: boolean;
  /** Print the table instead of writing it. */
  readonly print?: boolean;
}

/**
 * `rind trust pin`: commits the trust of this user to a project, by the newest root known here. A project that has the index
 * with a root of its own choice already is left alone.
 */
export async function pinTrust(url: string | undefined, options: PinOptions): Promise<void> {
  const index = await chooseIndex(openTrustStore(), url);
  const { fingerprint, root } = await newestRoot(index);
  const table = tableOf(index, fingerprint, options);
  if (options.json === true) {
    return print(
      JSON.stringify(
        { url: index.url, rootVersion: root.version, rootSha256: fingerprint, table },
        undefined,
        2,
      ),
    );
  }
  if (options.print === true) return print(table);
  const path = resolve(options.file);
  if (await isPinned(index, fingerprint, path)) return say(`${path} commits ${index.url} already`);
  await append(path, table);
  say(`${path} commits ${index.url} from now on, with root ${root.version}`);
  say('hint: commit the file; rind run in a clean checkout needs nothing else');
}

function tableOf(index: TrustedIndex, fingerprint: string, options: PinOptions): string {
  const name = options.name ?? nameOf(index.url);
  const patterns = options.projects?.map((text) => {
    const pattern = parseNamePattern(text);
    if (pattern !== undefined) return JSON.stringify(pattern);
    throw new CliError('usage', `'${text}' is neither a project name nor the beginning of names with *.`);
  });
  const projects = patterns === undefined ? '' : `projects = [${patterns.join(', ')}]\n`;
  const lines = [
    '[[tool.rind.index]]',
    `name = ${JSON.stringify(name)}`,
    `url = ${JSON.stringify(index.url)}`,
    ...mirrorLine(index),
    `root-sha256 = "${fingerprint}"`,
  ];
  return `${lines.join('\n')}\n${projects}`;
}

/** The mirrors of an index as its table has them. */
export function mirrorLine({ mirrors }: TrustedIndex): readonly string[] {
  return mirrors.length === 0 ? [] : [`mirrors = [${mirrors.map((url) => JSON.stringify(url)).join(', ')}]`];
}

function nameOf(url: string): string {
  return (
    new URL(url).hostname
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-+|-+$/g, '')
      .slice(0, 63) || 'index'
  );
}

async function isPinned(index: TrustedIndex, newest: string, path: string): Promise<boolean> {
  const settings = await readProjectTrust(path, currentReader(process.env));
  const known = settings?.indexes.find(({ url }) => url === index.url);
  if (known === undefined) return false;
  const root = await readSelfSignedRoot(await readFile(index.rootPath));
  if (known.rootSha256 === newest || isCommittedRoot(root, known.rootSha256)) return true;
  throw new CliError('failure', `${path} commits ${index.url} with another root (${known.rootSha256}).`, [
    'rind run checks whether both are of one history; take the entry out to pin the newest root',
  ]);
}

/** Checked as a whole before it is written, and written as a whole. */
async function append(path: string, table: string): Promise<void> {
  const before = await readFile(path, 'utf8').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  });
  const gap = before === '' ? '' : before.endsWith('\n') ? '\n' : '\n\n';
  const after = before + gap + table;
  const { tool } = parseTomlTable(after, path) as { readonly tool?: { readonly rind?: unknown } };
  readTrustSettings(tool?.rind, path);
  const mode = (await stat(path).catch(() => undefined))?.mode ?? 0o644;
  const draft = join(dirname(path), `.pyproject-${randomUUID()}`);
  await writeFile(draft, after, { flag: 'wx', mode });
  await rename(draft, path);
}
