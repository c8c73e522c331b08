import { randomBytes } from 'node:crypto';
import { link, mkdir, open, readdir, readFile, rename, rm, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CeremonyError } from './errors.ts';

const MAX_FILE_BYTES = 64 << 20;
const MAX_FILES = 10_000;
/** Names that we write: nothing that leaves the folder or that a file system on a stick reads differently. */
const SAFE_NAME = /^[a-z0-9][a-z0-9._-]{0,200}$/;

/** Writes a new folder of files, by relative path: whole and durable, or not at all; never over another. Throws FOLDER_EXISTS, FOLDER_UNUSABLE. */
export async function writeFolderOnce(path: string, files: ReadonlyMap<string, Uint8Array>): Promise<void> {
  if (await exists(path))
    throw new CeremonyError('FOLDER_EXISTS', `${path} exists and is never overwritten; name another folder.`);
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await mkdir(temporary, { mode: 0o755 });
    for (const [name, bytes] of files) {
      await mkdir(dirname(join(temporary, name)), { recursive: true });
      await writeSynced(join(temporary, name), bytes);
    }
    for (const folder of new Set([...files.keys()].map((name) => dirname(name))))
      await syncFolder(join(temporary, folder));
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (cause) {
    await rm(temporary, { recursive: true, force: true });
    throw unusable(path, 'written', cause);
  }
}

/** Adds a file to a folder: whole and durable, or not at all. 'exists' when the name is taken: then nothing changed. */
export async function addFileOnce(path: string, bytes: Uint8Array): Promise<'added' | 'exists'> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await mkdir(dirname(path), { recursive: true });
    if (await exists(path)) return 'exists';
    await writeSynced(temporary, bytes);
    const outcome = await nameFile(temporary, path);
    await syncFolder(dirname(path));
    return outcome;
  } catch (cause) {
    throw unusable(path, 'written', cause);
  } finally {
    await unlink(temporary).catch(() => undefined);
  }
}

/** Every file of a folder and its sub-folders by relative path with `/`. Temporary names are left out, names that we never write are refused. */
export async function readFolder(path: string): Promise<ReadonlyMap<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  const visit = async (folder: string): Promise<void> => {
    for (const entry of await readdir(join(path, folder), { withFileTypes: true })) {
      const name = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.name.endsWith('.tmp')) continue;
      if (!SAFE_NAME.test(entry.name) || files.size >= MAX_FILES)
        throw new CeremonyError(
          'TAMPERED',
          `${path} holds ${JSON.stringify(name)}, which is no file of a ceremony.`,
        );
      if (entry.isDirectory()) await visit(name);
      else files.set(name, await readBounded(join(path, name)));
    }
  };
  try {
    await visit('');
  } catch (cause) {
    if (cause instanceof CeremonyError) throw cause;
    throw unusable(path, 'read', cause);
  }
  return files;
}

/** Whether there is anything under that path. */
export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** A whole file within the limit of ceremony files. Throws FOLDER_UNUSABLE. */
export async function readBounded(path: string): Promise<Uint8Array> {
  try {
    const { size } = await stat(path);
    if (size > MAX_FILE_BYTES) throw new Error(`it has ${size} bytes, more than ${MAX_FILE_BYTES}`);
    return new Uint8Array(await readFile(path));
  } catch (cause) {
    throw unusable(path, 'read', cause);
  }
}

async function writeSynced(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'wx', 0o644);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** A hard link fails when the name is taken, whoever took it; sticks formatted with FAT have none. */
async function nameFile(temporary: string, path: string): Promise<'added' | 'exists'> {
  try {
    await link(temporary, path);
    return 'added';
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return 'exists';
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'EOPNOTSUPP' && code !== 'ENOSYS') throw error;
    if (await exists(path)) return 'exists';
    await rename(temporary, path);
    return 'added';
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function unusable(path: string, done: 'read' | 'written', cause: unknown): CeremonyError {
  if (cause instanceof CeremonyError) return cause;
  const code = (cause as NodeJS.ErrnoException).code;
  const reason =
    code === 'ENOSPC'
      ? 'the disk is full; make room and do it again, nothing was half-written'
      : code === 'ENOENT'
        ? 'it is not there'
        : cause instanceof Error
          ? cause.message
          : String(cause);
  return new CeremonyError('FOLDER_UNUSABLE', `${path} cannot be ${done}: ${reason}.`, { cause });
}
