import type { CacheEntry, DocumentCache } from './document-cache.ts';
import type { Document } from './document.ts';

const MOST = 4_096;
/** Longer addresses are not remembered: whoever makes them up fills no memory. */
const LONGEST = 256;

interface Hot {
  readonly accept: string | undefined;
  readonly entry: CacheEntry;
}

/**
 * Documents by the address that was asked for, in front of the cache: one look-up with strings that are there already, nothing negotiated and
 * nothing put together. Of each address the last Accept header is remembered, since installers send the same one all day.
 */
export class HotDocuments {
  readonly #cache: DocumentCache;
  readonly #hot = new Map<string, Hot>();

  constructor(cache: DocumentCache) {
    this.#cache = cache;
  }

  /** The document, when it is fresh. */
  get(url: string, accept: string | undefined): Document | undefined {
    const hot = this.#hot.get(url);
    if (hot === undefined || hot.accept !== accept) return undefined;
    const document = this.#cache.documentOf(hot.entry);
    if (document === undefined) this.#hot.delete(url);
    return document;
  }

  remember(url: string, accept: string | undefined, entry: CacheEntry): void {
    if (url.length > LONGEST) return;
    if (this.#hot.size >= MOST) this.#hot.clear();
    this.#hot.set(url, { accept, entry });
  }
}
