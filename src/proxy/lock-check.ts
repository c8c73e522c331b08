import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { LockedFile } from '../locks/lock-file.ts';
import { parseDistributionFilename } from '../pypi/distribution-filename.ts';
import { FormatError } from '../pypi/errors.ts';
import { canonicalVersion, isValidVersion } from '../pypi/version.ts';
import { parseProjectJson } from '../pypi/simple.ts';
import { VerdictError } from './verdict.ts';
import type { AnsweringIndex } from './index-answers.ts';
import type { SignedFile } from './verified-index.ts';

/**
 * `verified`: every hash of the lock is that of a signed file. `missing-hash`: the lock has none that counts. `not-signed`: the trusted index
 * signs no such file. `differing`: it signs another one under this name. `other-index`: the lock takes it from where nobody signs.
 * `refused`: a rule forbids it. `local`: it is on this machine and is not fetched.
 */
export type LockStatus =
  'verified' | 'missing-hash' | 'not-signed' | 'differing' | 'other-index' | 'refused' | 'local';

export interface CheckedFile {
  readonly locked: LockedFile;
  readonly status: LockStatus;
  /** Why, when it is not verified: a clause without a full stop. */
  readonly reason: string | undefined;
  /** Of a verified file, by which it can be fetched, and the name it is signed under. */
  readonly signed: { readonly file: SignedFile; readonly filename: string } | undefined;
}

/** What collisions are not known of, and what the hash is computed with. */
const STRONG: ReadonlySet<string> = new Set([
  'sha256',
  'sha384',
  'sha512',
  'sha3_256',
  'sha3_512',
  'blake2b',
]);
const IN_NODE = new Map([
  ['sha3_256', 'sha3-256'],
  ['sha3_512', 'sha3-512'],
  ['blake2b', 'blake2b512'],
]);

/** Compares what a lock names with what the roles of an index sign. Asks for each project's page at most once. */
export class LockCheck {
  readonly #index: AnsweringIndex;
  readonly #urls: readonly string[];
  readonly #filenames = new Map<string, Promise<readonly string[]>>();

  /** @param urls base URLs of the trusted indexes */
  constructor(index: AnsweringIndex, urls: readonly string[]) {
    this.#index = index;
    this.#urls = urls;
  }

  /** @throws whatever ends a verification, other than that this file is not signed or not allowed */
  async check(locked: LockedFile): Promise<CheckedFile> {
    const origin = locked.origin?.kind;
    if (origin === 'local')
      return outcome(locked, 'local', `it is on this machine: ${locked.origin?.text ?? ''}`);
    const strong = [...locked.hashes].filter(([algorithm]) => STRONG.has(algorithm));
    if (strong.length === 0) {
      return origin === 'elsewhere'
        ? this.#elsewhere(locked)
        : outcome(locked, 'missing-hash', 'the lock has no hash of it that counts');
    }
    try {
      return locked.filename === undefined
        ? await this.#checkByHash(locked, strong)
        : await this.#checkByName(locked, locked.filename, strong);
    } catch (error) {
      if (error instanceof VerdictError && error.code === 'policy')
        return outcome(locked, 'refused', error.message);
      if (error instanceof VerdictError && error.code === 'not-signed')
        return outcome(locked, 'not-signed', error.message);
      throw error;
    }
  }

