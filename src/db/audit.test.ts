import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  appendAudit,
  appendAudits,
  auditHash,
  auditHead,
  auditRows,
  NO_ENTRY,
  type AuditEntry,
} from './audit.ts';
import { openDatabase, type Database } from './open.ts';
import type { AuditRow } from './schema.ts';
import { writeTransaction } from './transactions.ts';

const NOW = new Date('2026-11-22T12:00:00Z');

let folder: string;
let database: Database;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rind-audit-'));
  database = await openDatabase({ path: join(folder, 'rind.db') });
});

afterEach(async () => {
  await database.close();
  await rm(folder, { recursive: true });
});

const entry = (subject: string, more: Partial<AuditEntry> = {}): AuditEntry => ({
  indexId: 1,
  at: NOW,
  actor: 'token:1',
  action: 'file.upload',
  subject,
  ...more,
});

async function rows(): Promise<AuditRow[]> {
  const all: AuditRow[] = [];
  for await (const row of auditRows(database.db)) all.push(row);
  return all;
}

describe('the audit log', () => {
  it('is empty at first', async () => {
    expect(await auditHead(database.db)).toEqual({ seq: 0, sha256: NO_ENTRY });
  });

  it('chains every entry to the one before it', async () => {
    await writeTransaction(database.db, (tx) => appendAudit(tx, entry('one')));
    await writeTransaction(database.db, (tx) => appendAudits(tx, [entry('two'), entry('three')]));
    const [one, two, three] = await rows();
    expect([one?.seq, two?.seq, three?.seq]).toEqual([1, 2, 3]);
    expect(one?.previous_sha256).toBe(NO_ENTRY);
    expect(two?.previous_sha256).toBe(one?.sha256);
    expect(three?.previous_sha256).toBe(two?.sha256);
    expect(three === undefined ? '' : auditHash(three)).toBe(three?.sha256);
    expect(await auditHead(database.db)).toEqual({ seq: 3, sha256: three?.sha256 });
  });

  it('refuses to change or to remove an entry', async () => {
    await writeTransaction(database.db, (tx) => appendAudit(tx, entry('one')));
    await expect(sql`update audit_log set actor = 'somebody else'`.execute(database.db)).rejects.toThrow(
      'append-only',
    );
    await expect(sql`delete from audit_log`.execute(database.db)).rejects.toThrow('append-only');
    expect((await rows())[0]?.actor).toBe('token:1');
  });

  it('goes with the transaction it tells of', async () => {
    const failing = writeTransaction(database.db, async (tx) => {
      await appendAudit(tx, entry('never'));
      throw new Error('the work failed');
    });
    await expect(failing).rejects.toThrow('the work failed');
    expect(await rows()).toEqual([]);
  });

  it('keeps no control character and no lone surrogate of a request, and loses no entry for them', async () => {
    await writeTransaction(database.db, (tx) =>
      appendAudit(tx, entry('a\n\u001b[31m\ud800b', { detail: { filename: '\udc00', size: 7, fine: true } })),
    );
    const [row] = await rows();
    expect(row?.subject).toBe('a\ufffd\ufffd[31m\ufffdb');
    expect(row?.detail).toBe('{"filename":"\ufffd","fine":true,"size":7}');
  });

  it('reads more entries than fit one page, in order', async () => {
    const many = Array.from({ length: 2500 }, (_, number) => entry(`file ${number}`));
    await writeTransaction(database.db, (tx) => appendAudits(tx, many));
    const all = await rows();
    expect(all).toHaveLength(2500);
    expect(all.every(({ seq }, position) => seq === position + 1)).toBe(true);
  });
});
