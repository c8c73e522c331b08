import type { SqliteDatabase, SqliteModule, SqliteStatement } from './sqlite-module.ts';

/** `rows` of a statement that returns some; otherwise how many rows it changed and the id of the last one inserted. */
export interface StatementResult {
  readonly rows: readonly unknown[];
  readonly changes: number;
  readonly lastInsertId: number;
}

/** Who opens: one connection of a file writes, any number read. */
export interface ConnectionOptions {
  readonly path: string;
  readonly readOnly: boolean;
}

interface PreparedStatement {
  readonly statement: SqliteStatement;
  readonly returnsRows: boolean;
}

const STATEMENTS_KEPT = 256;
/** Longer statements are bulk inserts whose text is rarely seen twice. */
const KEPT_SQL_LENGTH = 4096;

/** While opening, another process may be recovering the log. */
const OPEN_BUSY_TIMEOUT_MS = 5000;
/** While running, a held write lock is waited for by the driver, which does not stop the thread. */
const RUN_BUSY_TIMEOUT_MS = 10;

/** One open SQLite file, synchronous. Keeps the statements it has prepared. */
export class SqliteConnection {
  readonly #database: SqliteDatabase;
  readonly #readOnly: boolean;
  readonly #statements = new Map<string, PreparedStatement>();

  constructor(module: SqliteModule, { path, readOnly }: ConnectionOptions) {
    this.#readOnly = readOnly;
    this.#database = new module.DatabaseSync(path, { readOnly });
    try {
      this.#database.exec(`pragma busy_timeout = ${OPEN_BUSY_TIMEOUT_MS}`);
      if (!readOnly) this.#database.exec('pragma journal_mode = wal; pragma synchronous = full');
      this.#database.exec(
        'pragma foreign_keys = on; pragma trusted_schema = off; pragma temp_store = memory; pragma cache_size = -32768',
      );
      if (!readOnly) this.#database.exec(`pragma busy_timeout = ${RUN_BUSY_TIMEOUT_MS}`);
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  /** Runs one statement; throws the driver's error (see sqlite-error.ts). */
  execute(sql: string, parameters: readonly unknown[]): StatementResult {
    const { statement, returnsRows } = this.#prepare(sql);
    if (returnsRows) return { rows: statement.all(...parameters), changes: 0, lastInsertId: 0 };
    const { changes, lastInsertRowid } = statement.run(...parameters);
    return { rows: [], changes: Number(changes), lastInsertId: Number(lastInsertRowid) };
  }

  /**
   * Puts the log into the file and closes. The driver of Node.js 20 cannot finalize statements: such a connection stays half open until they
   * are collected as garbage, so it must not be the only thing that empties the log.
   */
  close(): void {
    this.#statements.clear();
    try {
      if (!this.#readOnly) this.#database.exec('pragma wal_checkpoint(truncate)');
    } catch {
      // A full disk, say. Nothing is lost: whoever opens the file next reads the log.
    }
    this.#database.close();
  }

  #prepare(sql: string): PreparedStatement {
    const kept = this.#statements.get(sql);
    if (kept !== undefined) {
      this.#statements.delete(sql);
      this.#statements.set(sql, kept);
      return kept;
    }
    const statement = this.#database.prepare(sql);
    const prepared = { statement, returnsRows: statement.columns().length > 0 };
    if (sql.length <= KEPT_SQL_LENGTH) this.#keep(sql, prepared);
    return prepared;
  }

  #keep(sql: string, prepared: PreparedStatement): void {
    if (this.#statements.size >= STATEMENTS_KEPT) {
      const [oldest] = this.#statements.keys();
      if (oldest !== undefined) this.#statements.delete(oldest);
    }
    this.#statements.set(sql, prepared);
  }
}
