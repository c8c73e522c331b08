import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sql } from 'kysely';
import { openDatabase, type Database } from '../db/open.ts';
import { witnessedHeads } from '../db/witness.ts';
import { insertUser } from '../db/users.ts';
import { createAccessToken, revokeAccessToken } from './access-tokens.ts';
import { authenticateToken, issueToken } from './authenticate.ts';
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

const CLI = { kind: 'cli', name: 'test' } as const;
const origin = 'https://index.test/';
const record = (size: number, letter: string) =>
  recordHead(
    { db: database.db, clock: () => new Date('2026-11-22T12:00:00Z') },
    { kind: 'cli', name: 'test' },
    { origin, size, root: letter.repeat(64) },
  );

const head = { origin, size: 1, root: 'a'.repeat(64) };
const at = new Date('2026-11-22T12:00:00Z');
const context = () => ({ db: database.db, clock: () => at });

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
    await expect(recordHead(context(), { kind: 'anonymous' }, head)).rejects.toMatchObject({
      code: 'NOT_AUTHENTICATED',
    });
  });

  it.each([['read'], ['upload', 'maintain', 'own', 'admin']] as const)(
    'takes no false head from a token for %s: only from one that an administrator made for it',
    async (...verbs) => {
      const { token } = await issueToken(database.db, { name: 't', verbs, now: at });
      const principal = await authenticateToken(database.db, token, at);
      await expect(recordHead(context(), principal, head)).rejects.toMatchObject({ code: 'NOT_PERMITTED' });
      expect(await witnessedHeads(database.db, {})).toEqual([]);
    },
  );

  it('takes heads from a token of an administrator for it, until the token is revoked', async () => {
    const { token, number } = await createAccessToken(context(), CLI, { name: 'w', verbs: ['witness'] });
    const principal = await authenticateToken(database.db, token, at);
    expect(await recordHead(context(), principal, head)).toEqual({ isNew: true });
    await revokeAccessToken(context(), CLI, number);
    await expect(recordHead(context(), principal, head)).rejects.toMatchObject({ code: 'NOT_AUTHENTICATED' });
  });

  it('is not told anything by a user who makes herself a token for it', async () => {
    const { id } = await insertUser(database.db, {
      name: 'eve',
      password: undefined,
      isAdmin: false,
      now: at,
    });
    const eve = { kind: 'user', userId: id, name: 'eve', isAdmin: false } as const;
    const wish = { name: 'w', verbs: ['witness'] } as const;
    await expect(createAccessToken(context(), eve, wish)).rejects.toMatchObject({ code: 'NOT_PERMITTED' });
    await expect(recordHead(context(), eve, head)).rejects.toMatchObject({ code: 'NOT_PERMITTED' });
  });
});
