// The client of the harness: our Updater over a folder or over bytes in memory, with trusted metadata that outlives the crash.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseProjectJson } from '../../src/pypi/simple.ts';
import { packagePath, simpleHtmlPath, simpleJsonPath } from '../../src/pypi/layout.ts';
import { DownloadHttpError, Updater, type Fetcher } from '../../src/updater/index.ts';

/** Bytes of a key of the served tree. */
export type TreeReader = (key: string) => Promise<Uint8Array | undefined>;

export function folderReader(tree: string): TreeReader {
  return async (key) => {
    try {
      return readFileSync(join(tree, key));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
      throw error;
    }
  };
}

function fetcherOf(read: TreeReader): Fetcher {
  return {
    async *fetch(url) {
      const bytes = await read(decodeURIComponent(new URL(url).pathname.slice(1)));
      if (bytes === undefined) throw new DownloadHttpError('Not Found', 404, { url });
      yield bytes;
    },
  };
}

export interface ClientOptions {
  readonly folder: string;
  readonly root: Uint8Array;
  readonly read: TreeReader;
  readonly clock: () => Date;
}

/** A session: refreshed, with every bin that the names lead to. Throws what the updater throws. */
export async function session({ folder, root, read, clock }: ClientOptions): Promise<Updater> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const updater = new Updater({
    metadataDir: folder,
    metadataBaseUrl: 'http://rind.test/metadata/',
    targetBaseUrl: 'http://rind.test/',
    fetcher: fetcherOf(read),
    clock,
    bootstrapRoot: root,
  });
  await updater.refresh();
  return updater;
}

const LONGEST = 1 << 20;

/**
 * Reads a project as an installer would: both pages and every file on them, verified. Undefined when the index proves that there is none.
 * Throws for anything half: a page without its file, one format without the other.
 */
export async function readProject(
  updater: Updater,
  name: string,
): Promise<ReadonlyMap<string, string> | undefined> {
  const page = await updater.getTargetInfo(simpleJsonPath(name));
  const html = await updater.getTargetInfo(simpleHtmlPath(name));
  if ((page === undefined) !== (html === undefined)) throw new Error(`${name} has a page in one format only`);
  if (page === undefined || html === undefined) return undefined;
  const { files } = parseProjectJson(await updater.targetBytes(page, LONGEST));
  await updater.targetBytes(html, LONGEST);
  const found = new Map<string, string>();
  for (const { filename, sha256 } of files) {
    const target = await updater.getTargetInfo(packagePath(name, filename));
    if (target === undefined) throw new Error(`${filename} stands on the page of ${name} and is no target`);
    const bytes = await updater.targetBytes(target, LONGEST);
    const got = createHash('sha256').update(bytes).digest('hex');
    if (got !== sha256) throw new Error(`${filename} is not what the page of ${name} lists`);
    found.set(filename, got);
  }
  return found;
}

/** sha256 values by file name of metadata, `timestamp.json` by its version too: everything of (role, version) that a tree holds. */
export function metadataDigests(tree: string): Map<string, string> {
  const found = new Map<string, string>();
  const folder = join(tree, 'metadata');
  for (const name of namesIn(folder)) addDigest(found, name, readFileSync(join(folder, name)));
  return found;
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

export function addDigest(digests: Map<string, string>, name: string, bytes: Uint8Array): void {
  const label = name === 'timestamp.json' ? `timestamp ${versionOf(bytes)}` : name;
  digests.set(label, createHash('sha256').update(bytes).digest('hex'));
}

function versionOf(bytes: Uint8Array): number {
  const { signed } = JSON.parse(new TextDecoder().decode(bytes)) as { signed: { version: number } };
  return signed.version;
}
