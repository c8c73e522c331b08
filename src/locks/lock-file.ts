import { parse as parseToml } from 'smol-toml';
import { z } from 'zod';
import { isValidProjectName, normalizeProjectName } from '../pypi/project-name.ts';

/** One file that an installer may take because a lock names it. */
export interface LockedFile {
  /** Normalized. */
  readonly project: string;
  /** As it stands in the lock; undefined when the lock leaves it out. */
  readonly version: string | undefined;
  /** Undefined in locks that name files by their hashes only (Pipfile.lock, requirements files). */
  readonly filename: string | undefined;
  /** Hexadecimal digests by the algorithm's name; all of the file. Empty: the lock has none. */
  readonly hashes: ReadonlyMap<string, string>;
  /** Bytes. */
  readonly length: number | undefined;
  /** Where the lock says that it comes from; undefined when it does not. */
  readonly origin: Origin | undefined;
}

export interface Origin {
  /** `index`: a package index or a file of one; `elsewhere`: a repository or an archive; `local`: on this machine. */
  readonly kind: 'index' | 'elsewhere' | 'local';
  readonly text: string;
}

export type LockFormat = 'uv' | 'poetry' | 'pdm' | 'pipenv' | 'pylock' | 'requirements';

/** What a lock names, in its order. */
export interface Lock {
  readonly format: LockFormat;
  readonly files: readonly LockedFile[];
}

/** A lock that cannot be read: nothing can be said about what it names. */
export class LockFileError extends Error {
  override readonly name = 'LockFileError';
  readonly code: 'malformed' | 'unknown-version' | 'too-large';

  constructor(code: LockFileError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export const MAX_LOCK_LENGTH = 64 * 2 ** 20;
export const MAX_LOCKED_FILES = 500_000;

/** The text of a lock. @throws LockFileError */
export function decodeLock(bytes: Uint8Array): string {
  if (bytes.length > MAX_LOCK_LENGTH) {
    throw new LockFileError('too-large', `it is longer than ${MAX_LOCK_LENGTH} bytes`);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new LockFileError('malformed', 'it is not UTF-8', { cause });
  }
}

/** A TOML document of a shape. @throws LockFileError */
export function readToml<T>(bytes: Uint8Array, shape: z.ZodType<T>): T {
  const text = decodeLock(bytes);
  let document: unknown;
  try {
    document = parseToml(text);
  } catch (cause) {
    throw new LockFileError('malformed', `it is not TOML: ${firstLine(cause)}`, { cause });
  }
  return checkShape(document, shape);
}

/** @throws LockFileError */
export function checkShape<T>(document: unknown, shape: z.ZodType<T>): T {
  const { data, error } = shape.safeParse(document);
  if (error === undefined) return data;
  const { path, message } = error.issues[0] ?? { path: [], message: 'it has another form' };
  throw new LockFileError('malformed', `${path.map(String).join('.').slice(0, 200)}: ${message}`);
}

function firstLine(error: unknown): string {
  return String((error as Error).message).split('\n')[0] ?? '';
}

/** Shapes that several formats have. */
export const text = z.string().max(4096);
export const projectName = text
  .refine(isValidProjectName, 'this is not a name of a project')
  .transform(normalizeProjectName);

/** `sha256:…` of the lock, by the algorithm's name. */
export const hash = text.transform((value, context) => {
  const [, algorithm, digest] = /^([a-z0-9_]+)[:=]([0-9a-fA-F]{32,128})$/.exec(value) ?? [];
  if (algorithm !== undefined && digest !== undefined)
    return new Map([[algorithm, digest.toLowerCase()]]) as ReadonlyMap<string, string>;
  context.addIssue({ code: 'custom', message: 'this is no hash of the form algorithm:digits' });
  return z.NEVER;
});

export const NO_HASH: ReadonlyMap<string, string> = new Map();

/** The last part of a URL or path, decoded; undefined when it has none. */
export function filenameOf(place: string): string | undefined {
  const path = place.replace(/[?#].*$/, '');
  const name = path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1);
  try {
    return decodeURIComponent(name) || undefined;
  } catch {
    return undefined;
  }
}

/** Keeps the number of files within limits. @throws LockFileError */
export function createLock(format: LockFormat, files: readonly LockedFile[]): Lock {
  if (files.length <= MAX_LOCKED_FILES) return { format, files };
  throw new LockFileError('too-large', `it names more than ${MAX_LOCKED_FILES} files`);
}

/** A package that is no file of an index: it has no hash that an index could have signed. */
export function otherSource(
  project: string,
  version: string | undefined,
  kind: 'elsewhere' | 'local',
  place: string,
): LockedFile {
  const origin = { kind, text: place };
  return { project, version, filename: undefined, hashes: NO_HASH, length: undefined, origin };
}
