import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DownloadHttpError, Updater, type Fetcher } from '../../src/updater/index.ts';
import type { IndexFixture } from './index-fixture.ts';

/** Serves the objects of a store as a web server would. */
function storeFetcher({ store }: IndexFixture): Fetcher {
  return {
    async *fetch(url) {
      const key = decodeURIComponent(new URL(url).pathname.slice(1));
      const bytes = await store.read(key);
      if (bytes === undefined) throw new DownloadHttpError('Not Found', 404, { url });
      yield bytes;
    },
  };
}

/** A client that keeps its trusted metadata from session to session and pins the first root. */
export class StoreClient {
  readonly #fixture: IndexFixture;
  readonly #folder: string;
  readonly #root: Uint8Array;

  private constructor(fixture: IndexFixture, folder: string, root: Uint8Array) {
    this.#fixture = fixture;
    this.#folder = folder;
    this.#root = root;
  }

  static async pin(fixture: IndexFixture, name = 'client'): Promise<StoreClient> {
    const folder = join(fixture.folder, name);
    await mkdir(folder, { mode: 0o700 });
    const root = (await fixture.store.read(fixture.tree.metadata('root', 1))) ?? new Uint8Array();
    return new StoreClient(fixture, folder, root);
  }

  /** The client of {@link pin}, with what it trusts already: for the same index in another store. */
  static async again(fixture: IndexFixture, name = 'client'): Promise<StoreClient> {
    const root = (await fixture.store.read(fixture.tree.metadata('root', 1))) ?? new Uint8Array();
    return new StoreClient(fixture, join(fixture.folder, name), root);
  }

  /** A new session, refreshed. */
  async session(): Promise<Updater> {
    const updater = this.open();
    await updater.refresh();
    return updater;
  }

  /** A new session. @param clock in place of the index's */
  open(clock: () => Date = this.#fixture.clock): Updater {
    const { tree } = this.#fixture;
    const base = `http://rind.test/${tree.prefix}`;
    return new Updater({
      metadataDir: this.#folder,
      metadataBaseUrl: `${base}metadata/`,
      targetBaseUrl: base,
      fetcher: storeFetcher(this.#fixture),
      clock,
      bootstrapRoot: this.#root,
    });
  }

  /** The verified text of a target in a new session, undefined when the index has no such target. */
  async read(path: string): Promise<string | undefined> {
    const updater = await this.session();
    const target = await updater.getTargetInfo(path);
    if (target === undefined) return undefined;
    return new TextDecoder().decode(await updater.targetBytes(target, 1 << 20));
  }
}
