import { setTimeout as sleep } from 'node:timers/promises';
import {
  SelectQueryNode,
  type CompiledQuery,
  type DatabaseConnection,
  type Driver,
  type QueryResult,
  type TransactionSettings,
} from 'kysely';
import { DatabaseError } from './errors.ts';
import { Mutex } from './mutex.ts';
import { isBusy, isInputOutputError } from './sqlite-error.ts';
import type { StatementResult } from './sqlite-connection.ts';
import type { SqliteRunner, SqliteSession } from './sqlite-runner.ts';

/** How long another process or thread may hold the write lock before a write here gives up. */
const WRITE_LOCK_TIMEOUT_MS = 10_000;
const WRITE_LOCK_PAUSE_MS = 5;
const IDLE_READERS_KEPT = 4;

export interface SqliteDriverOptions {
  readonly path: string;
  readonly writerRunner: SqliteRunner;
  /** May be the same as `writerRunner`. */
  readonly readerRunner: SqliteRunner;
  readonly beforeCommit: (() => void) | undefined;
  /** Told once when nothing can be written any more: only a new process can know what is on the disk. */
  readonly onFailure: ((failure: DatabaseError) => void) | undefined;
}

/**
 * Kysely's driver for one SQLite file in WAL mode. One connection writes, one transaction at a time;
 * single selects go to a reading connection, each read transaction has a reading connection of its own, and neither waits for writers.
 */
export class SqliteDriver implements Driver {
  readonly #options: SqliteDriverOptions;
  readonly #writing = new Mutex();
  readonly #idleReaders: SqliteSession[] = [];
  #writer: SqliteSession | undefined;
  #reader: SqliteSession | undefined;
  #failure: DatabaseError | undefined;

  constructor(options: SqliteDriverOptions) {
    this.#options = options;
  }

  async init(): Promise<void> {
    const { path, writerRunner, readerRunner } = this.#options;
    // The writer first: it makes the file and turns on the log that readers need.
    this.#writer = await writerRunner.open({ path, readOnly: false });
    this.#reader = await readerRunner.open({ path, readOnly: true });
  }

  async acquireConnection(): Promise<DatabaseConnection> {
    return new RoutedConnection(
      (sql, parameters) => this.#noticeDeath(() => this.#open(this.#reader).execute(sql, parameters)),
      (sql, parameters) => this.#writeOnce(sql, parameters),
      (attempt) => this.#noticeFailure(attempt),
    );
  }

