import { LRUCache } from 'lru-cache';
import { lastSerial } from '../db/feeds.ts';
import { findFile } from '../db/files.ts';
import { findProject, listProjects } from '../db/projects.ts';
import { lastPublication } from '../db/publications.ts';
import type { Executor } from '../db/schema.ts';
import { takedownsInForce } from '../db/takedowns.ts';
import { parseIndexPath } from '../pypi/layout.ts';
import { takedownOf, type Takedown } from '../pypi/takedown-list.ts';
import { PAGE_CONTENT_TYPES, renderIndexHtml, renderIndexJson, type PageFormat } from '../pypi/simple.ts';
import { feedDocument, type FeedName } from '../registry/feeds.ts';
import { publishedProvenance } from '../registry/provenance.ts';
import { documentState, projectDocument } from '../registry/project-document.ts';
import { ServedTree } from '../repository/served-tree.ts';
import type { ObjectStore, OpenObject } from '../storage/object-store.ts';
import type { DocumentSource } from './document-cache.ts';
import { IMMUTABLE, REVALIDATE, type DocumentOptions } from './document.ts';
import { DOWNLOAD_HEADERS } from './file-response.ts';
import { PAGE_PATHS, type LogPart, type Route } from './route.ts';

/** Milliseconds a page is given out before the store is asked whether it changed; uploads through this process forget it at once. */
const PAGE_LIFETIME = 1_000;
const IMMUTABLE_LIFETIME = 60_000;
/** Larger objects are streamed, not held in memory. */
export const MAX_DOCUMENT_SIZE = 16 * 1024 ** 2;

/** Files up to this size are held in memory among the pages. */
const SMALL_FILE = 256 * 1024;
const REMEMBERED_FILES = 20_000;

const FORMATS: readonly PageFormat[] = ['json', 'html', 'text-html'];
/** The header by which mirrors know how new an answer is. */
const SERIAL = 'X-PyPI-Last-Serial';
const PROVENANCE_CONTENT_TYPE = 'application/vnd.pypi.integrity.v1+json';
const ROLE_CONTENT_TYPE = 'application/json';
/** No page of an index runs, loads or submits anything. */
const HTML_HEADERS = [
  'Content-Security-Policy',
  "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'Referrer-Policy',
  'no-referrer',
];

