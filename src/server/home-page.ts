import { createHash } from 'node:crypto';
import { summarizeIndex } from '../registry/index-summary.ts';
import { Metadata } from '../tuf/metadata.ts';
import { renderHome } from '../web/home.tsx';
import type { Executor } from '../db/schema.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import type { DocumentSource } from './document-cache.ts';
import { REVALIDATE } from './document.ts';
import type { Site } from './site.ts';

/** Milliseconds the page is given out before its figures are counted anew. */
const LIFETIME = 2_000;
const MAX_ROOT_SIZE = 1024 ** 2;

/** Nothing is loaded but our own style sheet, nothing runs, nobody may frame the page. */
const PAGE_HEADERS: readonly string[] = [
  'Content-Security-Policy',
  "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'",
  'Referrer-Policy',
  'no-referrer',
  'Permissions-Policy',
  'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
  'Cross-Origin-Opener-Policy',
  'same-origin',
  'Cross-Origin-Resource-Policy',
  'same-origin',
];

interface RootValues {
  readonly version: number;
  readonly fingerprint: string;
  readonly threshold: number;
}

/** The page at the root of an index: gathers its values and renders them. */
export class HomePage {
  readonly #site: Site;
  readonly #db: Executor;
  readonly #store: ObjectStore;
  readonly #url: () => string;
  readonly #clock: () => Date;
  #root: RootValues | undefined;
  #renderings = 0;

  /** `url` gives the public address of the server with its last `/`; it is known only once the server listens. */
  constructor(
    site: Site,
    world: {
      readonly db: Executor;
      readonly store: ObjectStore;
      readonly url: () => string;
      readonly clock: () => Date;
    },
  ) {
    this.#site = site;
    this.#db = world.db;
    this.#store = world.store;
    this.#url = world.url;
    this.#clock = world.clock;
  }

  source(): DocumentSource {
    return {
      lifetime: LIFETIME,
      options: {
        contentType: 'text/html; charset=utf-8',
        cacheControl: this.#site.cacheControl(REVALIDATE),
        headers: PAGE_HEADERS,
      },
      tag: async () => String((this.#renderings += 1)),
      bytes: async () => Buffer.from(await this.#render()),
    };
  }

  async #render(): Promise<string> {
    const { id, name, mountPath } = this.#site;
    const summary = await summarizeIndex(this.#db, id);
    const root = await this.#rootValues(summary.roles.find(({ role }) => role === 'root')?.version);
    const values = {
      ...summary,
      indexName: name,
      url: name === '' ? this.#url() : `${this.#url()}${mountPath.slice(1)}/`,
      fingerprint: root?.fingerprint,
      rootVersion: root?.version,
      rootThreshold: root?.threshold,
      now: this.#clock(),
    };
    return renderHome(values, name === '' ? '' : '../../');
  }

  async #rootValues(version: number | undefined): Promise<RootValues | undefined> {
    if (version === undefined) return undefined;
    if (this.#root?.version === version) return this.#root;
    const bytes = await this.#store.read(this.#site.tree.metadata('root', version), {
      maxLength: MAX_ROOT_SIZE,
    });
    if (bytes === undefined) return undefined;
    const { signed, signedBytes } = Metadata.fromBytes(bytes, 'root');
    this.#root = {
      version,
      fingerprint: createHash('sha256').update(signedBytes).digest('hex'),
      threshold: signed.roles.get('root')?.threshold ?? 1,
    };
    return this.#root;
  }
}
