/** Entry of the worker thread that runs SQLite statements, one at a time, in the order of the requests. */
import { parentPort } from 'node:worker_threads';
import { SqliteConnection } from './sqlite-connection.ts';
import { sqliteResultCode } from './sqlite-error.ts';
import { loadSqlite, type SqliteModule } from './sqlite-module.ts';
import type { ThreadReply, ThreadRequest } from './sqlite-thread-protocol.ts';

class StatementThread {
  readonly #module: SqliteModule;
  readonly #sessions = new Map<number, SqliteConnection>();
  #lastSession = 0;

  constructor(module: SqliteModule) {
    this.#module = module;
  }

  answer(request: ThreadRequest): ThreadReply {
    try {
      return this.#run(request);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      return { id: request.id, error: { message, errcode: sqliteResultCode(error) } };
    }
  }

  #run(request: ThreadRequest): ThreadReply {
    const { id } = request;
    switch (request.kind) {
      case 'open': {
        const session = ++this.#lastSession;
        this.#sessions.set(session, new SqliteConnection(this.#module, request.options));
        return { id, session };
      }
      case 'execute':
        return { id, result: this.#session(request.session).execute(request.sql, request.parameters) };
      case 'close':
        this.#session(request.session).close();
        this.#sessions.delete(request.session);
        return { id, closed: true };
    }
  }

  #session(number: number): SqliteConnection {
    const session = this.#sessions.get(number);
    if (session === undefined) throw new Error(`There is no database session ${number}.`);
    return session;
  }
}

if (parentPort !== null) {
  const port = parentPort;
  const thread = new StatementThread(await loadSqlite());
  port.on('message', (request: ThreadRequest) => port.postMessage(thread.answer(request)));
}
