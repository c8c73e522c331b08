import { LRUCache } from 'lru-cache';
import { makeDocument, type Document, type DocumentOptions } from './document.ts';

/** Where a document comes from and how to tell that it changed. */
export interface DocumentSource {
  /** Changes whenever the bytes change; undefined when there is nothing (404). Cheap. */
  tag(): Promise<string | undefined>;
  /** The bytes now; undefined when there is nothing. */
  bytes(): Promise<Uint8Array | undefined>;
  /** How long, in milliseconds, the document is given out before the tag is asked for again. */
  readonly lifetime: number;
  readonly options: DocumentOptions;
  /** Flat name, value pairs to add that are known with the bytes only. */
  readonly headers?: () => Promise<readonly string[]>;
}

/** A place of a document in the cache. Whoever keeps it keeps no document that the cache has given up. */
export interface CacheEntry {
  /** Undefined as soon as the cache has forgotten or replaced it. */
  document: Document | undefined;
  readonly tag: string;
  /** Milliseconds, monotonic. */
  freshUntil: number;
}

interface Load {
  readonly result: Promise<Document | undefined>;
  /** Set when somebody learnt meanwhile that the document changed. */
  readonly outdated: { now: boolean };
}

const ENTRY_OVERHEAD = 2048;

/** Documents by address, the least recently used dropped when they fill `maxBytes`. One load at a time per address, however many ask. */
export class DocumentCache {
  readonly #entries: LRUCache<string, CacheEntry>;
  readonly #loads = new Map<string, Load>();
  readonly #now: () => number;

  /** `now` in milliseconds, monotonic. */
  constructor(options: { readonly maxBytes: number; readonly now?: () => number }) {
    this.#now = options.now ?? (() => performance.now());
    this.#entries = new LRUCache({
      maxSize: options.maxBytes,
      sizeCalculation: ({ document }) => (document?.size ?? 0) + ENTRY_OVERHEAD,
      dispose: (entry) => void (entry.document = undefined),
    });
  }

  /** The document if it is here and fresh: no promise, no look at the store. */
  fresh(address: string): Document | undefined {
    return this.freshEntry(address)?.document;
  }

  /** The same with what tells how long it is so. */
  freshEntry(address: string): CacheEntry | undefined {
    const entry = this.#entries.get(address);
    return entry !== undefined && entry.freshUntil > this.#now() ? entry : undefined;
  }

  /** The document of an entry while it may still be given out. The hot path: a comparison. */
  documentOf(entry: CacheEntry): Document | undefined {
    return entry.freshUntil > this.#now() ? entry.document : undefined;
  }

  /** The document, from here or from its source. */
  async get(address: string, source: DocumentSource): Promise<Document | undefined> {
    const fresh = this.fresh(address);
    if (fresh !== undefined) return fresh;
    const running = this.#loads.get(address);
    if (running !== undefined) return running.result;
    const outdated = { now: false };
    const load: Load = { result: this.#load(address, source, outdated), outdated };
    this.#loads.set(address, load);
    try {
      return await load.result;
    } finally {
      if (this.#loads.get(address) === load) this.#loads.delete(address);
    }
  }

  /** Forgets a document: whoever asks from now on gets what its source says now, even if an older load still runs. */
  forget(address: string): void {
    this.#entries.delete(address);
    const load = this.#loads.get(address);
    if (load !== undefined) load.outdated.now = true;
    this.#loads.delete(address);
  }

  /** Forgets everything, loads under way included. */
  clear(): void {
    this.#entries.clear();
    for (const { outdated } of this.#loads.values()) outdated.now = true;
    this.#loads.clear();
  }

  async #load(
    address: string,
    source: DocumentSource,
    outdated: { readonly now: boolean },
  ): Promise<Document | undefined> {
    // The tag is taken before the bytes: if they change in between, the next look at the tag shows it.
    const tag = await source.tag();
    const known = this.#entries.get(address);
    if (tag !== undefined && known?.tag === tag) {
      known.freshUntil = this.#now() + source.lifetime;
      return known.document;
    }
    const bytes = tag === undefined ? undefined : await source.bytes();
    if (tag === undefined || bytes === undefined) {
      this.#entries.delete(address);
      return undefined;
    }
    const document = await makeDocument(bytes, await completeOptions(source));
    if (!outdated.now) {
      const freshUntil = this.#now() + source.lifetime;
      this.#entries.set(address, { document, tag, freshUntil });
    }
    return document;
  }
}

async function completeOptions({ options, headers }: DocumentSource): Promise<DocumentOptions> {
  if (headers === undefined) return options;
  return { ...options, headers: [...(options.headers ?? []), ...(await headers())] };
}
