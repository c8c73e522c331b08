import { createHash } from 'node:crypto';
import { hashedPath, metadataSidecarPath, parseIndexPath } from '../../pypi/layout.ts';
import { parseProjectJson } from '../../pypi/simple.ts';
import type { Delegations } from '../../tuf/delegations.ts';
import type { TargetFile } from '../../tuf/file.ts';
import { encodePath, metadataFileName } from '../../tuf/layout.ts';
import { Metadata } from '../../tuf/metadata.ts';
import type { SignedType } from '../../tuf/signed.ts';
import { TrustedMetadataSet } from '../../tuf/trusted-metadata-set.ts';
import { DEFAULT_UPDATER_CONFIG } from '../../updater/config.ts';
import type { Fetcher } from '../../updater/fetcher.ts';
import { MetadataDir } from '../../updater/metadata-dir.ts';
import type { Updater } from '../../updater/updater.ts';
import { hasContent } from '../file-cache.ts';
import { matchesName, type NamePattern } from '../name-pattern.ts';
import { VerdictError } from '../verdict.ts';
import { copyLog } from './log-copy.ts';
import type { TreeFolder } from './tree-folder.ts';

export interface IndexCopyOptions {
  /** Base URL, with the final slash. */
  readonly url: string;
  /** Where the updater keeps its trusted metadata. */
  readonly metadataFolder: string;
  readonly fetcher: Fetcher;
  readonly folder: TreeFolder;
  /** Projects whose pages and files are copied; all of them when left out. Metadata is always copied whole. */
  readonly projects?: readonly NamePattern[] | undefined;
  /** Hashes again what is there already. */
  readonly isRecheck?: boolean | undefined;
  readonly onProgress?: ((progress: { phase: string; done: number; total: number }) => void) | undefined;
}

/** What a copy holds, and what was new. */
export interface CopiedIndex {
  readonly timestampVersion: number;
  readonly roles: number;
  readonly targets: number;
  /** Files that were not there before. */
  readonly fetched: number;
  /** Bytes of those. */
  readonly fetchedBytes: number;
  readonly logEntries: number;
}

interface Wanted {
  readonly target: TargetFile;
  readonly sha256: string;
}

const AT_ONCE = 8;
const MAX_PAGE = 64 * 2 ** 20;
const MAX_SIDECAR = 4 * 2 ** 20;

/**
 * Copies one snapshot of an index into a folder: everything is verified before it is there under its name, and the timestamp comes last, so
 * that whoever reads the copy meanwhile, or after it was cut off, finds the snapshot before. What is there already is not fetched again.
 */
export class IndexCopy {
  readonly #options: IndexCopyOptions;
  readonly #updater: Updater;
  readonly #metadata: MetadataDir;
  /** By target path; the first role in the order of the search counts. */
  readonly #wanted = new Map<string, Wanted>();
  readonly #roles = new Set<string>(['targets']);
  #fetched = 0;
  #fetchedBytes = 0;

  constructor(updater: Updater, options: IndexCopyOptions) {
    this.#updater = updater;
    this.#options = options;
    this.#metadata = new MetadataDir(options.metadataFolder);
  }

  async run(): Promise<CopiedIndex> {
    await this.#updater.refresh();
    const { trusted } = this.#updater;
    const { timestamp, snapshot, targets } = trusted;
    if (timestamp === undefined || snapshot === undefined || targets === undefined)
      throw new TypeError('A refreshed session has all top-level roles.');
    await this.#copyRole('targets', targets.version);
    this.#want(targets.targets);
    await this.#copyDelegated(targets.delegations, 'targets');
    await this.#copyTargets();
    const logEntries = await copyLog(timestamp, this.#options.folder, (path, max) => this.#fetch(path, max));
    await this.#copyMetadata(
      'snapshot',
      'snapshot',
      snapshot.version,
      metadataFileName('snapshot', snapshot.version),
    );
    await this.#copyRoots();
    await this.#copyMetadata('timestamp', 'timestamp', timestamp.version, metadataFileName('timestamp'));
    await this.#namePlainly();
    return {
      timestampVersion: timestamp.version,
      roles: this.#roles.size,
      targets: this.#wanted.size,
      fetched: this.#fetched,
      fetchedBytes: this.#fetchedBytes,
      logEntries,
    };
  }

