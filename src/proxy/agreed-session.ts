import type { TargetFile } from '../tuf/file.ts';
import type { Fetcher } from '../updater/fetcher.ts';
import { MultiRepositoryUpdater, type AgreedTarget } from '../updater/multi-repository-updater.ts';
import type { SessionUpdater } from './verified-index.ts';

/** One of the indexes that have to agree. */
export interface AgreeingIndex {
  /** Base URL, with the final slash. */
  readonly url: string;
  readonly mirrors?: readonly string[] | undefined;
  readonly metadataFolder: string;
  readonly bootstrapRoot: Uint8Array;
}

/**
 * A session with several indexes at once (TAP 4): a target is what so many of them sign with the same length and hashes,
 * each by its own root of trust.
 */
export function openAgreedSession(
  indexes: readonly AgreeingIndex[],
  threshold: number,
  fetcher: Fetcher,
  offline = false,
): SessionUpdater {
  const names = new Map(indexes.map((index, position) => [`index-${position}`, index]));
  const updater = new MultiRepositoryUpdater({
    map: {
      repositories: new Map([...names].map(([name, { url, mirrors = [] }]) => [name, [url, ...mirrors]])),
      mapping: [
        {
          paths: ['*/*/*', '*/*'],
          repositories: [...names.keys()],
          threshold,
          terminating: true,
        },
      ],
    },
    metadataFolder: '',
    metadataDirs: new Map([...names].map(([name, { metadataFolder }]) => [name, metadataFolder])),
    bootstrapRoots: new Map([...names].map(([name, { bootstrapRoot }]) => [name, bootstrapRoot])),
    targetPath: '',
    fetcher,
    config: { offline },
  });
  return new AgreedSession(updater);
}

class AgreedSession implements SessionUpdater {
  readonly #updater: MultiRepositoryUpdater;
  readonly #agreed = new WeakMap<TargetFile, AgreedTarget>();

  constructor(updater: MultiRepositoryUpdater) {
    this.#updater = updater;
  }

  /** Which of them must be there depends on what is asked for. */
  refresh(): Promise<void> {
    return Promise.resolve();
  }

  async getSignedTarget(path: string): Promise<{ target: TargetFile; role: string } | undefined> {
    const agreed = await this.#updater.getTargetInfo(path);
    if (agreed === undefined) return undefined;
    this.#agreed.set(agreed.target, agreed);
    // The project's own role counts only if all who agree name it.
    const roles = new Set<string>();
    for (const repository of agreed.repositories) {
      const signed = await this.#updater.updater(repository).getSignedTarget(path);
      roles.add(signed?.role ?? '');
    }
    const [role = ''] = roles;
    return { target: agreed.target, role: roles.size === 1 ? role : [...roles].join(', ') };
  }

  downloadTarget(target: TargetFile, destinationPath: string): Promise<void> {
    return this.#updater.downloadTarget(this.#agreementOn(target), destinationPath);
  }

  async targetBytes(target: TargetFile, maxLength: number): Promise<Uint8Array> {
    let failure: unknown;
    for (const repository of this.#agreementOn(target).repositories) {
      try {
        return await this.#updater.updater(repository).targetBytes(target, maxLength);
      } catch (error) {
        failure ??= error;
      }
    }
    throw failure;
  }

  #agreementOn(target: TargetFile): AgreedTarget {
    const agreed = this.#agreed.get(target);
    if (agreed === undefined) throw new TypeError('This target was not given by this session.');
    return agreed;
  }
}
