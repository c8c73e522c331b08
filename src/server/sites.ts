import { parseIndexPath } from '../pypi/layout.ts';
import { TAKEDOWNS_PATH } from '../pypi/takedown-list.ts';
import type { DocumentCache } from './document-cache.ts';
import type { MountedSite } from './request-handler.ts';
import type { Site } from './site.ts';

/** An index by its number and its name. */
interface IndexName {
  readonly id: number;
  readonly name: string;
}

/** The indexes a server serves now, by name. */
export class Sites {
  readonly #cache: DocumentCache;
  readonly #make: (index: IndexName) => MountedSite;
  readonly #byName = new Map<string, MountedSite>();

  constructor(cache: DocumentCache, make: (index: IndexName) => MountedSite, indexes: readonly IndexName[]) {
    this.#cache = cache;
    this.#make = make;
    for (const index of indexes) this.mount(index);
  }

  get byName(): ReadonlyMap<string, MountedSite> {
    return this.#byName;
  }

  /** Those that are served now. */
  all(): readonly Site[] {
    return [...this.#byName.values()].map(({ site }) => site);
  }

  mount(index: IndexName): void {
    if (!this.#byName.has(index.name)) this.#byName.set(index.name, this.#make(index));
  }

  unmount(name: string): void {
    if (this.#byName.delete(name)) this.#cache.clear();
  }

  /** Something was published, whoever asked for it: what is in memory of these target paths is old. */
  published({
    indexId,
    changedPaths,
  }: {
    readonly indexId: number;
    readonly changedPaths: readonly string[];
  }): void {
    const mounted = [...this.#byName.values()].find(({ site }) => site.id === indexId);
    if (mounted === undefined) return;
    const { site } = mounted;
    // Files that are withheld from now on may be held in memory.
    if (changedPaths.includes(TAKEDOWNS_PATH)) {
      site.forgetTakedowns();
      this.#cache.clear();
    }
    const projects = new Set<string>();
    for (const path of changedPaths) {
      const parsed = parseIndexPath(path);
      if (parsed === undefined) continue;
      projects.add(parsed.project);
      if (parsed.kind !== 'file') continue;
      this.#cache.forget(site.cacheKey(`${site.mountPath}/${path}`));
      this.#cache.forget(site.cacheKey(`${site.mountPath}/${path}.metadata`));
    }
    for (const project of projects) {
      for (const address of site.addressesOf(project)) this.#cache.forget(address);
    }
  }
}
