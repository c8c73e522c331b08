import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { closeImport, findOpenImport, insertImport, setImportPosition } from '../db/imports.ts';
import type { TargetChange } from '../db/publications.ts';
import type { Executor, ImportRow } from '../db/schema.ts';
import { targetPathPrefix, targetsOfRange } from '../db/targets.ts';
import { ImportError } from './import-error.ts';
import type { Publisher } from './publisher.ts';
import { TargetBuckets, type StagedTarget } from './target-buckets.ts';
import { parseTargetLine, TargetLineError } from './target-line.ts';
import { readLines } from './target-source.ts';

/** How far an import is. `done` of `total`: bytes while it reads, targets later. */
export interface ImportProgress {
  readonly phase: 'reading' | 'checking' | 'signing';
  readonly done: number;
  readonly total: number;
}

/** What an import did. */
export interface ImportSummary {
  readonly importId: number;
  /** Lines that name a target. */
  readonly targets: number;
  readonly added: number;
  /** Those that were there already, with the same size and hash. */
  readonly known: number;
  readonly publications: number;
}

export interface ImportContext {
  readonly db: Executor;
  readonly indexId: number;
  readonly publisher: Publisher;
  /** Where targets wait between reading and signing; private to this index. */
  readonly folder: string;
  readonly clock: () => Date;
  readonly progress: (progress: ImportProgress) => void;
  /** Targets that become public together; bounds the memory. */
  readonly targetsTogether?: number;
}

interface Source {
  readonly path: string;
  readonly length: number;
  /** Milliseconds since 1970, as the file system tells it. */
  readonly modified: number;
}

interface Position {
  /** The source that is read, and where in it. */
  source: number;
  offset: number;
  line: number;
  targets: number;
  bucketLengths: readonly number[];
  /** The first bucket that is not public yet; undefined until everything is read and checked. */
  bucket?: number;
  added: number;
  known: number;
  publications: number;
}

/** With twenty million targets each holds as many as are checked and signed together. */
const BUCKETS = 1024;
/** Some 50 MB of memory at the length of PyPI's paths, several times over until garbage is collected. */
const TARGETS_TOGETHER = 20_000;
const BEGINNING: Position = {
  source: 0,
  offset: 0,
  line: 1,
  targets: 0,
  bucketLengths: [],
  added: 0,
  known: 0,
  publications: 0,
};

/** Begins an import of files of lines. Throws UNREADABLE_SOURCE. */
export async function beginImport(
  { db, indexId, clock }: Pick<ImportContext, 'db' | 'indexId' | 'clock'>,
  paths: readonly string[],
): Promise<ImportRow> {
  const sources: Source[] = [];
  for (const path of paths.map((name) => resolve(name))) sources.push(await describe(path));
  const position = JSON.stringify(BEGINNING);
  return insertImport(db, { indexId, sources: JSON.stringify(sources), position, now: clock() });
}

/** Gives an import up: what it has made public stays, the rest is forgotten. */
export async function abandonImport(
  { db, folder, clock }: Pick<ImportContext, 'db' | 'folder' | 'clock'>,
  row: ImportRow,
): Promise<void> {
  await closeImport(db, row.id, 'abandoned', clock());
  await new TargetBuckets(join(folder, String(row.id)), 1, []).remove();
}

/**
 * Reads all lines of an import, then checks all of them, then makes them public, some thousand bins at a time: so that nothing of an import
 * with a bad line, or one that contradicts another line or a target of the index, becomes public. Goes on where an earlier call ended, however it ended.
 * Throws ImportError, which leaves the import open; what the publisher throws.
 */
export async function runImport(context: ImportContext, row: ImportRow): Promise<ImportSummary> {
  const sources = JSON.parse(row.sources) as readonly Source[];
  const position = JSON.parse(row.position) as Position;
  await requireUnchanged(sources);
  // One that an earlier version of this program began goes on with as many as that made.
  const count = position.bucketLengths.length || Math.min(BUCKETS, context.publisher.binCount);
  const buckets = new TargetBuckets(join(context.folder, String(row.id)), count, position.bucketLengths);
  if (position.bucket === undefined) {
    await readSources(context, row.id, sources, position, buckets);
    await checkBuckets(context, sources, position, buckets);
    position.bucket = 0;
    await setImportPosition(context.db, row.id, JSON.stringify(position));
  }
  await publishBuckets(context, row.id, sources, position, buckets);
  await closeImport(context.db, row.id, 'finished', context.clock());
  await buckets.remove();
  const { targets, added, known, publications } = position;
  return { importId: row.id, targets, added, known, publications };
}

/** The import that can go on. */
export async function openImport(db: Executor, indexId: number): Promise<ImportRow | undefined> {
  return findOpenImport(db, indexId);
}

async function describe(path: string): Promise<Source> {
  const found = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    throw new ImportError('UNREADABLE_SOURCE', `${path} cannot be read: ${cause.message}.`, { cause });
  });
  return { path, length: found.size, modified: found.mtimeMs };
}

