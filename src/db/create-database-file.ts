import { randomBytes } from 'node:crypto';
import { link, open, unlink } from 'node:fs/promises';
import { DatabaseError } from './errors.ts';

/**
 * Makes an empty file for SQLite that only its owner may read, unless the file exists; SQLite would make it readable by all, and the log files
 * take their mode from it. Never opens a file that exists: closing it again would drop the locks that this process holds on it through SQLite
 * (POSIX gives them up with any descriptor of the file), and another process could then write into a database in use. Throws OPEN_FAILED.
 */
export async function createDatabaseFile(path: string): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    const file = await open(temporary, 'wx', 0o600);
    await file.close();
    await link(temporary, path);
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'EEXIST') return;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new DatabaseError('OPEN_FAILED', `The database ${path} cannot be made: ${reason}.`, { cause });
  } finally {
    await unlink(temporary).catch(() => undefined);
  }
}
