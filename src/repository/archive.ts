import { createReadStream } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createGunzip } from 'node:zlib';
import type { LogHead } from '../transparency/log-entry.ts';
import { ServedTree } from './served-tree.ts';
import { ArchiveError } from './errors.ts';
import { sha256Hex } from './project-targets.ts';

/** One role of an archived state; its bytes are read when they are wanted, and checked. */
export interface ArchivedRole {
  readonly role: string;
  readonly version: number;
  readonly sha256: string;
  readonly length: number;
}

/** One target of an archived state, as its role signed it. */
export interface ArchivedTarget {
  readonly path: string;
  readonly role: string;
  readonly length: number;
  readonly sha256: string;
}

/** The public log with a state's publication. */
export interface ArchivedLog {
  readonly head: LogHead;
  /** The tiles that were not full before it, by level, in hex: enough to compute the head again. */
  readonly edge: readonly string[];
}

/** What an archive says of one state of an index: JSON, its own sha256 beside it. */
export interface ArchiveManifest {
  readonly format: 'rind-archive';
  readonly version: 1;
  /** Name of the index, '' for the default one. */
  readonly index: string;
  /** ISO 8601, UTC. */
  readonly archivedAt: string;
  readonly timestampVersion: number;
  /** Absent for an index without a public log. */
  readonly log?: ArchivedLog;
  /** Roles that the snapshot still lists, but nobody delegates to: they are not archived. */
  readonly retiredRoles: number;
  /** Ascending by name; timestamp and every root included. */
  readonly roles: readonly ArchivedRole[];
  /** The listing of the targets, `targets/<sha256>.jsonl.gz`; the sha256 is that of the lines, not of their compressed form. */
  readonly targets: { readonly sha256: string; readonly count: number };
}

/** One archived state, open for reading. */
export interface Archive {
  readonly manifest: ArchiveManifest;
  /** The bytes of a role as they were served. @throws {ArchiveError} when they are missing or other than the manifest says */
  readRole(role: ArchivedRole): Promise<Uint8Array>;
  /** Every role with its bytes, one at a time. @throws {ArchiveError} */
  roles(): AsyncIterable<ArchivedRole & { readonly bytes: Uint8Array }>;
  /** Every target of every role, by role and path. @throws {ArchiveError} at the end when the listing was changed */
  targets(): AsyncIterable<ArchivedTarget>;
}

/** `states/0000000912.json`, sorted by the version of timestamp. */
export function stateName(timestampVersion: number): string {
  return `${String(timestampVersion).padStart(16, '0')}.json`;
}

/** Below the archive's folder: metadata under the names of the served tree, timestamp with its number. */
export function archivedRolePath(role: string, version: number): string {
  return new ServedTree('').metadata(role, version);
}

export function targetsPath(sha256: string): string {
  return `targets/${sha256}.jsonl.gz`;
}

/** The versions of timestamp of which the archive has a state, ascending. */
export async function archivedStates(folder: string): Promise<readonly number[]> {
  const names = await readdir(join(folder, 'states')).catch((cause: unknown) => {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return [];
    throw cause;
  });
  return names
    .flatMap((name) => (/^[0-9]{16}\.json$/.test(name) ? [Number(name.slice(0, 16))] : []))
    .toSorted((a, b) => a - b);
}

/**
 * Opens one state of an archive, the youngest when none is named. Checks the manifest against its own checksum; `verifyArchive` checks all the
 * rest as a client would. @throws {ArchiveError}
 */
export async function readArchive(folder: string, timestampVersion?: number): Promise<Archive> {
  const version = timestampVersion ?? (await archivedStates(folder)).at(-1);
  if (version === undefined)
    throw new ArchiveError(
      'ARCHIVE_EMPTY',
      `${folder} is no archive, or has no state yet; make one with: rind archive ${folder}`,
    );
  const manifest = await readManifest(join(folder, 'states', stateName(version)));
  return new ArchivedState(folder, manifest);
}

class ArchivedState implements Archive {
  readonly manifest: ArchiveManifest;
  readonly #folder: string;

  constructor(folder: string, manifest: ArchiveManifest) {
    this.#folder = folder;
    this.manifest = manifest;
  }

  async readRole({ role, version, sha256 }: ArchivedRole): Promise<Uint8Array> {
    const path = join(this.#folder, archivedRolePath(role, version));
    const bytes = await readFile(path).catch(() => undefined);
    if (bytes !== undefined && sha256Hex(bytes) === sha256) return bytes;
    const problem = bytes === undefined ? 'is missing' : 'was changed';
    throw new ArchiveError('ARCHIVE_DAMAGED', `${path} ${problem}: the archive does not match its own list.`);
  }

  async *roles(): AsyncGenerator<ArchivedRole & { readonly bytes: Uint8Array }> {
    for (const role of this.manifest.roles) yield { ...role, bytes: await this.readRole(role) };
  }

  async *targets(): AsyncGenerator<ArchivedTarget> {
    const { sha256 } = this.manifest.targets;
    const path = join(this.#folder, targetsPath(sha256));
    yield* readListing(path, this.manifest.targets);
  }
}

async function* readListing(
  path: string,
  expected: ArchiveManifest['targets'],
): AsyncGenerator<ArchivedTarget> {
  const { createHash } = await import('node:crypto');
  const hash = createHash('sha256');
  const lines = createInterface({ input: createReadStream(path).pipe(createGunzip()), crlfDelay: Infinity });
  let count = 0;
  try {
    for await (const line of lines) {
      hash.update(`${line}\n`);
      count += 1;
      const [target, role, length, sha256] = JSON.parse(line) as [string, string, number, string];
      yield { path: target, role, length, sha256 };
    }
  } catch (cause) {
    throw new ArchiveError('ARCHIVE_DAMAGED', `${path} cannot be read: it is missing, cut or damaged.`, {
      cause,
    });
  }
  if (count === expected.count && hash.digest('hex') === expected.sha256) return;
  throw new ArchiveError('ARCHIVE_DAMAGED', `${path} was changed: the archive does not match its own list.`);
}

async function readManifest(path: string): Promise<ArchiveManifest> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  const checksum = await readFile(`${path}.sha256`, 'utf8').catch(() => '');
  if (text === undefined) throw new ArchiveError('ARCHIVE_EMPTY', `${path} is not in the archive.`);
  if (checksum.slice(0, 64) !== sha256Hex(new TextEncoder().encode(text)))
    throw new ArchiveError('ARCHIVE_DAMAGED', `${path} does not have the checksum that stands beside it.`);
  const manifest = JSON.parse(text) as ArchiveManifest;
  if (manifest.format === 'rind-archive' && manifest.version === 1) return manifest;
  throw new ArchiveError('ARCHIVE_DAMAGED', `${path} is of another format than this version of Rind reads.`);
}
