import { join } from 'node:path';
import type { TargetFile } from '../tuf/file.ts';
import type { UpdaterConfig } from './config.ts';
import type { Fetcher } from './fetcher.ts';
import { mappingsFor } from './map-file.ts';
import type { MapFile, Mapping } from './map-file.ts';
import { Updater } from './updater.ts';

/** What a {@link MultiRepositoryUpdater} is made of. */
export interface MultiRepositoryUpdaterOptions {
  readonly map: MapFile;
  /** One folder per repository is kept in it, with the trusted metadata of that repository. */
  readonly metadataFolder: string;
  /** The folders of repositories whose trusted metadata is kept elsewhere. */
  readonly metadataDirs?: ReadonlyMap<string, string>;
  readonly fetcher: Fetcher;
  readonly clock?: () => Date;
  /** The trusted root of each repository; for those without, `root.json` of its folder. */
  readonly bootstrapRoots?: ReadonlyMap<string, Uint8Array>;
  /** Below each URL of the map file; `metadata/` if nothing else is said. */
  readonly metadataPath?: string;
  /** Below each URL of the map file; `targets/` if nothing else is said. */
  readonly targetPath?: string;
  readonly config?: Partial<UpdaterConfig>;
}

/** A target and the repositories that agree on its length and hashes. */
export interface AgreedTarget {
  readonly target: TargetFile;
  /** In the order of the map file. */
  readonly repositories: readonly string[];
}

/** The repositories of a map file do not give the agreement that the map asks for, and no other answer is allowed. */
export class AgreementError extends Error {
  override readonly name = 'AgreementError';
  /** `REPOSITORY_FAILED`: one could not be asked or verified (`cause`). `NO_AGREEMENT`: they list different content. */
  readonly code: 'REPOSITORY_FAILED' | 'NO_AGREEMENT';
  /** The target path. */
  readonly path: string;

  constructor(code: AgreementError['code'], path: string, reason: string, options?: ErrorOptions) {
    super(`${path}: ${reason}`, options);
    this.code = code;
    this.path = path;
  }
}

type Answer =
  | { readonly repository: string; readonly target: TargetFile | undefined }
  | { readonly repository: string; readonly error: unknown };

/**
 * A client of several repositories with separate roots of trust (TAP 4): a map file says which of them have to agree on
 * which targets. One object is one session with every repository, and one reference time for all.
 */
export class MultiRepositoryUpdater {
  readonly #options: MultiRepositoryUpdaterOptions;
  readonly #referenceTime: Date;
  readonly #updaters = new Map<string, Updater>();

  constructor(options: MultiRepositoryUpdaterOptions) {
    this.#options = options;
    this.#referenceTime = (options.clock ?? (() => new Date()))();
  }

  /**
   * What the responsible repositories agree on, undefined if they do not list the target. A repository that cannot be
   * asked never makes room for the next entry of the map: that would let whoever can block one repository choose another.
   * @throws {AgreementError}
   */
  async getTargetInfo(path: string): Promise<AgreedTarget | undefined> {
    for (const mapping of mappingsFor(this.#options.map, path)) {
      const found = await this.#ask(mapping, path);
      if (found !== undefined) {
        return found;
      }
    }
    return undefined;
  }

  /** As `Updater.downloadTarget`, from the first of the agreeing repositories that has the file. */
  async downloadTarget(agreed: AgreedTarget, destinationPath: string, signal?: AbortSignal): Promise<void> {
    let failure: unknown;
    for (const repository of agreed.repositories) {
      try {
        await this.updater(repository).downloadTarget(agreed.target, destinationPath, signal);
        return;
      } catch (error) {
        signal?.throwIfAborted();
        failure ??= error;
      }
    }
    throw failure;
  }

  /** The session with one repository. @throws {RangeError} if the map does not define it */
  updater(repository: string): Updater {
    const known = this.#updaters.get(repository);
    if (known !== undefined) {
      return known;
    }
    const updater = this.#open(repository);
    this.#updaters.set(repository, updater);
    return updater;
  }

  /**
   * From now on nobody is asked about one repository: what is stored of it, verified and unexpired, has to do. That is its word
   * as of then, and counts as such. If that is not possible, everything stays as it is.
   */
  async withoutNetwork(repository: string): Promise<Updater> {
    const updater = this.#open(repository, { offline: true });
    await updater.refresh();
    this.#updaters.set(repository, updater);
    return updater;
  }

  #open(repository: string, own: Partial<UpdaterConfig> = {}): Updater {
    const [first, ...mirrors] = (this.#options.map.repositories.get(repository) ?? []).map((url) =>
      this.#source(url),
    );
    if (first === undefined) {
      throw new RangeError(`the map file has no repository ${repository}`);
    }
    const { fetcher, metadataFolder, metadataDirs, bootstrapRoots, config } = this.#options;
    const bootstrapRoot = bootstrapRoots?.get(repository);
    return new Updater({
      ...first,
      mirrors,
      fetcher,
      metadataDir: metadataDirs?.get(repository) ?? join(metadataFolder, repository),
      clock: () => this.#referenceTime,
      config: { ...config, ...own },
      ...(bootstrapRoot === undefined ? {} : { bootstrapRoot }),
    });
  }

  async #ask(mapping: Mapping, path: string): Promise<AgreedTarget | undefined> {
    const answers = await Promise.all(
      mapping.repositories.map((repository) => this.#answer(repository, path)),
    );
    const contents = new Map<string, { readonly target: TargetFile; readonly repositories: string[] }>();
    for (const answer of answers) {
      if ('target' in answer && answer.target !== undefined) {
        const content = contentOf(answer.target);
        const entry = contents.get(content) ?? { target: answer.target, repositories: [] };
        entry.repositories.push(answer.repository);
        contents.set(content, entry);
      }
    }
    const agreed = [...contents.values()].find(
      ({ repositories }) => repositories.length >= mapping.threshold,
    );
    if (agreed !== undefined) {
      return agreed;
    }
    const failed = answers.find((answer) => 'error' in answer);
    if (failed !== undefined) {
      const reason = `the repository ${failed.repository} could not be asked, and without it there is no agreement`;
      throw new AgreementError('REPOSITORY_FAILED', path, reason, { cause: failed.error });
    }
    if (contents.size > 1) {
      const names = mapping.repositories.join(', ');
      throw new AgreementError(
        'NO_AGREEMENT',
        path,
        `the repositories ${names} list different content for it`,
      );
    }
    return undefined;
  }

  async #answer(repository: string, path: string): Promise<Answer> {
    try {
      return { repository, target: await this.updater(repository).getTargetInfo(path) };
    } catch (error) {
      return { repository, error };
    }
  }

  #source(url: string) {
    const base = url.endsWith('/') ? url : `${url}/`;
    return {
      metadataBaseUrl: base + (this.#options.metadataPath ?? 'metadata/'),
      targetBaseUrl: base + (this.#options.targetPath ?? 'targets/'),
    };
  }
}

/** Length and all hashes, in one order; `custom` data does not count (TAP 4). */
function contentOf(target: TargetFile): string {
  const hashes = [...target.hashes].sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([target.length, hashes]);
}
