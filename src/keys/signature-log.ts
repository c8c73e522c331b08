import { createHash } from 'node:crypto';
import { open, readdir, readFile, type FileHandle } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';

/** What is written of one use of a key, or of one that was refused. */
export interface LogEntry {
  readonly outcome: 'signing' | 'refused' | 'failed' | 'started' | 'stopped';
  readonly keyid?: string;
  readonly role?: string;
  readonly version?: number;
  /** sha256 of the bytes that were signed. */
  readonly sha256?: string;
  readonly expires?: string;
  /** Why it was refused, or failed. */
  readonly reason?: string;
}

/** Where a log stands: the number of its last line and the sha256 of it, which the next line carries. */
export interface LogHead {
  readonly number: number;
  readonly hash: string;
}

export type SignatureLogErrorCode = 'LOG_BROKEN' | 'LOG_UNUSABLE';

/** The log was changed, or cannot be written; then nothing is signed. */
export class SignatureLogError extends Error {
  override readonly name = 'SignatureLogError';
  readonly code: SignatureLogErrorCode;

  constructor(code: SignatureLogErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** In front of the first line. */
const NO_HEAD: LogHead = { number: 0, hash: '0'.repeat(64) };
const SEGMENT = /^uses-(\d{12})\.jsonl$/;
/** A new file is begun beyond so many bytes. */
const SEGMENT_LENGTH = 64 * 1024 * 1024;
const OWNER_ONLY = 0o600;
const MAX_LINE_LENGTH = 64 * 1024;

interface Waiter {
  readonly line: string;
  readonly done: () => void;
  readonly failed: (error: Error) => void;
}

/**
 * The append-only log of a signer process: one JSON object in a line, each with its number and the hash of the line before, in files
 * `uses-FIRSTNUMBER.jsonl`. An entry is durable when `append` resolves; entries that come together share one flush to the disk.
 */
export class SignatureLog {
  readonly #folder: string;
  readonly #clock: () => Date;
  readonly #waiting: Waiter[] = [];
  #head: LogHead;
  #file: FileHandle;
  #length: number;
  #flushing: Promise<void> | undefined;
  #failure: SignatureLogError | undefined;

  private constructor(folder: string, clock: () => Date, head: LogHead, file: FileHandle, length: number) {
    this.#folder = folder;
    this.#clock = clock;
    this.#head = head;
    this.#file = file;
    this.#length = length;
  }

  /**
   * Opens the log and hands every entry after `known` to `replay`. The chain is checked from there on; a last line that a crash left
   * unfinished was never acknowledged and is cut off. Throws LOG_BROKEN when lines are missing or changed.
   */
  static async open(
    folder: string,
    options: { known?: LogHead; replay?: (entry: LogEntry) => void; clock?: () => Date } = {},
  ): Promise<SignatureLog> {
    const { known = NO_HEAD, replay = () => undefined, clock = () => new Date() } = options;
    const head = await readFrom(folder, known, replay);
    const name = (await segments(folder)).at(-1) ?? segmentName(NO_HEAD);
    const file = await open(join(folder, name), 'a', OWNER_ONLY);
    await syncFolder(folder);
    const length = await wholeLength(file, join(folder, name));
    await file.truncate(length);
    return new SignatureLog(folder, clock, head, file, length);
  }

  get head(): LogHead {
    return this.#head;
  }

  /** Resolves when the entry is on the disk. Rejects with LOG_UNUSABLE, and from then on always: nobody knows what is on the disk. */
  append(entry: LogEntry): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const number = this.#head.number + 1;
    const record = { number, time: this.#clock().toISOString(), previous: this.#head.hash, ...entry };
    const line = JSON.stringify(record);
    this.#head = { number, hash: sha256(line) };
    return new Promise((done, failed) => {
      this.#waiting.push({ line, done, failed });
      this.#flushing ??= this.#flush().finally(() => (this.#flushing = undefined));
    });
  }

  async close(): Promise<void> {
    await this.#flushing;
    await this.#file.close();
  }

  async #flush(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0);
      try {
        const bytes = Buffer.from(batch.map(({ line }) => `${line}\n`).join(''));
        await this.#file.appendFile(bytes);
        await this.#file.datasync();
        this.#length += bytes.length;
        for (const { done } of batch) done();
        if (this.#length > SEGMENT_LENGTH && this.#waiting.length === 0) await this.#beginSegment();
      } catch (cause) {
        this.#fail(cause, batch);
      }
    }
  }

  async #beginSegment(): Promise<void> {
    const file = await open(join(this.#folder, segmentName(this.#head)), 'ax', OWNER_ONLY);
    await syncFolder(this.#folder);
    await this.#file.close();
    this.#file = file;
    this.#length = 0;
  }

  #fail(cause: unknown, batch: readonly Waiter[]): void {
    this.#failure ??= new SignatureLogError(
      'LOG_UNUSABLE',
      `The log in ${this.#folder} cannot be written, and what is not logged is not signed; is the disk full?`,
      { cause },
    );
    for (const { failed } of [...batch, ...this.#waiting.splice(0)]) failed(this.#failure);
  }
}

/** Checks the whole chain, as far back as its files go, also while the signer runs. Throws LOG_BROKEN; returns where it ends, for a comparison with what was written down elsewhere. */
export async function verifySignatureLog(folder: string): Promise<LogHead> {
  let head: LogHead | undefined;
  for (const name of await segments(folder)) {
    const before = head ?? (firstNumber(name) === 1 ? NO_HEAD : undefined);
    head = await readSegment(join(folder, name), before, NO_HEAD, () => undefined);
  }
  return head ?? NO_HEAD;
}

/** Reads the files that go beyond `known`, and the one it is in. */
async function readFrom(folder: string, known: LogHead, replay: (entry: LogEntry) => void): Promise<LogHead> {
  const names = await segments(folder);
  const index = Math.max(0, names.findLastIndex((name) => firstNumber(name) <= known.number + 1)); // prettier-ignore
  const first = names[index];
  // A file that begins right after `known` must follow it; one that has it inside is compared there.
  let head = first === undefined || firstNumber(first) === known.number + 1 ? known : undefined;
  const isCut = first !== undefined && firstNumber(first) > known.number + 1;
  for (const name of names.slice(index)) head = await readSegment(join(folder, name), head, known, replay);
  if (isCut || (first === undefined && known.number > 0) || known.number > (head?.number ?? 0)) {
    throw new SignatureLogError(
      'LOG_BROKEN',
      `The log in ${folder} lacks lines: ${known.number} were written that a checkpoint knows, and some are not there. Keep everything as it is and find out who took them.`,
    );
  }
  return head ?? NO_HEAD;
}

/** One file. With `before` undefined its first line is believed. */
async function readSegment(
  path: string,
  before: LogHead | undefined,
  known: LogHead,
  replay: (entry: LogEntry) => void,
): Promise<LogHead | undefined> {
  const file = await open(path, 'r');
  let head = before;
  try {
    const length = await wholeLength(file, path);
    if (length === 0) return head;
    const input = file.createReadStream({ autoClose: false, start: 0, end: length - 1 });
    for await (const line of createInterface({ input })) {
      const entry = parseLine(path, line);
      const { number, previous } = entry;
      const follows = head === undefined ? number === firstNumber(basename(path)) : number === head.number + 1 && previous === head.hash; // prettier-ignore
      head = { number, hash: sha256(line) };
      if (!follows || (number === known.number && head.hash !== known.hash)) {
        throw new SignatureLogError(
          'LOG_BROKEN',
          `${path}: line number ${number} does not follow the one before it: the log was changed. Keep everything as it is and find out who.`,
        );
      }
      if (number > known.number) replay(entry);
    }
  } finally {
    await file.close();
  }
  return head;
}

/** Bytes up to the end of the last whole line: a crash can leave an unfinished one, which was never acknowledged. */
async function wholeLength(file: FileHandle, path: string): Promise<number> {
  const { size } = await file.stat();
  const reader = await open(path, 'r');
  try {
    const tail = Buffer.alloc(Math.min(size, MAX_LINE_LENGTH));
    await reader.read(tail, 0, tail.length, size - tail.length);
    const end = tail.lastIndexOf(0x0a) + 1;
    return end === 0 && size > tail.length ? size : size - tail.length + end;
  } finally {
    await reader.close();
  }
}

function parseLine(path: string, line: string): LogEntry & { number: number; previous: string } {
  try {
    const entry = JSON.parse(line) as LogEntry & { number: number; previous: string };
    if (Number.isSafeInteger(entry.number) && typeof entry.previous === 'string') return entry;
  } catch {
    // Said below.
  }
  throw new SignatureLogError('LOG_BROKEN', `${path} has a line that is no log line: the log was changed.`);
}

async function segments(folder: string): Promise<readonly string[]> {
  return (await readdir(folder)).filter((name) => SEGMENT.test(name)).sort();
}

function firstNumber(name: string): number {
  return Number(SEGMENT.exec(name)?.[1]);
}

function segmentName({ number }: LogHead): string {
  return `uses-${String(number + 1).padStart(12, '0')}.jsonl`;
}

export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** The content of a checkpoint file, undefined when there is none. */
export async function readCheckpoint(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
}
