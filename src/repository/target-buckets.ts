import { appendFileSync, mkdirSync, truncateSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ImportError } from './import-error.ts';
import type { ImportedTarget } from './target-line.ts';

/** A target and where it was read. */
export interface StagedTarget extends ImportedTarget {
  /** The first 24 bits of sha256(path). */
  readonly prefix: number;
  /** Number of its source, and its line there, from 1. */
  readonly source: number;
  readonly line: number;
}

const PREFIX_BITS = 24;
/** Text kept in memory before it is written, in characters. */
const KEPT = 4 * 1024 ** 2;

/**
 * The targets of an import on their way, sorted into files by the beginning of sha256(path): so that twenty million of them can be checked and
 * signed in the order of the bins, with the memory of one file at a time.
 */
export class TargetBuckets {
  readonly count: number;
  readonly #folder: string;
  readonly #shift: number;
  readonly #pending: string[][];
  readonly #lengths: number[];
  #kept = 0;

  /** `lengths` are those of the files at the last recorded position: what was written after it goes. `count` is a power of two. */
  constructor(folder: string, count: number, lengths: readonly number[]) {
    this.count = count;
    this.#folder = folder;
    this.#shift = PREFIX_BITS - Math.log2(count);
    this.#pending = Array.from({ length: count }, () => []);
    this.#lengths = Array.from({ length: count }, (_, bucket) => lengths[bucket] ?? 0);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (const [bucket, length] of this.#lengths.entries()) this.#cut(bucket, length);
  }

  /** Bytes of each file as far as written. */
  get lengths(): readonly number[] {
    return this.#lengths;
  }

  get isFull(): boolean {
    return this.#kept >= KEPT;
  }

  add({ prefix, path, length, sha256, source, line }: StagedTarget): void {
    const text = `${prefix}\t${path}\t${length}\t${sha256}\t${source}\t${line}\n`;
    this.#pending[prefix >>> this.#shift]?.push(text);
    this.#kept += text.length;
  }

  /** Writes what is kept. Not synced: after a power cut a file is shorter than recorded, and reading it says so. */
  flush(): void {
    for (const [bucket, texts] of this.#pending.entries()) {
      if (texts.length === 0) continue;
      const bytes = Buffer.from(texts.join(''));
      appendFileSync(this.#path(bucket), bytes, { mode: 0o600 });
      this.#lengths[bucket] = (this.#lengths[bucket] ?? 0) + bytes.length;
      texts.length = 0;
    }
    this.#kept = 0;
  }

  /** The targets of a bucket in the order of bins and paths. Throws DAMAGED_STATE. */
  async read(bucket: number): Promise<readonly StagedTarget[]> {
    const length = this.#lengths[bucket] ?? 0;
    if (length === 0) return [];
    const bytes = await readFile(this.#path(bucket)).catch(() => Buffer.alloc(0));
    // What a power cut took from the middle of a file reads as zeros.
    if (bytes.length !== length || bytes.includes(0)) throw damaged();
    const targets = bytes
      .toString('utf8', 0, length - 1)
      .split('\n')
      .map(parseStaged);
    return targets.sort((a, b) => a.prefix - b.prefix || (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  }

  /** The first and the last prefix of a bucket. */
  rangeOf(bucket: number): { readonly first: number; readonly last: number } {
    return { first: bucket << this.#shift, last: ((bucket + 1) << this.#shift) - 1 };
  }

  remove(): Promise<void> {
    return rm(this.#folder, { recursive: true, force: true });
  }

  #cut(bucket: number, length: number): void {
    try {
      truncateSync(this.#path(bucket), length);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      if (length > 0) throw damaged();
    }
  }

  #path(bucket: number): string {
    return join(this.#folder, `${bucket}.tsv`);
  }
}

function parseStaged(text: string): StagedTarget {
  const [prefix = '', path = '', length = '', sha256 = '', source = '', line = ''] = text.split('\t');
  if (line === '' || sha256.length !== 64) throw damaged();
  return {
    prefix: Number(prefix),
    path,
    length: Number(length),
    sha256,
    source: Number(source),
    line: Number(line),
  };
}

function damaged(): ImportError {
  return new ImportError(
    'DAMAGED_STATE',
    'What the import has read so far is damaged (a power cut, a full disk); give it up with --abandon and begin again: what is public already stays.',
  );
}