  async #checkByName(
    locked: LockedFile,
    filename: string,
    hashes: readonly (readonly [string, string])[],
  ): Promise<CheckedFile> {
    const problem = misnamed(locked, filename);
    if (problem !== undefined) return outcome(locked, 'differing', problem);
    const signed = await this.#index.fileTarget(locked.project, filename);
    if (signed === undefined) return this.#absent(locked, filename);
    if (locked.length !== undefined && locked.length !== signed.target.length)
      return outcome(locked, 'differing', `${signed.target.length} bytes are signed, not ${locked.length}`);
    for (const [algorithm, digest] of hashes) {
      const actual = await this.#digest(signed, algorithm);
      if (actual !== digest)
        return outcome(locked, 'differing', `its signed ${algorithm} is ${actual}, not ${digest}`);
    }
    return { locked, status: 'verified', reason: undefined, signed: { file: signed, filename } };
  }

  /** Every hash of a Pipfile.lock or a requirements file stands for one file of the version. */
  async #checkByHash(
    locked: LockedFile,
    hashes: readonly (readonly [string, string])[],
  ): Promise<CheckedFile> {
    const filenames = await this.#filenamesOf(locked);
    for (const filename of filenames) {
      const signed = await this.#index.fileTarget(locked.project, filename);
      if (signed === undefined) continue;
      const found = await this.#hasAll(signed, hashes);
      if (found) return { locked, status: 'verified', reason: undefined, signed: { file: signed, filename } };
    }
    if (filenames.length === 0) return this.#absent(locked, undefined);
    const [algorithm = '', digest = ''] = hashes[0] ?? [];
    return outcome(locked, 'differing', `no signed file of this version has the ${algorithm} ${digest}`);
  }

  async #hasAll(signed: SignedFile, hashes: readonly (readonly [string, string])[]): Promise<boolean> {
    for (const [algorithm, digest] of hashes)
      if ((await this.#digest(signed, algorithm)) !== digest) return false;
    return true;
  }

  /** Of the target; of its verified bytes when the target has no such hash. */
  async #digest(signed: SignedFile, algorithm: string): Promise<string> {
    const known = signed.target.hashes.get(algorithm);
    if (known !== undefined) return known;
    const { path } = await this.#index.download(signed);
    const hash = createHash(IN_NODE.get(algorithm) ?? algorithm);
    for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
    return hash.digest('hex');
  }

  /** The filenames on the verified page of the project that are of the locked version. */
  async #filenamesOf({ project, version }: LockedFile): Promise<readonly string[]> {
    const known = this.#filenames.get(project) ?? this.#readPage(project);
    this.#filenames.set(project, known);
    const all = await known;
    return version === undefined ? [] : all.filter((filename) => isOfVersion(filename, version));
  }

  async #readPage(project: string): Promise<readonly string[]> {
    const page = await this.#index.page(project, 'json');
    return page === undefined ? [] : parseProjectJson(page.bytes).files.map(({ filename }) => filename);
  }

  async #absent(locked: LockedFile, filename: string | undefined): Promise<CheckedFile> {
    const origin = locked.origin;
    if (origin !== undefined && !this.#isTrusted(origin.text)) return this.#elsewhere(locked);
    const { what } = await this.#index.absence(locked.project, filename);
    return outcome(locked, 'not-signed', what.replace(/\.$/, ''));
  }

  #elsewhere(locked: LockedFile): CheckedFile {
    const place = (locked.origin?.text ?? 'elsewhere').replace(/\/\/[^/@\s]*@/, '//');
    return outcome(locked, 'other-index', `it comes from ${place}, and the trusted index does not sign it`);
  }

  #isTrusted(place: string): boolean {
    return this.#urls.some((url) => `${place}/`.startsWith(url));
  }
}

function outcome(locked: LockedFile, status: LockStatus, reason: string): CheckedFile {
  return { locked, status, reason, signed: undefined };
}

/** Why a file of this name cannot be one of the locked project and version. */
function misnamed({ project, version }: LockedFile, filename: string): string | undefined {
  try {
    const parsed = parseDistributionFilename(filename);
    if (parsed.project !== project) return `${filename} is a file of ${parsed.project}`;
    const isOther = version !== undefined && isValidVersion(version) && !isOfVersion(filename, version);
    return isOther ? `${filename} is not of version ${version}` : undefined;
  } catch (error) {
    if (error instanceof FormatError) return `${JSON.stringify(filename)} is no name of a distribution file`;
    throw error;
  }
}

function isOfVersion(filename: string, version: string): boolean {
  try {
    return canonicalVersion(parseDistributionFilename(filename).version) === canonicalVersion(version);
  } catch (error) {
    if (error instanceof FormatError) return false;
    throw error;
  }
}
