import type { Kysely } from 'kysely';
import type { Schema } from './schema.ts';

export interface OpenDatabaseOptions {
  /** The database file; made with mode 0600 when absent. */
  readonly path: string;
  /** Run the statements in worker threads, so that no statement stops the caller's event loop (server). Otherwise in this thread. */
  readonly thread?: boolean;
  /** Called before each commit of a write: the seam of fault injection. Throwing rolls back. */
  readonly beforeCommit?: () => void;
}

export interface Database {
  readonly db: Kysely<Schema>;
  /** Checkpoints and closes; running transactions must have ended. */
  close(): Promise<void>;
}

/** Opens the database file and brings its tables up to date. Throws DatabaseError. */
export declare function openDatabase(options: OpenDatabaseOptions): Promise<Database>;
