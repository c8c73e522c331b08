import { join } from 'node:path';
import { createDatabaseFile } from './create-database-file.ts';
import { DatabaseError } from './errors.ts';
import { isBusy } from './sqlite-error.ts';
import { loadSqlite, type SqliteDatabase } from './sqlite-module.ts';

const LOCK_FILE = 'publisher.lock';

/** Keeps the connections alive: one collected as garbage would be closed, and its lock gone. */
const held = new Set<SqliteDatabase>();

/** Held until `release` or the end of the process, however it ends. */
export interface StoreLock {
  release(): void;
}

/**
 * Makes sure that one process alone publishes from a folder. The lock is an exclusive transaction on a SQLite file of its own:
 * the operating system takes it back when the process dies, and nothing is left behind to clean up. Throws STORE_LOCKED.
 */
export async function acquireStoreLock(folder: string): Promise<StoreLock> {
  const path = join(folder, LOCK_FILE);
  const { DatabaseSync } = await loadSqlite();
  await createDatabaseFile(path);
  const database = new DatabaseSync(path, { readOnly: false });
  try {
    // Without a log file, the lock is on the file itself.
    database.exec('pragma journal_mode = delete; begin exclusive');
  } catch (cause) {
    database.close();
    if (!isBusy(cause))
      throw new DatabaseError('OPEN_FAILED', `The lock ${path} cannot be taken.`, { cause });
    throw new DatabaseError(
      'STORE_LOCKED',
      `Another process publishes from ${folder} (it holds ${LOCK_FILE}); stop it first, or start this one with another folder.`,
      { cause },
    );
  }
  held.add(database);
  return {
    release: () => {
      if (held.delete(database)) database.close();
    },
  };
}
