import { randomBytes } from 'node:crypto';
import type { Stats } from 'node:fs';
import { link, open, unlink, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { PrivateKeyError } from './errors.ts';

const OWNER_ONLY = 0o600;
const GROUP_AND_OTHERS = 0o077;

/** Writes a file that only its owner may read; whole or not at all, durable when it resolves, never over another file. Throws FILE_EXISTS, FILE_UNUSABLE. */
export async function writePrivateFile(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    const file = await open(temporary, 'wx', OWNER_ONLY);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await link(temporary, path);
    await syncFolder(dirname(path));
  } catch (cause) {
    throw toPrivateKeyError(cause, path, 'written');
  } finally {
    await unlink(temporary).catch(() => undefined);
  }
}

/** Reads a file written by `writePrivateFile`. Throws INSECURE_PERMISSIONS when anybody else may read it or owns it, FILE_MISSING, FILE_UNUSABLE. */
export async function readPrivateFile(path: string, maxLength: number): Promise<Uint8Array> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'r');
    const stats = await file.stat();
    requirePrivate(path, stats);
    if (!stats.isFile() || stats.size > maxLength) {
      throw new PrivateKeyError('FILE_UNUSABLE', `${path} is no file of at most ${maxLength} bytes.`, {
        path,
      });
    }
    return await file.readFile();
  } catch (cause) {
    throw toPrivateKeyError(cause, path, 'read');
  } finally {
    await file?.close();
  }
}

function requirePrivate(path: string, { mode, uid }: Stats): void {
  const user = process.geteuid?.();
  // Windows: no owner and no mode to check.
  if (user === undefined) return;
  if ((mode & GROUP_AND_OTHERS) !== 0) {
    throw new PrivateKeyError(
      'INSECURE_PERMISSIONS',
      `${path} can be reached by others than its owner; if nobody has read it, run: chmod 600 ${path}`,
      { path },
    );
  }
  if (uid !== user && uid !== 0) {
    throw new PrivateKeyError('INSECURE_PERMISSIONS', `${path} belongs to another user (${uid}).`, { path });
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

function toPrivateKeyError(cause: unknown, path: string, done: 'read' | 'written'): PrivateKeyError {
  if (cause instanceof PrivateKeyError) return cause;
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (code === 'EEXIST') {
    return new PrivateKeyError('FILE_EXISTS', `${path} exists and is never overwritten.`, { path, cause });
  }
  if (code === 'ENOENT') {
    return new PrivateKeyError('FILE_MISSING', `${path} is not there.`, { path, cause });
  }
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new PrivateKeyError('FILE_UNUSABLE', `${path} cannot be ${done}: ${reason}.`, { path, cause });
}
