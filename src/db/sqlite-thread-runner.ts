import { Worker } from 'node:worker_threads';
import { DatabaseError } from './errors.ts';
import type { ConnectionOptions, StatementResult } from './sqlite-connection.ts';
import type { SqliteRunner, SqliteSession } from './sqlite-runner.ts';
import type { ThreadError, ThreadReply, ThreadRequest } from './sqlite-thread-protocol.ts';

type WithoutId<T> = T extends unknown ? Omit<T, 'id'> : never;

interface Waiting {
  readonly resolve: (reply: ThreadReply) => void;
  readonly reject: (error: Error) => void;
}

/** An error of SQLite that was thrown in the worker thread; `errcode` is the extended result code. */
class SqliteThreadError extends Error {
  override readonly name = 'SqliteError';
  readonly errcode: number | undefined;

  constructor({ message, errcode }: ThreadError) {
    super(message);
    this.errcode = errcode;
  }
}

/** Runs statements in a worker thread of its own. When the thread dies, whatever waits and whatever comes later fails with THREAD_DIED. */
export class ThreadRunner implements SqliteRunner {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #death: DatabaseError | undefined;

  constructor() {
    this.#worker = startWorker();
    this.#worker.on('message', (reply: ThreadReply) => this.#settle(reply));
    this.#worker.on('error', (cause) => this.#die(cause));
    this.#worker.on('exit', () => this.#die(undefined));
    this.#worker.unref();
  }

  async open(options: ConnectionOptions): Promise<SqliteSession> {
    const reply = await this.#ask({ kind: 'open', options });
    if (!('session' in reply)) throw unexpected(reply);
    const { session } = reply;
    return {
      execute: (sql, parameters) => this.#execute(session, sql, parameters),
      close: async () => {
        await this.#ask({ kind: 'close', session });
      },
    };
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  async #execute(session: number, sql: string, parameters: readonly unknown[]): Promise<StatementResult> {
    const reply = await this.#ask({ kind: 'execute', session, sql, parameters });
    if (!('result' in reply)) throw unexpected(reply);
    return reply.result;
  }

  async #ask(request: WithoutId<ThreadRequest>): Promise<ThreadReply> {
    if (this.#death !== undefined) throw this.#death;
    const id = ++this.#lastId;
    const reply = await new Promise<ThreadReply>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      if (this.#waiting.size === 1) this.#worker.ref();
      this.#worker.postMessage({ ...request, id });
    });
    if ('error' in reply) throw new SqliteThreadError(reply.error);
    return reply;
  }

  #settle(reply: ThreadReply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    // Only a pending statement keeps the process alive.
    if (this.#waiting.size === 0) this.#worker.unref();
    waiting?.resolve(reply);
  }

  #die(cause: unknown): void {
    this.#death ??= new DatabaseError(
      'THREAD_DIED',
      'The database thread has ended; start the program again.',
      {
        cause,
      },
    );
    for (const { reject } of this.#waiting.values()) reject(this.#death);
    this.#waiting.clear();
  }
}

function startWorker(): Worker {
  if (!import.meta.url.endsWith('.ts')) return new Worker(new URL('./sqlite-thread.js', import.meta.url));
  // Run from source (tests, development), Node.js 20 needs tsx to load TypeScript in a new thread.
  const entry = new URL('./sqlite-thread.ts', import.meta.url).href;
  const load = `import('tsx/esm/api').then((tsx) => tsx.register()).then(() => import(${JSON.stringify(entry)}))`;
  return new Worker(load, { eval: true });
}

function unexpected(reply: ThreadReply): DatabaseError {
  return new DatabaseError('THREAD_DIED', `The database thread gave a wrong answer to request ${reply.id}.`);
}
