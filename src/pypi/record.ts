import { UnsafeArchiveError } from './archive.ts';
import { quote } from './errors.ts';

/** One line of a wheel's RECORD. */
export interface RecordLine {
  readonly path: string;
  /** `sha256=<url-safe base64 without padding>` or another algorithm; empty for RECORD itself. */
  readonly hash: string;
  /** Decimal bytes, or empty. */
  readonly size: string;
}

/**
 * Parses RECORD: CSV with commas, double quotes and any line ends (recording installed projects specification).
 *
 * @throws UnsafeArchiveError `wrong-content` when a line has not three columns, or a path stands twice
 */
export function parseRecord(text: string): ReadonlyMap<string, RecordLine> {
  const lines = new Map<string, RecordLine>();
  for (const row of parseCsv(text)) {
    const [path = '', hash = '', size = ''] = row;
    if (row.length === 1 && path === '') continue;
    if (row.length !== 3) throw wrong(`a line of RECORD has not three columns, at ${quote(path)}.`);
    if (lines.has(path)) throw wrong(`RECORD has two lines for ${quote(path)}.`);
    lines.set(path, { path, hash, size });
  }
  return lines;
}

// One pass. A quote inside a quoted field is doubled.
function* parseCsv(text: string): Generator<readonly string[]> {
  const token = /"((?:[^"]|"")*)"|[^,\r\n"]+|,|\r\n|\n|\r|"/gy;
  let row: string[] = [''];
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    const [piece, quoted] = match;
    if (piece === ',') {
      row.push('');
    } else if (piece === '\n' || piece === '\r\n' || piece === '\r') {
      yield row;
      row = [''];
    } else if (piece === '"' || row.at(-1) !== '') {
      throw wrong('RECORD is not a CSV file.');
    } else {
      row[row.length - 1] = quoted?.replaceAll('""', '"') ?? piece;
    }
  }
  if (row.length > 1 || row[0] !== '') yield row;
}

function wrong(message: string): UnsafeArchiveError {
  return new UnsafeArchiveError('wrong-content', message, 'RECORD');
}