  async beginTransaction(connection: DatabaseConnection, settings: TransactionSettings): Promise<void> {
    const routed = asRouted(connection);
    if (settings.accessMode === 'read only') {
      const reader = this.#idleReaders.pop() ?? (await this.#openReader());
      try {
        await reader.execute('begin', []);
      } catch (error) {
        await reader.close();
        throw error;
      }
      routed.bind({ session: reader, writes: false });
      return;
    }
    await this.#writing.lock();
    try {
      this.#requireHealthy();
      await this.#noticeFailure(() =>
        this.#patiently(() => this.#open(this.#writer).execute('begin immediate', [])),
      );
    } catch (error) {
      this.#writing.unlock();
      throw error;
    }
    routed.bind({ session: this.#open(this.#writer), writes: true });
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    const { session, writes } = asRouted(connection).bound();
    if (writes) this.#options.beforeCommit?.();
    await this.#noticeFailure(() => session.execute('commit', []));
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    const { session } = asRouted(connection).bound();
    try {
      await session.execute('rollback', []);
    } catch (error) {
      // After a full disk or a failed write SQLite has rolled back by itself; after a failure nothing is written any more.
      if (this.#failure !== undefined) return;
      if (!(error instanceof Error) || !error.message.includes('no transaction is active')) throw error;
    }
  }

  async releaseConnection(connection: DatabaseConnection): Promise<void> {
    const transaction = asRouted(connection).unbind();
    if (transaction === undefined) return;
    if (transaction.writes) this.#writing.unlock();
    else if (this.#idleReaders.length < IDLE_READERS_KEPT) this.#idleReaders.push(transaction.session);
    else await transaction.session.close();
  }

  async destroy(): Promise<void> {
    const { writerRunner, readerRunner } = this.#options;
    for (const reader of this.#idleReaders) await reader.close();
    await this.#reader?.close();
    // The writer last: the last connection to close checkpoints the log into the file, and only a writer can.
    await this.#writer?.close();
    await readerRunner.close();
    if (writerRunner !== readerRunner) await writerRunner.close();
  }

  async #openReader(): Promise<SqliteSession> {
    return this.#options.readerRunner.open({ path: this.#options.path, readOnly: true });
  }

  async #writeOnce(sql: string, parameters: readonly unknown[]): Promise<StatementResult> {
    await this.#writing.lock();
    try {
      this.#requireHealthy();
      this.#options.beforeCommit?.();
      return await this.#noticeFailure(() =>
        this.#patiently(() => this.#open(this.#writer).execute(sql, parameters)),
      );
    } finally {
      this.#writing.unlock();
    }
  }

  /** Tries again while somebody else holds the write lock, without stopping this thread as SQLite's own waiting would. */
  async #patiently<T>(attempt: () => Promise<T>): Promise<T> {
    const deadline = performance.now() + WRITE_LOCK_TIMEOUT_MS;
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        if (!isBusy(error) || performance.now() > deadline) throw error;
      }
      await sleep(WRITE_LOCK_PAUSE_MS);
    }
  }

  /** For everything that writes. Throws WRITE_FAILED in place of an I/O error: callers must not take it for one that passes. */
  async #noticeFailure<T>(attempt: () => Promise<T>): Promise<T> {
    try {
      return await this.#noticeDeath(attempt);
    } catch (cause) {
      if (!isInputOutputError(cause)) throw cause;
      throw this.#fail(
        new DatabaseError(
          'WRITE_FAILED',
          `The database ${this.#options.path} could not be written, what is on the disk is unknown; mend the disk and start again.`,
          { cause },
        ),
      );
    }
  }

  async #noticeDeath<T>(attempt: () => Promise<T>): Promise<T> {
    try {
      return await attempt();
    } catch (error) {
      if (error instanceof DatabaseError && error.code === 'THREAD_DIED') throw this.#fail(error);
      throw error;
    }
  }

  #fail(failure: DatabaseError): DatabaseError {
    if (this.#failure === undefined) {
      this.#failure = failure;
      this.#options.onFailure?.(failure);
    }
    return this.#failure;
  }

  #requireHealthy(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  #open(session: SqliteSession | undefined): SqliteSession {
    if (session === undefined) throw new DatabaseError('OPEN_FAILED', 'The database is not open.');
    return session;
  }
}

interface BoundTransaction {
  readonly session: SqliteSession;
  readonly writes: boolean;
}

type Execute = SqliteSession['execute'];
type NoticeFailure = <T>(attempt: () => Promise<T>) => Promise<T>;

/** What kysely takes for a connection: statements of a transaction go to its session, others where they belong. */
class RoutedConnection implements DatabaseConnection {
  readonly #read: Execute;
  readonly #write: Execute;
  readonly #noticeFailure: NoticeFailure;
  #transaction: BoundTransaction | undefined;

  constructor(read: Execute, write: Execute, noticeFailure: NoticeFailure) {
    this.#read = read;
    this.#write = write;
    this.#noticeFailure = noticeFailure;
  }

  bind(transaction: BoundTransaction): void {
    this.#transaction = transaction;
  }

  bound(): BoundTransaction {
    if (this.#transaction === undefined) throw new DatabaseError('WRONG_STATE', 'No transaction is running.');
    return this.#transaction;
  }

  unbind(): BoundTransaction | undefined {
    const transaction = this.#transaction;
    this.#transaction = undefined;
    return transaction;
  }

  async executeQuery<R>({ sql, parameters, query }: CompiledQuery): Promise<QueryResult<R>> {
    const { rows, changes, lastInsertId } = await this.#route(SelectQueryNode.is(query))(sql, parameters);
    return {
      rows: rows as R[],
      numAffectedRows: BigInt(changes),
      insertId: BigInt(lastInsertId),
    };
  }

  // eslint-disable-next-line require-yield
  async *streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new DatabaseError('WRONG_STATE', 'Rows are not streamed here; read them in pages by key.');
  }

  #route(isSelect: boolean): Execute {
    const transaction = this.#transaction;
    if (transaction !== undefined) {
      const { session, writes } = transaction;
      if (!writes) return (sql, parameters) => session.execute(sql, parameters);
      return (sql, parameters) => this.#noticeFailure(() => session.execute(sql, parameters));
    }
    return isSelect ? this.#read : this.#write;
  }
}

function asRouted(connection: DatabaseConnection): RoutedConnection {
  if (!(connection instanceof RoutedConnection)) throw new TypeError('The connection is of another driver.');
  return connection;
}
