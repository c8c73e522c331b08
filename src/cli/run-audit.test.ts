import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { appendAudits, auditHash, auditRows } from '../db/audit.ts';
import { openDatabase } from '../db/open.ts';
import type { AuditRow } from '../db/schema.ts';
import { writeTransaction } from '../db/transactions.ts';
import { shortDetail, verifyChain } from './run-audit.ts';

let folder: string;
let rows: AuditRow[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rind-audit-'));
  const database = await openDatabase({ path: join(folder, 'rind.db') });
  const at = new Date('2026-11-22T12:00:00Z');
  const entries = Array.from({ length: 10 }, (_, number) => ({
    indexId: null,
    at,
    actor: 'cli:test',
    action: 'gc' as const,
    subject: `run ${number}`,
  }));
  await writeTransaction(database.db, (tx) => appendAudits(tx, entries));
  rows = [];
  for await (const row of auditRows(database.db)) rows.push(row);
  await database.close();
});
afterEach(() => rm(folder, { recursive: true }));

const at = (position: number): AuditRow => {
  const row = rows[position];
  if (row === undefined) throw new Error('no such row');
  return row;
};
const edited = (position: number, change: Partial<AuditRow>): AuditRow[] =>
  rows.with(position, { ...at(position), ...change });

describe('the chain of the audit log', () => {
  it('is whole as it was written, and ends where it says', async () => {
    expect(await verifyChain(rows)).toEqual({ isSound: true, seq: 10, sha256: at(9).sha256 });
  });

  it('breaks where an entry was changed', async () => {
    expect(await verifyChain(edited(4, { actor: 'user:eve' }))).toMatchObject({ isSound: false, seq: 5 });
  });

  it('breaks after an entry that was changed with its hash', async () => {
    const forged = { ...at(4), actor: 'user:eve' };
    const changed = edited(4, { ...forged, sha256: auditHash(forged) });
    expect(await verifyChain(changed)).toMatchObject({ isSound: false, seq: 6 });
  });

  it('breaks where an entry was taken away', async () => {
    expect(await verifyChain(rows.toSpliced(4, 1))).toMatchObject({ isSound: false, seq: 6 });
  });

  it('breaks at its first entry when the beginning was taken away and the rest counted anew', async () => {
    expect(await verifyChain([{ ...at(3), seq: 1 }])).toMatchObject({ isSound: false, seq: 1 });
  });

  it('of which the end was cut does not contain the head that was witnessed', async () => {
    const head = `${at(9).seq}:${at(9).sha256}`;
    expect(await verifyChain(rows, head)).toMatchObject({ isSound: true });
    expect(await verifyChain(rows.slice(0, 8), head)).toMatchObject({ isSound: false, seq: 9 });
    expect(await verifyChain(rows.slice(0, 8))).toMatchObject({ isSound: true });
  });

  it('that was written anew as a whole does not contain the head that was witnessed', async () => {
    expect(await verifyChain(rows, `5:${'ab'.repeat(32)}`)).toMatchObject({ isSound: false, seq: 5 });
  });
});

describe('an entry of the audit log for the eye', () => {
  it('is one line, whatever the number of roles that were signed together', () => {
    const signed = Array.from({ length: 64 }, (_, number) => `bin-${number} 1 ${'ab'.repeat(32)}`).join();
    const shown = shortDetail(JSON.stringify({ keys: 'cd'.repeat(32), signed }));
    expect(shown.length).toBeLessThan(300);
    expect(JSON.parse(shown)).toEqual({
      keys: 'cd'.repeat(32),
      signed: `${signed.slice(0, 80)}... (${signed.length} characters)`,
    });
  });
});
