import { parseIndexPath } from '../pypi/layout.ts';

/** One target of an import. `length` in bytes, `sha256` in lower-case hex. */
export interface ImportedTarget {
  readonly path: string;
  readonly length: number;
  readonly sha256: string;
}

/** What is wrong with a line: the end of a sentence. */
export class TargetLineError extends Error {
  override readonly name = 'TargetLineError';
}

const MAX_LINE_LENGTH = 65_536;
const SHA256 = /^[0-9a-f]{64}$/;
const LENGTH = /^(?:0|[1-9][0-9]{0,15})$/;
const HEADINGS: ReadonlySet<string> = new Set(['path', '"path"']);

/** Reads one line of CSV (`path,size,hashes`) or JSON lines; undefined for empty lines and the heading of a CSV file. Throws TargetLineError. */
export function parseTargetLine(line: string, isFirst: boolean): ImportedTarget | undefined {
  if (line.length > MAX_LINE_LENGTH) throw new TargetLineError('is too long for a target');
  const text = line.endsWith('\r') ? line.slice(0, -1) : line;
  if (text === '') return undefined;
  return text.startsWith('{') ? parseJsonLine(text) : parseCsvLine(text, isFirst);
}

function parseCsvLine(text: string, isFirst: boolean): ImportedTarget | undefined {
  const fields = text.split(',');
  if (fields.length !== 3) throw new TargetLineError('has not three fields: path, size, hashes');
  const [path = '', length = '', hashes = ''] = fields.map(unquoted);
  if (isFirst && HEADINGS.has(path.toLowerCase())) return undefined;
  if (!LENGTH.test(length)) throw new TargetLineError(`has no whole number as its size`);
  return checked(path, Number(length), sha256Of(hashes));
}

function unquoted(field: string): string {
  const text = field.trim();
  return text.length > 1 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text;
}

/** `<hex>` of sha256, or `name:<hex>` of several with spaces or semicolons between them. */
function sha256Of(hashes: string): unknown {
  if (hashes.length === 64) return hashes;
  for (const hash of hashes.split(/[; ]/)) {
    if (hash.startsWith('sha256:') || hash.startsWith('sha256=')) return hash.slice('sha256:'.length);
  }
  return undefined;
}

function parseJsonLine(text: string): ImportedTarget {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new TargetLineError('is no JSON');
  }
  if (!isObject(value)) throw new TargetLineError('is no JSON object');
  const hashes = own(value, 'hashes');
  const sha256 = isObject(hashes) ? own(hashes, 'sha256') : own(value, 'sha256');
  return checked(own(value, 'path'), own(value, 'size') ?? own(value, 'length'), sha256);
}

function checked(path: unknown, length: unknown, sha256: unknown): ImportedTarget {
  if (typeof path !== 'string' || !isTargetPath(path)) {
    throw new TargetLineError(
      'has no path of an index: packages/<project>/<filename> or simple/<project>/index.json or index.html, with a normalized project name',
    );
  }
  if (typeof length !== 'number' || !Number.isSafeInteger(length) || length < 0)
    throw new TargetLineError('has no whole number as its size');
  if (typeof sha256 !== 'string' || !SHA256.test(sha256))
    throw new TargetLineError('has no sha256 of 64 hexadecimal digits in lower case');
  return { path, length, sha256 };
}

function isTargetPath(path: string): boolean {
  const parsed = parseIndexPath(path);
  return parsed !== undefined && parsed.kind !== 'metadata' && parsed.sha256 === undefined;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function own(value: object, name: string): unknown {
  return Object.hasOwn(value, name) ? (value as Readonly<Record<string, unknown>>)[name] : undefined;
}
