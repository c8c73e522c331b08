import { DatabaseError } from './errors.ts';

/** What this folder uses of `node:sqlite`. Node.js 20 has no such module and its types know none. */
export interface SqliteStatement {
  all(...parameters: unknown[]): unknown[];
  run(...parameters: unknown[]): {
    readonly changes: number | bigint;
    readonly lastInsertRowid: number | bigint;
  };
  columns(): readonly unknown[];
}

export interface SqliteDatabase {
  prepare(sql: string): SqliteStatement;
  exec(sql: string): void;
  close(): void;
}

export interface SqliteModule {
  readonly DatabaseSync: new (path: string, options: { readonly readOnly: boolean }) => SqliteDatabase;
}

/** The SQLite of Node.js; on Node.js 20, which has none, that of the optional dependency with the same API. Throws DRIVER_MISSING. */
export async function loadSqlite(): Promise<SqliteModule> {
  const builtin = builtinSqlite();
  if (builtin !== undefined) return builtin;
  try {
    return (await import('@photostructure/sqlite')) as unknown as SqliteModule;
  } catch (cause) {
    throw new DatabaseError(
      'DRIVER_MISSING',
      `Node.js ${process.versions.node} has no SQLite of its own and @photostructure/sqlite cannot be loaded; use Node.js 24, or install that package.`,
      { cause },
    );
  }
}

function builtinSqlite(): SqliteModule | undefined {
  const warn = process.emitWarning.bind(process);
  // Node.js 22 calls its SQLite experimental on every start; that is nothing a user of ours can act on.
  process.emitWarning = () => undefined;
  try {
    return process.getBuiltinModule('node:sqlite') as unknown as SqliteModule | undefined;
  } finally {
    process.emitWarning = warn;
  }
}