async function requireUnchanged(sources: readonly Source[]): Promise<void> {
  for (const source of sources) {
    const now = await describe(source.path);
    if (now.length === source.length && now.modified === source.modified) continue;
    throw new ImportError(
      'UNREADABLE_SOURCE',
      `${source.path} has changed since the import began; give it up with --abandon and begin again.`,
    );
  }
}

async function readSources(
  { db, progress }: ImportContext,
  importId: number,
  sources: readonly Source[],
  position: Position,
  buckets: TargetBuckets,
): Promise<void> {
  const total = sources.reduce((sum, { length }) => sum + length, 0);
  const keep = async (): Promise<void> => {
    buckets.flush();
    position.bucketLengths = buckets.lengths;
    await setImportPosition(db, importId, JSON.stringify(position));
  };
  let before = sources.slice(0, position.source).reduce((sum, { length }) => sum + length, 0);
  for (; position.source < sources.length; position.source++) {
    const { path, length } = sources[position.source] ?? { path: '', length: 0 };
    for await (const { lines, firstLine, offset } of readLines(path, position)) {
      for (const [index, text] of lines.entries()) {
        const line = firstLine + index;
        const target = parse(text, line, path);
        if (target === undefined) continue;
        buckets.add({ ...target, prefix: targetPathPrefix(target.path), source: position.source, line });
        position.targets += 1;
      }
      position.offset = offset;
      position.line = firstLine + lines.length;
      if (buckets.isFull) await keep();
      progress({ phase: 'reading', done: before + offset, total });
    }
    before += length;
    position.offset = 0;
    position.line = 1;
  }
  await keep();
}

function parse(text: string, line: number, path: string): ReturnType<typeof parseTargetLine> {
  try {
    return parseTargetLine(text, line === 1);
  } catch (cause) {
    if (!(cause instanceof TargetLineError)) throw cause;
    throw new ImportError(
      'INVALID_LINE',
      `Line ${line} of ${path} ${cause.message}; nothing was imported. Mend it and begin again.`,
      { line, cause },
    );
  }
}

async function checkBuckets(
  context: ImportContext,
  sources: readonly Source[],
  position: Position,
  buckets: TargetBuckets,
): Promise<void> {
  let done = 0;
  for (let bucket = 0; bucket < buckets.count; bucket++) {
    const staged = await buckets.read(bucket);
    await changesOf(context, sources, buckets, bucket, staged);
    done += staged.length;
    context.progress({ phase: 'checking', done, total: position.targets });
  }
}

/** What a bucket adds to the public targets. Throws CONTRADICTION. */
async function changesOf(
  { db, indexId }: ImportContext,
  sources: readonly Source[],
  buckets: TargetBuckets,
  bucket: number,
  staged: readonly StagedTarget[],
): Promise<readonly TargetChange[]> {
  if (staged.length === 0) return [];
  const { first, last } = buckets.rangeOf(bucket);
  const rows = await targetsOfRange(db, indexId, first, last);
  const known = new Map(rows.map((row) => [row.path, row]));
  const changes: TargetChange[] = [];
  let previous: StagedTarget | undefined;
  for (const target of staged) {
    const twin = target.path === previous?.path ? previous : undefined;
    const other = twin ?? known.get(target.path);
    if (other !== undefined && (other.length !== target.length || other.sha256 !== target.sha256))
      throw contradiction(sources, target, twin);
    const { path, length, sha256 } = target;
    if (other === undefined) changes.push({ path, target: { length, sha256 } });
    previous = target;
  }
  return changes;
}

function contradiction(
  sources: readonly Source[],
  target: StagedTarget,
  other: StagedTarget | undefined,
): ImportError {
  const nameOf = (source: number): string => sources[source]?.path ?? '';
  const where =
    other === undefined ? 'the target of the index' : `line ${other.line} of ${nameOf(other.source)}`;
  return new ImportError(
    'CONTRADICTION',
    `Line ${target.line} of ${nameOf(target.source)} gives ${target.path} another size or hash than ${where}: a file never changes under its name. Take the line out, or give the file another version.`,
    { line: target.line },
  );
}

async function publishBuckets(
  context: ImportContext,
  importId: number,
  sources: readonly Source[],
  position: Position,
  buckets: TargetBuckets,
): Promise<void> {
  const { db, publisher, progress, targetsTogether = TARGETS_TOGETHER } = context;
  let changes: TargetChange[] = [];
  let seen = 0;
  for (let bucket = position.bucket ?? 0; bucket < buckets.count; bucket++) {
    const staged = await buckets.read(bucket);
    const more = await changesOf(context, sources, buckets, bucket, staged);
    for (const change of more) changes.push(change);
    seen += staged.length;
    if (changes.length < targetsTogether && bucket < buckets.count - 1) continue;
    if (changes.length > 0) {
      await publisher.publishTargets(changes);
      position.publications += 1;
    }
    position.added += changes.length;
    position.known += seen - changes.length;
    position.bucket = bucket + 1;
    changes = [];
    seen = 0;
    await setImportPosition(db, importId, JSON.stringify(position));
    progress({ phase: 'signing', done: position.added + position.known, total: position.targets });
  }
}
