import { DownloadError, DownloadHttpError } from '../tuf/download-error.ts';
import { RepositoryError } from '../tuf/errors.ts';
import type { MetadataDir } from './metadata-dir.ts';

/** One place that serves the repository. None has to be trusted: a bad one can only cost time. */
export interface Source {
  /** Ends with `/`. */
  readonly metadataBaseUrl: string;
  /** Ends with `/`. */
  readonly targetBaseUrl: string;
}

interface Health {
  /** In a row. */
  readonly failures: number;
  /** Milliseconds since 1970; until then the source is asked last. */
  readonly avoidUntil: number;
}

const FIRST_PENALTY = 5_000;
const LONGEST_PENALTY = 600_000;
/** For bytes that did not verify: such a source is broken or hostile, not busy. */
const BAD_BYTES_PENALTY = 3_600_000;

/**
 * The sources of a repository in the order in which they are asked: as configured, except that those which failed
 * lately come last. What is known of their health is kept in the metadata folder, for the next process.
 */
export class Sources {
  readonly #sources: readonly Source[];
  readonly #dir: MetadataDir;
  readonly #now: () => number;
  #health: ReadonlyMap<string, Health> | undefined;

  constructor(sources: readonly Source[], dir: MetadataDir, now: () => number = Date.now) {
    this.#sources = sources;
    this.#dir = dir;
    this.#now = now;
  }

  /**
   * Gives the sources to `attempt`, one after the other, until one of them does. Errors that are not a source's fault
   * end it at once. If all fail, the error is that of bytes that did not verify, before one of the network, before an
   * absence; with `absenceCounts` an absence before all others: then one source that says so is enough.
   */
  async first<T>(
    attempt: (source: Source) => Promise<T>,
    options: { readonly absenceCounts?: boolean } = {},
  ): Promise<T> {
    const failures: unknown[] = [];
    for (const source of await this.#inOrder()) {
      try {
        const result = await attempt(source);
        await this.#note(source, undefined);
        return result;
      } catch (error) {
        if (!(error instanceof RepositoryError || error instanceof DownloadError)) {
          throw error;
        }
        failures.push(error);
        await this.#note(source, error);
      }
    }
    failures.sort((a, b) => severity(b) - severity(a));
    throw (options.absenceCounts === true ? failures.find(isAbsence) : undefined) ?? failures[0];
  }

  /** Remembers that a source gave bytes that did not verify, or failed while they were already being passed on. */
  async blame(source: Source, error: unknown): Promise<void> {
    if (error instanceof RepositoryError || error instanceof DownloadError) {
      await this.#note(source, error);
    }
  }

  async #inOrder(): Promise<readonly Source[]> {
    if (this.#sources.length === 1) {
      return this.#sources;
    }
    this.#health ??= parseHealth(await this.#dir.readMirrorHealth());
    const now = this.#now();
    const penalty = (source: Source) => Math.max(0, (this.#healthOf(source)?.avoidUntil ?? 0) - now);
    return this.#sources.toSorted((a, b) => penalty(a) - penalty(b));
  }

  async #note(source: Source, error: unknown): Promise<void> {
    const before = this.#healthOf(source);
    if (this.#sources.length === 1 || (error === undefined && before === undefined)) {
      return;
    }
    const health = new Map(this.#health);
    if (error === undefined) {
      health.delete(source.metadataBaseUrl);
    } else {
      const failures = (before?.failures ?? 0) + 1;
      const penalty =
        error instanceof RepositoryError
          ? BAD_BYTES_PENALTY
          : Math.min(LONGEST_PENALTY, FIRST_PENALTY * 2 ** (failures - 1));
      health.set(source.metadataBaseUrl, { failures, avoidUntil: this.#now() + penalty });
    }
    this.#health = health;
    await this.#dir.writeMirrorHealth(JSON.stringify(Object.fromEntries(health)));
  }

  #healthOf(source: Source): Health | undefined {
    return this.#health?.get(source.metadataBaseUrl);
  }
}

/** Statuses that say "there is no such file": some object stores answer 403 to whoever may not list. */
const ABSENT: ReadonlySet<number> = new Set([403, 404, 410]);

/** Whether a source says that it does not have the file. */
export function isAbsence(error: unknown): boolean {
  return error instanceof DownloadHttpError && ABSENT.has(error.statusCode);
}

function severity(error: unknown): number {
  if (error instanceof RepositoryError) {
    return 2;
  }
  return isAbsence(error) ? 0 : 1;
}

/** Only a hint: what cannot be read is forgotten. */
function parseHealth(text: string | undefined): ReadonlyMap<string, Health> {
  const health = new Map<string, Health>();
  try {
    const stored: unknown = JSON.parse(text ?? '{}');
    for (const [url, entry] of Object.entries(stored as Record<string, Partial<Health>>)) {
      const { failures, avoidUntil } = entry;
      if (Number.isSafeInteger(failures) && Number.isFinite(avoidUntil)) {
        health.set(url, { failures: Number(failures), avoidUntil: Number(avoidUntil) });
      }
    }
  } catch {
    health.clear();
  }
  return health;
}