/** One index as HTTP serves it: where each document of it comes from. */
export class Site {
  readonly id: number;
  readonly name: string;
  /** '' or '/index/<name>': what stands before the routes of this index. */
  readonly mountPath: string;
  readonly tree: ServedTree;
  /** Closed until the row of the index says otherwise (access-watch.ts). */
  readAccess: 'open' | 'token' = 'token';
  readonly #db: Executor;
  readonly #store: ObjectStore;
  readonly #serverUrl: () => string;
  /** What is known of files that were asked for, by path. */
  #takedowns: { readonly at: number; readonly list: Promise<readonly Takedown[]> } | undefined;
  readonly #files = new LRUCache<string, { readonly etag: string; readonly isSmall: boolean }>({
    max: REMEMBERED_FILES,
  });

  /** `url` gives the public address of the server with its last `/`; it is known only once the server listens. */
  constructor(
    index: { readonly id: number; readonly name: string },
    world: { readonly db: Executor; readonly store: ObjectStore; readonly url: () => string },
  ) {
    this.id = index.id;
    this.name = index.name;
    this.mountPath = index.name === '' ? '' : `/index/${index.name}`;
    this.tree = new ServedTree(index.name);
    this.#db = world.db;
    this.#store = world.store;
    this.#serverUrl = world.url;
  }

  /** The key of a document in the cache: a private one has a key that no address of a request equals, so the hot path cannot find it. */
  cacheKey(address: string): string {
    return this.readAccess === 'open' ? address : `private ${address}`;
  }

  /** A project's page, the very bytes that are signed. */
  projectPage(project: string, format: PageFormat): DocumentSource {
    const source = this.#object(PAGE_PATHS[format](project), pageOptions(format, REVALIDATE, 'Accept'));
    const headers = async (): Promise<readonly string[]> => {
      const row = await findProject(this.#db, this.id, project);
      const more = (await source.headers?.()) ?? [];
      return [SERIAL, String(row?.last_serial ?? 0), ...more];
    };
    return { ...source, headers };
  }

  /** The same bytes under their own path, for TUF clients and mirrors. */
  pageObject(path: string, format: PageFormat, isImmutable: boolean): DocumentSource {
    return this.#object(path, pageOptions(format, isImmutable ? IMMUTABLE : REVALIDATE));
  }

  roleMetadata(path: string, isImmutable: boolean): DocumentSource {
    const cacheControl = isImmutable ? IMMUTABLE : REVALIDATE;
    return this.#object(path, { contentType: ROLE_CONTENT_TYPE, cacheControl });
  }

  logObject(path: string, part: LogPart): DocumentSource {
    const contentType = part === 'tile' ? 'application/octet-stream' : ROLE_CONTENT_TYPE;
    return this.#object(path, { contentType, cacheControl: part === 'head' ? REVALIDATE : IMMUTABLE });
  }

  coreMetadata(path: string): DocumentSource {
    return this.#object(path, { contentType: 'application/octet-stream', cacheControl: IMMUTABLE });
  }

  /** The list of all projects: unsigned, made of the rows whenever something was published. */
  projectList(format: PageFormat): DocumentSource {
    return {
      lifetime: PAGE_LIFETIME,
      options: this.#options(pageOptions(format, REVALIDATE, 'Accept')),
      tag: async () => String((await lastPublication(this.#db, this.id))?.id ?? 0),
      headers: async () => [SERIAL, String(await lastSerial(this.#db, this.id))],
      bytes: async () => {
        const [projects, serial] = await Promise.all([
          listProjects(this.#db, this.id),
          lastSerial(this.#db, this.id),
        ]);
        const entries = projects.map(({ name, last_serial }) => ({ name, lastSerial: last_serial }));
        return format === 'json' ? renderIndexJson(entries, serial) : renderIndexHtml(entries);
      },
    };
  }

  /** The absolute URL of this index with its last `/`. */
  get url(): string {
    return this.#serverUrl() + (this.name === '' ? '' : `index/${this.name}/`);
  }

  /** A project in PyPI's JSON API: unsigned, of what the signed page says. */
  projectJson(project: string, version: string | undefined): DocumentSource {
    const context = { db: this.#db, store: this.#store, index: { id: this.id, name: this.name } };
    let serial = 0;
    return {
      lifetime: 0,
      options: this.#options({ contentType: ROLE_CONTENT_TYPE, cacheControl: REVALIDATE }),
      tag: async () => {
        const state = await documentState(context, project);
        serial = state?.project.last_serial ?? 0;
        return state === undefined ? undefined : `${this.url} ${state.tag}`;
      },
      headers: async () => [SERIAL, String(serial)],
      bytes: () => projectDocument(context, project, { url: this.url, version }),
    };
  }

  /** The provenance object of a file: as it was verified when the file was uploaded. */
  provenance(place: {
    readonly project: string;
    readonly version: string;
    readonly filename: string;
  }): DocumentSource {
    const read = (): Promise<string | undefined> => publishedProvenance(this.#db, { id: this.id }, place);
    return {
      lifetime: 0,
      options: this.#options({ contentType: PROVENANCE_CONTENT_TYPE, cacheControl: REVALIDATE }),
      tag: read,
      bytes: async () => Buffer.from((await read()) ?? ''),
    };
  }

  /** What is new, as RSS. */
  feed(name: FeedName): DocumentSource {
    return {
      lifetime: PAGE_LIFETIME,
      options: this.#options({ contentType: 'application/rss+xml; charset=utf-8', cacheControl: REVALIDATE }),
      tag: async () => String((await lastPublication(this.#db, this.id))?.id ?? 0),
      bytes: () => feedDocument(this.#db, { id: this.id, name: this.name }, name, this.url),
    };
  }

  /** Whether a file was seen before and is small enough to be held in memory. */
  isSmallFile(path: string): boolean {
    return this.#files.get(path)?.isSmall === true;
  }

  /** A small file, as a document. */
  smallFile(path: string): DocumentSource {
    return this.#object(path, {
      contentType: 'application/octet-stream',
      cacheControl: IMMUTABLE,
      isFile: true,
      headers: DOWNLOAD_HEADERS,
    });
  }

  /** Why a file or its core metadata is withheld; undefined when it is not, or the path is of neither. */
  async takedownOf(path: string): Promise<Takedown | undefined> {
    const parsed = parseIndexPath(path);
    if (parsed?.kind !== 'file' && parsed?.kind !== 'metadata') return undefined;
    return takedownOf(await this.#takedownList(), parsed.project, parsed.filename);
  }

  /** The list is read again. */
  forgetTakedowns(): void {
    this.#takedowns = undefined;
  }

  #takedownList(): Promise<readonly Takedown[]> {
    const now = performance.now();
    if (this.#takedowns === undefined || now - this.#takedowns.at > PAGE_LIFETIME) {
      const list = takedownsInForce(this.#db, this.id);
      this.#takedowns = { at: now, list };
      list.catch(() => this.forgetTakedowns());
    }
    return this.#takedowns.list;
  }

  /** The entity tag of a file, with its quotes: its sha256 where it is known, else what the store says. Remembered: under its name a file never changes. */
  async fileEtag(
    { path, filename, sha256 }: Extract<Route, { kind: 'file' }>,
    object: Pick<OpenObject, 'etag' | 'length'>,
  ): Promise<string> {
    const known = this.#files.get(path);
    if (known !== undefined) return known.etag;
    const digest = sha256 ?? (await findFile(this.#db, this.id, filename))?.sha256;
    if (digest === undefined) return `"${object.etag}"`;
    const etag = `"${digest}"`;
    this.#files.set(path, { etag, isSmall: object.length <= SMALL_FILE });
    return etag;
  }

  /** Every address whose document a publication of the project changes, as the cache knows them. */
  addressesOf(project: string): readonly string[] {
    const root = this.mountPath;
    const addresses = [
      ...FORMATS.flatMap((format) => [`${format}${root}/simple/${project}/`, `${format}${root}/simple/`]),
      `${root}/${PAGE_PATHS.json(project)}`,
      `${root}/${PAGE_PATHS.html(project)}`,
      `${root}/metadata/timestamp.json`,
      `${root}/rss/updates.xml`,
      `${root}/rss/packages.xml`,
      `${root}/rss/project/${project}/releases.xml`,
    ];
    return addresses.map((address) => this.cacheKey(address));
  }

  /** The Cache-Control of an answer of this index: what is private stays out of shared caches. */
  cacheControl(value: string): string {
    return this.readAccess === 'open' ? value : `private, ${value.replace('public, ', '')}`;
  }

  #options(options: DocumentOptions): DocumentOptions {
    if (this.readAccess === 'open') return options;
    const vary = options.vary === undefined ? 'Authorization' : `${options.vary}, Authorization`;
    return { ...options, vary, cacheControl: this.cacheControl(options.cacheControl) };
  }

  #object(path: string, options: DocumentOptions): DocumentSource {
    const key = this.tree.plain(path);
    return {
      options: this.#options(options),
      lifetime: options.cacheControl === IMMUTABLE ? IMMUTABLE_LIFETIME : PAGE_LIFETIME,
      tag: async () => (await this.#store.stat(key))?.etag,
      headers: async () => {
        const stat = await this.#store.stat(key);
        return stat === undefined ? [] : ['Last-Modified', stat.modified.toUTCString()];
      },
      bytes: () => this.#store.read(key, { maxLength: MAX_DOCUMENT_SIZE }),
    };
  }
}

function pageOptions(format: PageFormat, cacheControl: string, vary?: string): DocumentOptions {
  return {
    contentType: PAGE_CONTENT_TYPES[format],
    cacheControl,
    ...(vary === undefined ? {} : { vary }),
    ...(format === 'json' ? {} : { headers: HTML_HEADERS }),
  };
}
