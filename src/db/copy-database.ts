import { open, rm, stat } from 'node:fs/promises';
import { createDatabaseFile } from './create-database-file.ts';
import { DatabaseError } from './errors.ts';
import { openDatabase } from './open.ts';
import { loadSqlite } from './sqlite-module.ts';

/**
 * Copies a database while it is in use: SQLite reads one snapshot of it and writes a whole file, mode 0600. Never call it in the process that
 * has the database open (see createDatabaseFile). `to` must not exist; make it durable with `settleDatabaseFile`. Throws DatabaseError.
 */
export async function copyDatabase(from: string, to: string): Promise<void> {
  const { DatabaseSync } = await loadSqlite();
  await createDatabaseFile(to);
  const database = new DatabaseSync(from, { readOnly: false });
  try {
    database.exec('pragma busy_timeout = 5000');
    // No prepared statement: the driver of Node.js 20 would keep the file open for it.
    database.exec(`vacuum into '${to.replaceAll("'", "''")}'`);
  } catch (cause) {
    throw new DatabaseError('OPEN_FAILED', `The database ${from} cannot be copied to ${to}.`, { cause });
  } finally {
    database.close();
  }
}

/** Puts whatever the log file beside a database holds into the database itself, so that this one file is all of it; durable when it resolves. Nobody may have it open. */
export async function settleDatabaseFile(path: string): Promise<void> {
  const { DatabaseSync } = await loadSqlite();
  const database = new DatabaseSync(path, { readOnly: false });
  try {
    database.exec('pragma wal_checkpoint(truncate)');
    const log = await stat(`${path}-wal`).catch(() => undefined);
    if ((log?.size ?? 0) > 0) throw new DatabaseError('OPEN_FAILED', `The database ${path} is in use.`);
  } finally {
    database.close();
  }
  for (const log of [`${path}-wal`, `${path}-shm`]) await rm(log, { force: true });
  const file = await open(path, 'r+');
  await file.sync();
  await file.close();
}

/** Throws OPEN_FAILED unless SQLite finds the file whole; brings its tables up to date. */
export async function requireWholeDatabase(path: string): Promise<void> {
  const { DatabaseSync } = await loadSqlite();
  const database = new DatabaseSync(path, { readOnly: false });
  try {
    const rows = database.prepare('pragma integrity_check').all() as { integrity_check?: unknown }[];
    if (rows[0]?.integrity_check !== 'ok') throw new Error('integrity_check found damage');
  } catch (cause) {
    throw new DatabaseError('OPEN_FAILED', `The database ${path} is damaged; take another backup.`, {
      cause,
    });
  } finally {
    database.close();
  }
  await (await openDatabase({ path })).close();
}
