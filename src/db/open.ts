import { Kysely } from 'kysely';
import { createDatabaseFile } from './create-database-file.ts';
import { DatabaseError } from './errors.ts';
import { migrate } from './migrate.ts';
import type { Schema } from './schema.ts';
import { SqliteDialect } from './sqlite-dialect.ts';
import { SameThreadRunner, type SqliteRunner } from './sqlite-runner.ts';
import { ThreadRunner } from './sqlite-thread-runner.ts';

export interface OpenDatabaseOptions {
  /** The database file, made with mode 0600 when absent; its folder must exist. Two more files, `-wal` and `-shm`, lie beside it while it is open. While it is, nothing in this process may open it by other means (see createDatabaseFile). */
  readonly path: string;
  /** Run the statements in worker threads, so that no statement stops the caller's event loop (server). Otherwise in this thread. */
  readonly thread?: boolean;
  /** Called before each commit of a write: the seam of fault injection. Throwing rolls back. */
  readonly beforeCommit?: () => void;
  /** Called once when the medium failed under a write, or the thread ended: every later write fails, and the process is to be started again. */
  readonly onFailure?: (failure: DatabaseError) => void;
}

export interface Database {
  readonly db: Kysely<Schema>;
  /** Checkpoints and closes; running transactions must have ended. */
  close(): Promise<void>;
}

/** Opens the database file and brings its tables up to date. Throws DatabaseError. */
export async function openDatabase(options: OpenDatabaseOptions): Promise<Database> {
  const { path, thread = false, beforeCommit, onFailure } = options;
  await createDatabaseFile(path);
  const [writerRunner, readerRunner] = await startRunners(thread);
  const db = new Kysely<Schema>({
    dialect: new SqliteDialect({ path, writerRunner, readerRunner, beforeCommit, onFailure }),
  });
  try {
    await migrate(db);
  } catch (cause) {
    await db.destroy();
    await Promise.all([writerRunner.close(), readerRunner.close()]);
    if (cause instanceof DatabaseError) throw cause;
    throw new DatabaseError('OPEN_FAILED', `The database ${path} cannot be opened: ${reason(cause)}.`, {
      cause,
    });
  }
  return { db, close: () => db.destroy() };
}

async function startRunners(thread: boolean): Promise<readonly [SqliteRunner, SqliteRunner]> {
  if (thread) return [new ThreadRunner(), new ThreadRunner()];
  const runner = await SameThreadRunner.start();
  return [runner, runner];
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
