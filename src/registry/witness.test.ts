import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sql } from 'kysely';
import { openDatabase, type Database } from '../db/open.ts';
import { witnessedHeads } from '../db/witness.ts';
import { recordHead } from './witness.ts';

let folder: string;
let database: Database;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rind-witness-'));
  database = await openDatabase({ path: join(folder, 'rind.db') });
});
afterEach(async () => {
  await database.close();
  await rm(folder, { recursive: true });
});

const origin = 'https://index.test/';
const record = (size: number, letter: string) =>
  recordHead(
    { db: database.db, clock: () => new Date('2026-11-22T12:00:00Z') },
    { kind: 'cli', name: 'test' },
    { origin, size, root: letter.repeat(64) },
  );

describe('a witness', () => {
  it('keeps a head once', async () => {
    expect(await record(5, 'a')).toEqual({ isNew: true });
    expect(await record(5, 'a')).toEqual({ isNew: false });
    expect(await witnessedHeads(database.db, { origin })).toHaveLength(1);
  });

  it('says that there is a fork, and keeps both', async () => {
    await record(5, 'a');
    await expect(record(5, 'b')).rejects.toMatchObject({ code: 'CONFLICT' });
    expect((await witnessedHeads(database.db, { origin })).map(({ root }) => root[0])).toEqual(['b', 'a']);
    await expect(record(5, 'a')).rejects.toThrow('has two histories');
  });

  it('takes nothing back', async () => {
    await record(5, 'a');
    await expect(sql`delete from witnessed_heads`.execute(database.db)).rejects.toThrow('append-only');
    await expect(sql`update witnessed_heads set root = ''`.execute(database.db)).rejects.toThrow(
      'append-only',
    );
  });

  it('takes nothing from strangers', async () => {
    const head = { origin, size: 1, root: 'a'.repeat(64) };
    const context = { db: database.db, clock: () => new Date() };
    await expect(recordHead(context, { kind: 'anonymous' }, head)).rejects.toMatchObject({
      code: 'NOT_AUTHENTICATED',
    });
  });
});
