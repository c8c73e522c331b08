import { FormatError, quote } from './errors.ts';
import { isSafeFilename } from './distribution-filename.ts';
import { isNormalizedProjectName } from './project-name.ts';

/** The target that says what an index withholds. `_` stands in no project name; the bins may list it, and no project can. */
export const TAKEDOWNS_PATH = 'simple/_takedowns/index.json';
/** Bytes that a client reads at most. */
export const MAX_TAKEDOWNS_SIZE = 16 * 1024 ** 2;
const MOST_TAKEDOWNS = 100_000;
const LONGEST_REASON = 500;
const TIME = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?Z$/;

/** One file, or everything of a project (`filename` null), that administrators withhold. It can only withhold: it names no other content. */
export interface Takedown {
  /** Normalized. */
  readonly project: string;
  readonly filename: string | null;
  /** One line for people. */
  readonly reason: string;
  /** ISO 8601 in UTC. */
  readonly since: string;
}

/** A list of takedowns that is none. */
export class InvalidTakedownListError extends FormatError<'invalid-takedown-list'> {
  constructor(message: string, options?: ErrorOptions) {
    super('invalid-takedown-list', message, options);
  }
}

/** The bytes of the list: canonical JSON, the same for the same takedowns in the same order. */
export function renderTakedowns(takedowns: readonly Takedown[]): Uint8Array {
  const rows = takedowns.map(({ project, filename, reason, since }) => ({
    filename,
    project,
    reason,
    since,
  }));
  return new TextEncoder().encode(JSON.stringify({ takedowns: rows, version: 1 }));
}

/** @throws {InvalidTakedownListError} */
export function parseTakedowns(bytes: Uint8Array): readonly Takedown[] {
  if (bytes.length > MAX_TAKEDOWNS_SIZE) throw invalid('it is too long');
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw invalid('it is no JSON', cause);
  }
  if (!isObject(value) || value['version'] !== 1) throw invalid('it has not the version 1');
  const rows = value['takedowns'];
  if (!Array.isArray(rows) || rows.length > MOST_TAKEDOWNS) throw invalid('it has no list of takedowns');
  return rows.map(parseTakedown);
}

/** The takedown that a file of a project is withheld by: of the whole project, or of that file. */
export function takedownOf(
  takedowns: readonly Takedown[],
  project: string,
  filename: string,
): Takedown | undefined {
  return takedowns.find(
    (takedown) =>
      takedown.project === project && (takedown.filename === null || takedown.filename === filename),
  );
}

function parseTakedown(row: unknown): Takedown {
  if (!isObject(row)) throw invalid('an entry is no object');
  const { project, filename, reason, since } = row;
  if (typeof project !== 'string' || !isNormalizedProjectName(project))
    throw invalid('an entry names no project');
  if (filename !== null && (typeof filename !== 'string' || !isSafeFilename(filename)))
    throw invalid(`the entry of ${quote(project)} names no file`);
  if (typeof reason !== 'string' || reason.length > LONGEST_REASON || /[\p{Cc}\u2028\u2029]/u.test(reason))
    throw invalid(`the entry of ${quote(project)} has no reason of one line`);
  if (typeof since !== 'string' || !TIME.test(since))
    throw invalid(`the entry of ${quote(project)} says no time`);
  return { project, filename, reason, since };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(why: string, cause?: unknown): InvalidTakedownListError {
  return new InvalidTakedownListError(
    `The list of takedowns cannot be read: ${why}.`,
    cause === undefined ? undefined : { cause },
  );
}
