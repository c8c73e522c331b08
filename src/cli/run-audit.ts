import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { auditHash, auditHead, auditRows, NO_ENTRY } from '../db/audit.ts';
import { openDatabase } from '../db/open.ts';
import type { AuditRow, Executor } from '../db/schema.ts';
import { CliError } from './cli-error.ts';
import { existingDataFolder } from './data-folder.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { print, say } from './terminal.ts';

export interface AuditOptions {
  readonly data: string;
  /** Entries after this one. */
  readonly after?: string;
  /** How many of the youngest. */
  readonly last?: string;
  readonly actor?: string;
  readonly action?: string;
}

export interface VerifyAuditOptions {
  readonly data: string;
  /** A file that `rind audit export` made. */
  readonly file?: string;
  /** `<seq>:<sha256>`, as an earlier verification or a witness told it. */
  readonly head?: string;
}

/** `rind audit show`: for people, the youngest entries last. */
export async function showAudit(options: AuditOptions): Promise<ExitCode> {
  return withDatabase(options.data, async (db) => {
    const { seq } = await auditHead(db);
    const afterSeq =
      options.after === undefined ? Math.max(0, seq - number(options.last ?? '50')) : number(options.after);
    for await (const row of auditRows(db, { afterSeq })) {
      if (options.actor !== undefined && row.actor !== options.actor) continue;
      if (options.action !== undefined && row.action !== options.action) continue;
      print(
        `${String(row.seq).padStart(6)}  ${row.at}  ${row.actor}  ${row.action}  ${row.subject}  ${shortDetail(row.detail)}`,
      );
    }
    return EXIT.ok;
  });
}

const LONGEST_SHOWN = 80;

/** For the eye: a list of the hashes of hundreds of roles says nothing to it. `rind audit export` has the whole. */
export function shortDetail(detail: string): string {
  return JSON.stringify(JSON.parse(detail), (_key, value: unknown) =>
    typeof value === 'string' && value.length > LONGEST_SHOWN
      ? `${value.slice(0, LONGEST_SHOWN)}... (${value.length} characters)`
      : value,
  );
}

/** `rind audit export`: JSON lines on stdout, everything that the hashes are made of. */
export async function exportAudit(options: AuditOptions): Promise<ExitCode> {
  return withDatabase(options.data, async (db) => {
    for await (const row of auditRows(db, { afterSeq: number(options.after ?? '0') }))
      print(JSON.stringify(row));
    return EXIT.ok;
  });
}

/** `rind audit verify`: computes the chain again, from the database or from an exported file. */
export async function verifyAudit(options: VerifyAuditOptions): Promise<ExitCode> {
  if (options.file !== undefined) return report(await verifyChain(linesOf(options.file), options.head));
  return withDatabase(options.data, async (db) => report(await verifyChain(auditRows(db), options.head)));
}

/** What a verification found: where the chain ends, or where it breaks and how. */
export type ChainVerdict =
  | { readonly isSound: true; readonly seq: number; readonly sha256: string }
  | { readonly isSound: false; readonly seq: number; readonly reason: string };

/** Follows the chain from its first entry, or from wherever an export begins. `witnessed`: `<seq>:<sha256>` that must be part of it. */
export async function verifyChain(
  rows: AsyncIterable<AuditRow> | Iterable<AuditRow>,
  witnessed?: string,
): Promise<ChainVerdict> {
  const known = witnessed === undefined ? undefined : parseHead(witnessed);
  let last: AuditRow | undefined;
  let hasWitnessed = known === undefined || (known.seq === 0 && known.sha256 === NO_ENTRY);
  for await (const row of rows) {
    const broken = problemOf(row, last);
    if (broken !== undefined) return { isSound: false, seq: row.seq, reason: broken };
    if (row.seq === known?.seq) {
      if (row.sha256 !== known.sha256)
        return {
          isSound: false,
          seq: row.seq,
          reason: 'it is not the entry that was witnessed: the log was rewritten at or before it',
        };
      hasWitnessed = true;
    }
    last = row;
  }
  const seq = last?.seq ?? 0;
  if (!hasWitnessed)
    return {
      isSound: false,
      seq: seq + 1,
      reason: `the log ends before the witnessed entry ${known?.seq}: it was cut`,
    };
  return { isSound: true, seq, sha256: last?.sha256 ?? NO_ENTRY };
}

function problemOf(row: AuditRow, last: AuditRow | undefined): string | undefined {
  if (last !== undefined && row.seq !== last.seq + 1) return `entry ${last.seq + 1} is missing before it`;
  if (last === undefined && row.seq === 1 && row.previous_sha256 !== NO_ENTRY)
    return 'something was taken away before it';
  if (last !== undefined && row.previous_sha256 !== last.sha256)
    return 'it does not follow the entry before it';
  return auditHash(row) === row.sha256 ? undefined : 'its content was changed';
}

function report(verdict: ChainVerdict): ExitCode {
  if (!verdict.isSound) {
    say(`The audit log breaks at entry ${verdict.seq}: ${verdict.reason}.`);
    return EXIT.failure;
  }
  print(`${verdict.seq}:${verdict.sha256}`);
  say(
    `The audit log is whole: ${verdict.seq} entries. Keep the line above elsewhere, and compare with --head next time.`,
  );
  return EXIT.ok;
}

async function* linesOf(path: string): AsyncGenerator<AuditRow> {
  let number = 0;
  try {
    for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
      number += 1;
      yield rowOf(JSON.parse(line));
    }
  } catch (cause) {
    throw new CliError(
      'failure',
      `${path} cannot be read as an exported audit log (line ${number + 1} or the file itself).`,
      ['rind audit export > audit.jsonl'],
      { cause },
    );
  }
}

function rowOf(value: unknown): AuditRow {
  const row = value as Readonly<Record<keyof AuditRow, unknown>>;
  const texts = [row.at, row.actor, row.action, row.subject, row.detail, row.previous_sha256, row.sha256];
  const isRow = Number.isSafeInteger(row.seq) && texts.every((text) => typeof text === 'string');
  if (!isRow || !(row.index_id === null || Number.isSafeInteger(row.index_id)))
    throw new TypeError('not an entry');
  return value as AuditRow;
}

function parseHead(text: string): { readonly seq: number; readonly sha256: string } {
  const match = /^([0-9]{1,15}):([0-9a-f]{64})$/.exec(text);
  if (match !== null) return { seq: Number(match[1]), sha256: match[2] ?? '' };
  throw new CliError('usage', `"${text}" is no head of an audit log; it looks like 17:<64 digits>.`, []);
}

function number(text: string): number {
  if (/^[0-9]{1,15}$/.test(text)) return Number(text);
  throw new CliError('usage', `"${text}" is no number of an entry.`, []);
}

async function withDatabase(data: string, work: (db: Executor) => Promise<ExitCode>): Promise<ExitCode> {
  const folder = await existingDataFolder(data);
  const database = await openDatabase({ path: folder.database });
  try {
    return await work(database.db);
  } finally {
    await database.close();
  }
}
