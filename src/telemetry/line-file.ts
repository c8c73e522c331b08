import { closeSync, openSync, writeSync } from 'node:fs';

/** Milliseconds that a line may wait, and bytes that wait at most. */
const DELAY = 200;
const FULL = 64 * 1024;

/**
 * Appends lines to a file or to standard error, many at once: a line costs a string addition. What waits is written at the latest after
 * 200 ms and when it is closed; a crash loses that much. A disk that is full loses lines, counted, and never stops a request.
 */
export class LineFile {
  readonly #path: string | undefined;
  #descriptor: number;
  #waiting = '';
  #timer: NodeJS.Timeout | undefined;
  /** Lines that could not be written. */
  lost = 0;

  /** `path` undefined: standard error. Throws when the file cannot be opened. */
  constructor(path: string | undefined) {
    this.#path = path;
    this.#descriptor = open(path);
  }

  write(line: string): void {
    this.#waiting += `${line}\n`;
    if (this.#waiting.length >= FULL) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), DELAY).unref();
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#waiting === '') return;
    const text = this.#waiting;
    this.#waiting = '';
    try {
      const bytes = Buffer.from(text);
      for (let at = 0; at < bytes.length;) at += writeSync(this.#descriptor, bytes, at);
    } catch {
      this.lost += text.split('\n').length - 1;
    }
  }

  /** Opens the file anew, after it was moved away; keeps the old one when that fails. */
  reopen(): void {
    this.flush();
    if (this.#path === undefined) return;
    const next = open(this.#path);
    closeSync(this.#descriptor);
    this.#descriptor = next;
  }

  close(): void {
    this.flush();
    if (this.#path !== undefined) closeSync(this.#descriptor);
  }
}

/** Readable by its owner alone: it says who fetched what. */
function open(path: string | undefined): number {
  return path === undefined ? 2 : openSync(path, 'a', 0o600);
}
