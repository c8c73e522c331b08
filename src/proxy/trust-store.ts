import { createHash, randomUUID } from 'node:crypto';
import { chmod, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { MAX_ROOT_LENGTH, type SelfSignedRoot } from './trusted-root.ts';

export type TrustStoreErrorCode =
  'nothing-trusted' | 'several-trusted' | 'not-trusted' | 'already-trusted' | 'damaged' | 'insecure';

/** The trust store cannot give or take what was asked; the message says what to do. */
export class TrustStoreError extends Error {
  override readonly name = 'TrustStoreError';
  readonly code: TrustStoreErrorCode;

  constructor(code: TrustStoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** How a root came to be trusted: from a file, by its fingerprint, or because it was the first one seen. */
export type TrustOrigin = 'root-file' | 'fingerprint' | 'first-use';

/** An index whose root somebody on this machine decided to trust. */
export interface TrustedIndex {
  /** 16 hexadecimal digits of the sha256 of the URL. */
  readonly id: string;
  /** Base URL, with the final slash. */
  readonly url: string;
  /** Base URLs of copies that need no trust, asked in this order when the index cannot be used. */
  readonly mirrors: readonly string[];
  readonly origin: TrustOrigin;
  /** The root trust began with; later ones follow from it by signatures. */
  readonly rootVersion: number;
  /** Lower-case hex. */
  readonly fingerprint: string;
  readonly addedAt: Date;
  /** The bytes of that root. */
  readonly rootPath: string;
  /** Folder of the TUF client's trusted metadata. */
  readonly metadataFolder: string;
  /** Where the proxy of this index listened last. */
  readonly addressPath: string;
  /** Folder for what is kept for this trust alone: installers' caches, verified files. */
  readonly cacheFolder: string;
}

/** A decision to trust. */
export interface TrustDecision {
  readonly url: string;
  readonly origin: TrustOrigin;
  readonly root: SelfSignedRoot;
  /** See {@link TrustedIndex}. */
  readonly mirrors?: readonly string[];
}

const RECORD = 'index.json';
const ROOT = 'root.json';
const METADATA = 'metadata';
const ADDRESS = 'proxy-address';
const FORMAT = 1;

/**
 * The trusted indexes of a user: `<state>/trust/<id>/{index.json, root.json, metadata/, proxy-address}`, folders of mode 0700. An index
 * is there whole or not at all.
 */
export class TrustStore {
  readonly #folder: string;
  readonly #cacheFolder: string;

  /** @param stateFolder see {@link stateFolder}; @param cacheFolder see {@link cacheFolder} */
  constructor(stateFolder: string, cacheFolder: string) {
    this.#folder = join(stateFolder, 'trust');
    this.#cacheFolder = cacheFolder;
  }

  /** All trusted indexes, by URL. */
  async list(): Promise<readonly TrustedIndex[]> {
    const names = await readdir(this.#folder).catch(absentAs([]));
    const indexes: TrustedIndex[] = [];
    for (const name of names) {
      if (/^[0-9a-f]{16}$/.test(name)) indexes.push(await this.#read(name));
    }
    return indexes.toSorted((a, b) => (a.url < b.url ? -1 : 1));
  }

  /** The index with this base URL. */
  async get(url: string): Promise<TrustedIndex | undefined> {
    const id = idOf(url);
    const found = await stat(join(this.#folder, id)).catch(absentAs(undefined));
    return found === undefined ? undefined : this.#read(id);
  }

  /**
   * The index to use: the one with this URL, or without a URL the only one there is.
   *
   * @throws TrustStoreError `not-trusted`, `nothing-trusted` or `several-trusted`
   */
  async choose(url: string | undefined): Promise<TrustedIndex> {
    if (url !== undefined) {
      const index = await this.get(url);
      if (index !== undefined) return index;
      throw new TrustStoreError('not-trusted', `The index ${url} is not trusted on this machine.`);
    }
    const [first, ...others] = await this.list();
    if (first === undefined)
      throw new TrustStoreError('nothing-trusted', 'No index is trusted on this machine yet.');
    if (others.length === 0) return first;
    const urls = [first, ...others].map((index) => index.url).join(', ');
    throw new TrustStoreError(
      'several-trusted',
      `Several indexes are trusted (${urls}), and none was chosen.`,
    );
  }

  /**
   * Begins to trust an index once `check` has succeeded with it; otherwise nothing stays.
   *
   * @throws TrustStoreError `already-trusted`; whatever `check` throws
   */
  async add(decision: TrustDecision, check: (draft: TrustedIndex) => Promise<void>): Promise<TrustedIndex> {
    await this.#prepare();
    if ((await this.get(decision.url)) !== undefined) throw alreadyTrusted(decision.url);
    const id = idOf(decision.url);
    const draft = join(this.#folder, `.draft-${id}-${randomUUID()}`);
    try {
      await mkdir(join(draft, METADATA), { recursive: true, mode: 0o700 });
      await writeDurably(join(draft, ROOT), decision.root.bytes);
      await writeDurably(join(draft, RECORD), encode(recordOf(decision)));
      await check(await this.#readFrom(draft, id));
      await rename(draft, join(this.#folder, id)).catch((error: unknown) => {
        throw isCode(error, 'ENOTEMPTY', 'EEXIST') ? alreadyTrusted(decision.url) : error;
      });
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
    return this.#read(id);
  }

  /** Names other copies of a trusted index, in place of those before. @throws TrustStoreError `not-trusted` */
  async setMirrors(url: string, mirrors: readonly string[]): Promise<TrustedIndex> {
    const index = await this.choose(url);
    const path = join(this.#folder, index.id, RECORD);
    const draft = `${path}.${randomUUID()}`;
    await writeDurably(draft, encode({ ...index, mirrors }));
    await rename(draft, path);
    return this.#read(index.id);
  }

  /** Ends the trust in an index and removes everything kept for it. @throws TrustStoreError `not-trusted` */
  async remove(url: string): Promise<TrustedIndex> {
    const index = await this.choose(url);
    const gone = join(this.#folder, `.removed-${randomUUID()}`);
    await rename(join(this.#folder, index.id), gone);
    await rm(gone, { recursive: true, force: true });
    await rm(index.cacheFolder, { recursive: true, force: true });
    return index;
  }

  async #prepare(): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    await chmod(this.#folder, 0o700);
  }

  async #read(id: string): Promise<TrustedIndex> {
    return this.#readFrom(join(this.#folder, id), id);
  }

  async #readFrom(folder: string, id: string): Promise<TrustedIndex> {
    const { mode } = await stat(folder);
    if (process.platform !== 'win32' && (mode & 0o022) !== 0) {
      throw new TrustStoreError('insecure', `Others may write to ${folder}: make it private with chmod 700.`);
    }
    const path = join(folder, RECORD);
    const record = decodeRecord(await readFile(path, 'utf8').catch(absentAs('')));
    if (record === undefined || (await hasNoRoot(join(folder, ROOT))) || idOf(record.url) !== id) {
      throw new TrustStoreError(
        'damaged',
        `${path} is damaged: delete the folder ${folder} and trust the index again.`,
      );
    }
    return {
      id,
      ...record,
      rootPath: join(folder, ROOT),
      metadataFolder: join(folder, METADATA),
      addressPath: join(folder, ADDRESS),
      cacheFolder: join(this.#cacheFolder, id),
    };
  }
}

/** `$RIND_STATE_DIR`, `$XDG_STATE_HOME/rind` or `~/.local/state/rind`. */
export function stateFolder(environment: NodeJS.ProcessEnv, home: string): string {
  return (
    environment['RIND_STATE_DIR'] ||
    join(environment['XDG_STATE_HOME'] || join(home, '.local', 'state'), 'rind')
  );
}

/** `$RIND_CACHE_DIR`, `cache` in `$RIND_STATE_DIR`, `$XDG_CACHE_HOME/rind` or `~/.cache/rind`. */
export function cacheFolder(environment: NodeJS.ProcessEnv, home: string): string {
  const state = environment['RIND_STATE_DIR'];
  if (environment['RIND_CACHE_DIR']) return environment['RIND_CACHE_DIR'];
  if (state) return join(state, 'cache');
  return join(environment['XDG_CACHE_HOME'] || join(home, '.cache'), 'rind');
}

type Record = Pick<TrustedIndex, 'url' | 'mirrors' | 'origin' | 'rootVersion' | 'fingerprint' | 'addedAt'>;

function recordOf({ url, origin, root, mirrors = [] }: TrustDecision): Record {
  const { fingerprint } = root;
  return { url, mirrors, origin, rootVersion: root.root.version, fingerprint, addedAt: new Date() };
}

function encode({ url, mirrors, origin, rootVersion, fingerprint, addedAt }: Record): Uint8Array {
  const record = { format: FORMAT, url, mirrors, origin, rootVersion, fingerprint, addedAt };
  return Buffer.from(`${JSON.stringify(record, undefined, 2)}\n`, 'utf8');
}

function decodeRecord(text: string): Record | undefined {
  const record = parseObject(text);
  const { format, url, mirrors = [], origin, rootVersion, fingerprint, addedAt } = record ?? {};
  if (format !== FORMAT || typeof url !== 'string' || !URL.canParse(url)) return undefined;
  if (!Array.isArray(mirrors) || !mirrors.every(isUrl)) return undefined;
  if (origin !== 'root-file' && origin !== 'fingerprint' && origin !== 'first-use') return undefined;
  if (typeof rootVersion !== 'number' || !Number.isSafeInteger(rootVersion)) return undefined;
  if (typeof fingerprint !== 'string' || !/^[0-9a-f]{64}$/.test(fingerprint)) return undefined;
  if (typeof addedAt !== 'string' || Number.isNaN(Date.parse(addedAt))) return undefined;
  return { url, mirrors, origin, rootVersion, fingerprint, addedAt: new Date(addedAt) };
}

function isUrl(value: unknown): value is string {
  return typeof value === 'string' && URL.canParse(value);
}

function parseObject(text: string): { readonly [name: string]: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null
      ? (value as { readonly [name: string]: unknown })
      : undefined;
  } catch {
    return undefined;
  }
}

async function hasNoRoot(path: string): Promise<boolean> {
  const found = await stat(path).catch(absentAs(undefined));
  return found === undefined || found.size > MAX_ROOT_LENGTH;
}

function idOf(url: string): string {
  return createHash('sha256').update(url).digest('hex').slice(0, 16);
}

function alreadyTrusted(url: string): TrustStoreError {
  return new TrustStoreError('already-trusted', `The index ${url} is trusted already.`);
}

function absentAs<T>(value: T): (error: unknown) => T {
  return (error) => {
    if (isCode(error, 'ENOENT')) return value;
    throw error;
  };
}

function isCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && codes.includes((error as NodeJS.ErrnoException).code ?? '');
}

async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}