  /** In the order in which clients search. */
  async #copyDelegated(delegations: Delegations | undefined, delegator: string): Promise<void> {
    const { trusted } = this.#updater;
    const names = delegations?.succinctRoles?.roleNames() ?? delegations?.roles?.keys() ?? [];
    for (const name of names) {
      if (this.#roles.has(name) || trusted.snapshot?.meta.has(`${name}.json`) !== true) continue;
      this.#roles.add(name);
      const role = await this.#updater.delegatedTargets(name, delegator);
      await this.#copyRole(name, role.version);
      this.#want(role.targets);
      this.#options.onProgress?.({
        phase: 'metadata',
        done: this.#roles.size,
        total: trusted.snapshot.meta.size,
      });
      await this.#copyDelegated(role.delegations, name);
    }
  }

  #want(targets: ReadonlyMap<string, TargetFile>): void {
    const { projects } = this.#options;
    for (const [path, target] of targets) {
      const project = parseIndexPath(path)?.project;
      const sha256 = target.hashes.get('sha256');
      if (sha256 === undefined || this.#wanted.has(path)) continue;
      const isChosen =
        projects === undefined ||
        (project !== undefined && projects.some((pattern) => matchesName(pattern, project)));
      if (isChosen) this.#wanted.set(path, { target, sha256 });
    }
  }

  async #copyTargets(): Promise<void> {
    const all = [...this.#wanted.values()];
    let done = 0;
    await eachOf(all, async (wanted) => {
      await this.#copyTarget(wanted);
      if (parseIndexPath(wanted.target.path)?.kind === 'simple-json') await this.#copySidecars(wanted);
      done += 1;
      this.#options.onProgress?.({ phase: 'files', done, total: all.length });
    });
  }

  async #copyTarget({ target, sha256 }: Wanted): Promise<void> {
    const { folder, isRecheck } = this.#options;
    const path = hashedPath(target.path, sha256);
    const isThere =
      isRecheck === true
        ? await hasContent(folder.placeOf(path), sha256, target.length)
        : await folder.has(path, target.length);
    if (isThere) return;
    await folder.fill(path, (draft) => this.#updater.downloadTarget(target, draft));
    this.#count(target.length);
  }

  /** Core metadata is no target; its hash stands on the signed page. */
  async #copySidecars({ target, sha256 }: Wanted): Promise<void> {
    const { folder } = this.#options;
    const page = await folder.read(hashedPath(target.path, sha256));
    if (page === undefined || page.length > MAX_PAGE) return;
    const { name, files } = parseProjectJson(page);
    for (const { filename, coreMetadataSha256 } of files) {
      if (coreMetadataSha256 === undefined) continue;
      const path = metadataSidecarPath(name, filename);
      const known = await folder.read(path);
      if (known !== undefined && hashOf(known) === coreMetadataSha256) continue;
      const bytes = await this.#fetch(path, MAX_SIDECAR);
      if (hashOf(bytes) !== coreMetadataSha256)
        throw new VerdictError(
          'tampered',
          `${path} has not the sha256 that stands for it on the signed page`,
        );
      await folder.write(path, bytes);
      this.#count(bytes.length);
    }
  }

  /** For programs that know nothing of hashes in names; the pages are those of the snapshot that is now there. */
  async #namePlainly(): Promise<void> {
    await eachOf([...this.#wanted.values()], ({ target, sha256 }) =>
      this.#options.folder.alias(hashedPath(target.path, sha256), target.path),
    );
  }

  async #copyRole(role: string, version: number): Promise<void> {
    await this.#copyMetadata(role, 'targets', version, metadataFileName(role, version));
  }

  /** The bytes that the updater verified. */
  async #copyMetadata(role: string, type: SignedType, version: number, name: string): Promise<void> {
    const { folder } = this.#options;
    const bytes = await this.#metadata.read(role, DEFAULT_UPDATER_CONFIG.targetsMaxLength);
    if (bytes === undefined || Metadata.fromBytes(bytes, type).signed.version !== version)
      throw new VerdictError(
        'local-state',
        `Another program has taken up a newer ${role} meanwhile; run the command again`,
      );
    const path = `metadata/${name}`;
    const present = await folder.read(path);
    if (present === undefined || Buffer.compare(present, bytes) !== 0) await folder.write(path, bytes);
  }

  /** From the first to the one that is trusted, each signed by the one before: clients begin with any of them. */
  async #copyRoots(): Promise<void> {
    const { folder } = this.#options;
    const { root } = this.#updater.trusted;
    let set: TrustedMetadataSet | undefined;
    for (let version = 1; version <= root.version; version += 1) {
      const path = `metadata/${metadataFileName('root', version)}`;
      const bytes =
        (await folder.read(path)) ?? (await this.#fetch(path, DEFAULT_UPDATER_CONFIG.rootMaxLength));
      if (set === undefined) set = await TrustedMetadataSet.create(bytes, { referenceTime: new Date(0) });
      else await set.updateRoot(bytes);
      if (version === root.version) await this.#requireSameRoot(bytes);
      await folder.write(path, bytes);
    }
  }

  async #requireSameRoot(bytes: Uint8Array): Promise<void> {
    const trusted = await this.#metadata.read('root', DEFAULT_UPDATER_CONFIG.rootMaxLength);
    const isSame =
      trusted !== undefined &&
      Buffer.compare(
        Metadata.fromBytes(trusted, 'root').signedBytes,
        Metadata.fromBytes(bytes, 'root').signedBytes,
      ) === 0;
    if (!isSame)
      throw new VerdictError(
        'wrongly-signed',
        'The roots from the first one on do not lead to the root that is trusted here',
      );
  }

  #count(length: number): void {
    this.#fetched += 1;
    this.#fetchedBytes += length;
  }

  async #fetch(path: string, maxLength: number): Promise<Uint8Array> {
    const { url, fetcher } = this.#options;
    const chunks: Uint8Array[] = [];
    for await (const chunk of fetcher.fetch(url + encodePath(path), { maxLength, compressible: true }))
      chunks.push(chunk);
    return Buffer.concat(chunks);
  }
}

/** A few at a time; the first failure ends it. */
async function eachOf<T>(items: readonly T[], action: (item: T) => Promise<void>): Promise<void> {
  const iterator = items.values();
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (const item of iterator) await action(item);
    }),
  );
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
