import { claimListOf } from '../claims/claim-lists.ts';
import type { Targets } from '../tuf/targets.ts';
import type { TargetFile } from '../tuf/file.ts';
import type { Fetcher } from '../updater/fetcher.ts';
import { MultiRepositoryUpdater, type AgreedTarget } from '../updater/multi-repository-updater.ts';
import type { SessionTarget, SessionUpdater } from './verified-index.ts';

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
  /** The repository that speaks for the others about a path. */
  readonly #spokesmen = new Map<string, string>();

  constructor(updater: MultiRepositoryUpdater) {
    this.#updater = updater;
  }

  /** Which of them must be there depends on what is asked for. */
  refresh(): Promise<void> {
    return Promise.resolve();
  }

  async getSignedTarget(path: string): Promise<SessionTarget | undefined> {
    const agreed = await this.#updater.getTargetInfo(path);
    if (agreed === undefined) return undefined;
    this.#agreed.set(agreed.target, agreed);
    // A claim counts only if all who agree say so: the least of them speaks for the others.
    const found: { readonly repository: string; readonly role: string; readonly via: readonly string[] }[] =
      [];
    for (const repository of agreed.repositories) {
      const signed = await this.#updater.updater(repository).getSignedTarget(path);
      found.push({ repository, role: signed?.role ?? '', via: signed?.via ?? [] });
    }
    const least = found.toSorted((left, right) => rank(left.via) - rank(right.via))[0];
    this.#spokesmen.set(path, least?.repository ?? '');
    const roles = [...new Set(found.map(({ role }) => role))].join(', ');
    return { target: agreed.target, role: roles, via: least?.via ?? [] };
  }

  delegatedTargets(role: string, delegator: string, path: string): Promise<Targets> {
    return this.#updater.updater(this.#spokesmen.get(path) ?? '').delegatedTargets(role, delegator);
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

/** How much a way to a target says: nothing, that the online key vouches for the developers, that offline keys do. */
function rank(via: readonly string[]): number {
  return [undefined, 'recently-claimed', 'claimed'].indexOf(claimListOf(via[1] ?? ''));
}
