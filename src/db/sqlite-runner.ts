import { SqliteConnection, type ConnectionOptions, type StatementResult } from './sqlite-connection.ts';
import { loadSqlite, type SqliteModule } from './sqlite-module.ts';

/** An open connection wherever it runs. */
export interface SqliteSession {
  execute(sql: string, parameters: readonly unknown[]): Promise<StatementResult>;
  close(): Promise<void>;
}

/** Opens connections and runs their statements: in this thread, or in a worker thread (sqlite-thread-runner.ts). */
export interface SqliteRunner {
  open(options: ConnectionOptions): Promise<SqliteSession>;
  /** Ends the thread, if any; close the sessions first. */
  close(): Promise<void>;
}

/** Runs statements at once in the calling thread: no round trip, but the event loop stands still meanwhile. */
export class SameThreadRunner implements SqliteRunner {
  readonly #module: SqliteModule;

  private constructor(module: SqliteModule) {
    this.#module = module;
  }

  static async start(): Promise<SameThreadRunner> {
    return new SameThreadRunner(await loadSqlite());
  }

  async open(options: ConnectionOptions): Promise<SqliteSession> {
    const connection = new SqliteConnection(this.#module, options);
    return {
      execute: async (sql, parameters) => connection.execute(sql, parameters),
      close: async () => connection.close(),
    };
  }

  async close(): Promise<void> {}
}
