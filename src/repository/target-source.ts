import { open } from 'node:fs/promises';
import { ImportError } from './import-error.ts';

const CHUNK = 256 * 1024;
const LINE_FEED = 0x0a;

/** Some whole lines of a file. */
export interface Lines {
  readonly lines: readonly string[];
  /** Of the first of them, from 1. */
  readonly firstLine: number;
  /** The offset of the first byte after them. */
  readonly offset: number;
}

/** The lines of a file from an offset on, at which line `line` begins; a chunk at a time. Throws UNREADABLE_SOURCE, INVALID_LINE when it is not UTF-8. */
export async function* readLines(
  path: string,
  from: { offset: number; line: number },
): AsyncGenerator<Lines> {
  const file = await open(path, 'r').catch((cause: unknown) => {
    throw new ImportError('UNREADABLE_SOURCE', `${path} cannot be read: ${reason(cause)}.`, { cause });
  });
  try {
    let { offset, line } = from;
    let rest = Buffer.alloc(0);
    const buffer = Buffer.alloc(CHUNK);
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, CHUNK, offset + rest.length);
      const bytes = Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
      const end = bytesRead === 0 ? bytes.length : bytes.lastIndexOf(LINE_FEED) + 1;
      if (end > 0) {
        const lines = decode(bytes.subarray(0, end), path, line).split('\n');
        if (lines.at(-1) === '') lines.pop();
        offset += end;
        yield { lines, firstLine: line, offset };
        line += lines.length;
      }
      if (bytesRead === 0) return;
      rest = Buffer.from(bytes.subarray(end));
      if (rest.length > CHUNK)
        throw new ImportError('INVALID_LINE', `Line ${line} of ${path} is too long for a target.`, { line });
    }
  } finally {
    await file.close();
  }
}

function decode(bytes: Uint8Array, path: string, line: number): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: line !== 1 }).decode(bytes);
  } catch (cause) {
    throw new ImportError('INVALID_LINE', `${path} is not UTF-8, at line ${line} or soon after it.`, {
      line,
      cause,
    });
  }
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
