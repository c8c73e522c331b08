import { constants } from 'node:fs';
import { open, stat, type FileHandle } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { TrustSettingsError } from './trust-settings-error.ts';
import type { TrustSettings } from './trust-settings.ts';

/** Who reads, and whose files count although they are somebody else's. */
export interface Reader {
  /** User id; undefined where there are none. */
  readonly uid: number | undefined;
  /** A folder whose files count whoever owns them, e.g. a checkout that is mounted into a container. */
  readonly safeFolder?: string | undefined;
}

const LONGEST_FILE = 4 * 2 ** 20;
const DEEPEST = 256;

/**
 * The trust that a project commits: `[tool.rind]` of the first pyproject.toml that has one, from a folder upwards.
 *
 * A file that belongs to another user (but root), or that everybody may write to, is refused: whoever can put a
 * pyproject.toml into a folder above could otherwise choose the index.
 *
 * @throws TrustSettingsError
 */
export async function findProjectTrust(folder: string, reader: Reader): Promise<TrustSettings | undefined> {
  let current = resolve(folder);
  for (let depth = 0; depth < DEEPEST; depth += 1) {
    const found = await readProjectTrust(join(current, 'pyproject.toml'), reader);
    if (found !== undefined) return found;
    const parent = dirname(current);
    if (parent === current) return undefined;
    current = parent;
  }
  return undefined;
}

/** `[tool.rind]` of one file; undefined when there is no file or no such table. @throws TrustSettingsError */
export async function readProjectTrust(path: string, reader: Reader): Promise<TrustSettings | undefined> {
  const file = await readOwnFile(path);
  if (file === undefined || !file.text.includes('rind')) return undefined;
  // Loaded for those who have such a file: most runs have none.
  const { parseTomlTable, readTrustSettings } = await import('./trust-settings.ts');
  const table = toolRindOf(parseTomlTable(file.text, path));
  if (table === undefined) return undefined;
  await requireOwn(path, file, reader);
  return readTrustSettings(table, path);
}

/** A file of settings that nobody else may have written. @throws TrustSettingsError */
export async function readTrustFile(path: string, reader: Reader): Promise<string | undefined> {
  const file = await readOwnFile(path);
  if (file === undefined) return undefined;
  await requireOwn(path, file, reader);
  return file.text;
}

interface ReadFile {
  readonly text: string;
  readonly uid: number;
  readonly mode: number;
}

/** Owner and content of the same open file, so that it cannot be exchanged in between. */
async function readOwnFile(path: string): Promise<ReadFile | undefined> {
  const file = await openRegular(path);
  if (file === undefined) return undefined;
  try {
    const { uid, mode, size } = await file.stat();
    if (size > LONGEST_FILE) throw new TrustSettingsError('unreadable', path, 'it is too long to be read');
    return { text: await file.readFile('utf8'), uid, mode };
  } finally {
    await file.close();
  }
}

async function openRegular(path: string): Promise<FileHandle | undefined> {
  try {
    // A pipe of this name must not make anybody wait.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    if ((await file.stat()).isFile()) return file;
    await file.close();
    return undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new TrustSettingsError('unreadable', path, `it cannot be read (${code ?? 'unknown error'})`, {
      cause: error,
    });
  }
}

async function requireOwn(path: string, file: ReadFile, reader: Reader): Promise<void> {
  if (reader.uid === undefined) return;
  const folder = dirname(path);
  if (reader.safeFolder !== undefined && resolve(reader.safeFolder) === folder) return;
  const { uid, mode } = await stat(folder);
  const isMine = (owner: number): boolean => owner === reader.uid || owner === 0;
  if (!isMine(file.uid) || !isMine(uid)) {
    throw new TrustSettingsError(
      'foreign',
      path,
      `it decides whom to trust, and belongs to another user; RIND_SAFE_FOLDER=${folder} lets it count all the same`,
    );
  }
  const isSticky = (mode & 0o1000) !== 0;
  if ((file.mode & 0o002) !== 0 || ((mode & 0o002) !== 0 && !isSticky)) {
    throw new TrustSettingsError('foreign', path, 'it decides whom to trust, and everybody may write to it');
  }
}

function toolRindOf(table: { readonly [key: string]: unknown }): unknown {
  const tool = table['tool'];
  if (typeof tool !== 'object' || tool === null || !Object.hasOwn(tool, 'rind')) return undefined;
  return (tool as { readonly rind?: unknown }).rind;
}
