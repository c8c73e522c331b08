import { mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { copyDatabase, settleDatabaseFile } from './copy-database.ts';
import { findIndex, insertIndex, listIndexes } from './indexes.ts';
import { openDatabase, type Database } from './open.ts';
import { isUniqueViolation } from './sqlite-error.ts';
import { readTransaction, writeTransaction } from './transactions.ts';

const NOW = new Date('2026-11-22T12:00:00Z');
const DEFAULT = { name: '', profile: 'team', now: NOW };

describe.each([{ thread: false }, { thread: true }])('openDatabase with thread: $thread', ({ thread }) => {
  let folder: string;
  let path: string;
  let database: Database;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rind-db-'));
    path = join(folder, 'rind.db');
    database = await openDatabase({ path, thread });
  });

  afterEach(async () => {
    await database.close();
    await rm(folder, { recursive: true });
  });

  it('keeps rows across a restart', async () => {
    await insertIndex(database.db, DEFAULT);
    await database.close();
    database = await openDatabase({ path, thread });
    expect(await findIndex(database.db, '')).toMatchObject({
      id: 1,
      name: '',
      profile: 'team',
      created_at: '2026-11-22T12:00:00.000Z',
    });
  });

  it('leaves nothing in the log when it is closed, also after errors and read transactions', async () => {
    await insertIndex(database.db, DEFAULT);
    await insertIndex(database.db, DEFAULT).catch(() => undefined);
    await sql`select nothing`.execute(database.db).catch(() => undefined);
    const reads = Array.from({ length: 6 }, () =>
      readTransaction(database.db, async (tx) => listIndexes(tx)),
    );
    expect(await Promise.all(reads)).toHaveLength(6);
    const failed = readTransaction(database.db, async () => Promise.reject(new Error('enough')));
    await expect(failed).rejects.toThrow('enough');
    await database.close();
    expect((await stat(`${path}-wal`).catch(() => undefined))?.size ?? 0).toBe(0);
    await settleDatabaseFile(path);
    const copy = join(folder, "it's a copy.db");
    await copyDatabase(path, copy);
    await rm(path);
    await rename(copy, path);
    database = await openDatabase({ path, thread });
    expect(await listIndexes(database.db)).toHaveLength(1);
  });

  it('can be opened by several at the same moment, also the first time', async () => {
    const fresh = join(folder, 'fresh.db');
    const all = await Promise.all(Array.from({ length: 4 }, () => openDatabase({ path: fresh, thread })));
    for (const [number, each] of all.entries())
      await insertIndex(each.db, { ...DEFAULT, name: String(number) });
    expect(await listIndexes(all[0]!.db)).toHaveLength(4);
    await Promise.all(all.map((each) => each.close()));
  });

  it('makes the file and its companions for the owner alone', async () => {
    await insertIndex(database.db, DEFAULT);
    for (const suffix of ['', '-wal', '-shm']) {
      expect((await stat(path + suffix)).mode & 0o777).toBe(0o600);
    }
  });

  it('writes through to the disk and checks foreign keys', async () => {
    const pragma = async (name: string): Promise<unknown> => {
      const { rows } = await sql<Record<string, unknown>>`pragma ${sql.raw(name)}`.execute(database.db);
      return Object.values(rows[0] ?? {})[0];
    };
    expect(await pragma('journal_mode')).toBe('wal');
    expect(await pragma('synchronous')).toBe(2);
    expect(await pragma('foreign_keys')).toBe(1);
    const orphan = { index_id: 99, name: 'x', display_name: 'x', status_reason: null, created_at: '' };
    await expect(database.db.insertInto('projects').values(orphan).execute()).rejects.toThrow(/FOREIGN KEY/);
  });

  it('rolls back what a throwing write transaction did', async () => {
    const broken = writeTransaction(database.db, async (tx) => {
      await insertIndex(tx, DEFAULT);
      throw new Error('in the middle');
    });
    await expect(broken).rejects.toThrow('in the middle');
    expect(await listIndexes(database.db)).toEqual([]);
    await insertIndex(database.db, DEFAULT);
    expect(await listIndexes(database.db)).toHaveLength(1);
  });

  it('rolls back when the hook before the commit throws', async () => {
    await database.close();
    let armed = false;
    const beforeCommit = (): void => {
      if (armed) throw new Error('injected');
    };
    database = await openDatabase({ path, thread, beforeCommit });
    armed = true;
    await expect(writeTransaction(database.db, (tx) => insertIndex(tx, DEFAULT))).rejects.toThrow('injected');
    await expect(insertIndex(database.db, DEFAULT)).rejects.toThrow('injected');
    armed = false;
    expect(await listIndexes(database.db)).toEqual([]);
  });

  it('lets a reader keep its snapshot while others write, and nobody waits', async () => {
    await insertIndex(database.db, DEFAULT);
    await readTransaction(database.db, async (reader) => {
      expect(await listIndexes(reader)).toHaveLength(1);
      await writeTransaction(database.db, async (writer) => {
        await insertIndex(writer, { ...DEFAULT, name: 'team-a' });
        expect(await listIndexes(writer)).toHaveLength(2);
        expect(await listIndexes(database.db)).toHaveLength(1);
      });
      expect(await listIndexes(reader)).toHaveLength(1);
    });
    expect(await listIndexes(database.db)).toHaveLength(2);
  });

  it('refuses writes in a read transaction', async () => {
    const write = readTransaction(database.db, (tx) => insertIndex(tx, DEFAULT));
    await expect(write).rejects.toThrow(/readonly|read-only/);
  });

  it('runs write transactions one after the other', async () => {
    await insertIndex(database.db, { ...DEFAULT, profile: '0' });
    const increment = (): Promise<void> =>
      writeTransaction(database.db, async (tx) => {
        const index = await findIndex(tx, '');
        const profile = String(Number(index?.profile) + 1);
        await tx.updateTable('indexes').set({ profile }).execute();
      });
    await Promise.all(Array.from({ length: 20 }, increment));
    expect((await findIndex(database.db, ''))?.profile).toBe('20');
  });

  it('waits for the write lock of another connection without stopping the thread', async () => {
    const other = await openDatabase({ path });
    try {
      await insertIndex(database.db, { ...DEFAULT, profile: '0' });
      const increment = (through: Database): Promise<void> =>
        writeTransaction(through.db, async (tx) => {
          const index = await findIndex(tx, '');
          const profile = String(Number(index?.profile) + 1);
          // The other transaction starts meanwhile: with a blocking wait neither would ever end.
          await new Promise((resolve) => setTimeout(resolve, 10));
          await tx.updateTable('indexes').set({ profile }).execute();
        });
      await Promise.all([database, other, database, other].map(increment));
      expect((await findIndex(database.db, ''))?.profile).toBe('4');
    } finally {
      await other.close();
    }
  });

  it('tells a taken unique key from other errors', async () => {
    await insertIndex(database.db, DEFAULT);
    const taken: unknown = await insertIndex(database.db, DEFAULT).catch((error: unknown) => error);
    expect(isUniqueViolation(taken)).toBe(true);
    const wrong: unknown = await sql`select nothing`.execute(database.db).catch((error: unknown) => error);
    expect(wrong).toBeInstanceOf(Error);
    expect(isUniqueViolation(wrong)).toBe(false);
  });

  it('refuses a database of a newer version', async () => {
    await sql`insert into kysely_migration values ('9999-later', '2030')`.execute(database.db);
    await database.close();
    await expect(openDatabase({ path, thread })).rejects.toMatchObject({ code: 'NEWER_SCHEMA' });
    database = await openDatabase({ path: join(folder, 'other.db'), thread });
  });

  it('refuses a file that is no database, and a folder that is not there', async () => {
    const broken = join(folder, 'broken.db');
    await writeFile(broken, 'this is not a database, and long enough to be looked at'.repeat(100));
    await expect(openDatabase({ path: broken, thread })).rejects.toMatchObject({ code: 'OPEN_FAILED' });
    await expect(openDatabase({ path: join(folder, 'no', 'x.db'), thread })).rejects.toMatchObject({
      code: 'OPEN_FAILED',
    });
  });
});
