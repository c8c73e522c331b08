import { claimListOf } from '../claims/claim-lists.ts';
import type { Targets } from '../tuf/targets.ts';
import type { TargetFile } from '../tuf/file.ts';
import type { Fetcher } from '../updater/fetcher.ts';
import { isNetworkAway } from '../updater/errors.ts';
import { MultiRepositoryUpdater, type AgreedTarget } from '../updater/multi-repository-updater.ts';
import type { Updater } from '../updater/updater.ts';
import type { SessionTarget, SessionUpdater } from './verified-index.ts';

/** One of the indexes that have to agree. */
export interface AgreeingIndex {
  /** Base URL, with the final slash. */
  readonly url: string;
  readonly mirrors?: readonly string[] | undefined;
  readonly metadataFolder: string;
  readonly bootstrapRoot: Uint8Array;
}

/** How the sessions of an agreement meet the network. */
export interface AgreedSessionOptions {
  readonly fetcher: Fetcher;
  /** Asks nobody. */
  readonly isOffline?: boolean;
  /** Told of each index of which only what is stored is used, and why, unless somebody asked for it. */
  readonly onOffline?: ((url: string, updater: Updater, reason: unknown) => void) | undefined;
  /** Until when an index is not tried again, by URL and on the monotonic clock; kept from one session to the next. */
  readonly away?: Map<string, number>;
  readonly clock?: () => Date;
}

/** Milliseconds for which an index that could not be reached is not tried again. */
const AWAY = 30_000;

/**
 * A session with several indexes at once (TAP 4): a target is what so many of them sign with the same length and hashes,
 * each by its own root of trust.
 *
 * An index that cannot be reached is taken by its word of before, as far as that is stored here and has not expired; it
 * counts towards the threshold like any other. Whoever cuts the line to it gains no more than by sending its last answer again.
 */
export function openAgreedSession(
  indexes: readonly AgreeingIndex[],
  threshold: number,
  options: AgreedSessionOptions,
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
    fetcher: options.fetcher,
    config: { offline: options.isOffline === true },
    ...(options.clock === undefined ? {} : { clock: options.clock }),
  });
  return new AgreedSession(updater, new Map([...names].map(([name, { url }]) => [name, url])), options);
}

class AgreedSession implements SessionUpdater {
  readonly #updater: MultiRepositoryUpdater;
  /** Base URLs by name of the repository. */
  readonly #urls: ReadonlyMap<string, string>;
  readonly #options: AgreedSessionOptions;
  readonly #away: Map<string, number>;
  readonly #agreed = new WeakMap<TargetFile, AgreedTarget>();
  /** The repository that speaks for the others about a path. */
  readonly #spokesmen = new Map<string, string>();

  constructor(
    updater: MultiRepositoryUpdater,
    urls: ReadonlyMap<string, string>,
    options: AgreedSessionOptions,
  ) {
    this.#updater = updater;
    this.#urls = urls;
    this.#options = options;
    this.#away = options.away ?? new Map();
  }

  /** Never fails: which of them must be there depends on what is asked for. */
  async refresh(): Promise<void> {
    await Promise.all([...this.#urls].map(([repository, url]) => this.#refresh(repository, url)));
  }

  async #refresh(repository: string, url: string): Promise<void> {
    const { isOffline = false, onOffline } = this.#options;
    try {
      if (isOffline || performance.now() < (this.#away.get(url) ?? 0))
        onOffline?.(url, await this.#updater.withoutNetwork(repository), undefined);
      else await this.#updater.updater(repository).refresh();
    } catch (error) {
      // Everything else fails again when it is asked for something.
      if (!isOffline && isNetworkAway(error)) await this.#useStored(repository, url, error);
    }
  }

  async #useStored(repository: string, url: string, reason: unknown): Promise<void> {
    const updater = await this.#updater.withoutNetwork(repository).catch(() => undefined);
    if (updater === undefined) return;
    this.#away.set(url, performance.now() + AWAY);
    this.#options.onOffline?.(url, updater, reason);
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
