import { stat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { appendAudit } from '../db/audit.ts';
import { DatabaseError } from '../db/errors.ts';
import { findIndex } from '../db/indexes.ts';
import { openDatabase } from '../db/open.ts';
import type { ImportRow } from '../db/schema.ts';
import { acquireStoreLock } from '../db/store-lock.ts';
import { writeTransaction } from '../db/transactions.ts';
import { BoundedPool } from '../registry/bounded-pool.ts';
import { distributionFiles, importFiles, type ImportedFile } from '../registry/import-files.ts';
import { AS_IS_UPLOAD_POLICY } from '../registry/upload-policy.ts';
import { ImportError } from '../repository/import-error.ts';
import {
  abandonImport,
  beginImport,
  openImport,
  runImport,
  type ImportContext,
} from '../repository/import-targets.ts';
import { FaultInjector } from '../storage/fault-injector.ts';
import { PosixStore } from '../storage/posix-store.ts';
import { CliError } from './cli-error.ts';
import { existingDataFolder } from './data-folder.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { ProgressLine } from './progress-line.ts';
import { importFromIndex, isIndexUrl, type ImportIndexOptions } from './run-import-index.ts';
import { indexDefaults, settingsFor } from './serve-settings.ts';
import { publishAll, withPublisher, type ImportTarget } from './sign-imported.ts';
import { print, say } from './terminal.ts';

/** What `rind import` is told. */
export interface RunImportOptions extends ImportIndexOptions {
  /** Folders, files of lines, or the URL of an index. */
  readonly sources: readonly string[];
  readonly data: string;
  /** Names of indexes of the data folder, and URLs of others. */
  readonly index: readonly string[];
  readonly resume?: boolean;
  readonly abandon?: boolean;
  readonly json?: boolean;
}

interface Opened extends ImportTarget {
  readonly options: RunImportOptions;
  readonly actor: string;
}

/** Imports targets or files into an index of a data folder; what was done goes to stdout, progress to stderr. */
export async function runImportCommand(options: RunImportOptions): Promise<ExitCode> {
  const folder = await existingDataFolder(options.data);
  const faults = FaultInjector.fromEnvironment();
  const database = await openDatabase({
    path: folder.database,
    ...(faults === undefined ? {} : { beforeCommit: () => faults.before('commit') }),
  });
  try {
    const { db } = database;
    const [name = '', another] = options.index.filter((text) => !isIndexUrl(text));
    if (another !== undefined) throw new CliError('usage', 'Import into one index after the other.');
    const index = await findIndex(db, name);
    if (index === undefined)
      throw new CliError('failure', `There is no index "${name}" in ${folder.path}.`, [
        'rind index list shows them',
        ...(/[.:/]/.test(name) ? ['the address of another index begins with https:// or http://'] : []),
      ]);
    const store = await PosixStore.open({ root: folder.tree, temporaryFolder: folder.temporary, faults });
    const { settings } = await settingsFor({ data: options.data });
    const opened = {
      options,
      folder,
      db,
      store,
      index,
      indexDefaults: indexDefaults(settings),
      actor: userInfo().username,
    };
    const urls = [...options.sources, ...options.index].filter(isIndexUrl);
    if (urls.length > 0) {
      const [url, ...more] = urls;
      if (url === undefined || more.length > 0 || options.sources.some((source) => !isIndexUrl(source)))
        throw new CliError('usage', 'Import from one index after the other, and folders after that.');
      return await importFromIndex(opened, url, opened.actor, options);
    }
    const kinds = new Set(await Promise.all(options.sources.map(isFolder)));
    if (kinds.size > 1) throw new CliError('usage', 'Import folders and files of lines one after the other.');
    return kinds.has(true) ? await importFolders(opened) : await importLines(opened);
  } catch (error) {
    if (error instanceof ImportError) throw new CliError('failure', error.message, [], { cause: error });
    throw error;
  } finally {
    await database.close();
  }
}

async function isFolder(path: string): Promise<boolean> {
  const found = await stat(path).catch((cause: Error) => {
    throw new CliError('failure', `${path} cannot be read: ${cause.message}.`, [], { cause });
  });
  if (found.isFile() && /\.(?:whl|tar\.gz|zip)$/.test(path))
    throw new CliError('usage', `${path} is a distribution; folders of them are imported.`, [
      'name the folder that it lies in, or upload it: twine, uv publish',
    ]);
  return found.isDirectory();
}

async function importLines(opened: Opened): Promise<ExitCode> {
  const { folder, db, index, options, actor } = opened;
  const lock = await acquireStoreLock(folder.path).catch((cause: unknown) => {
    if (!(cause instanceof DatabaseError) || cause.code !== 'STORE_LOCKED') throw cause;
    throw new CliError('failure', `${cause.message}`, ['the import itself signs while it runs'], { cause });
  });
  try {
    return await withPublisher(opened, async (publisher) => {
      const line = new ProgressLine();
      const context: ImportContext = {
        db,
        indexId: index.id,
        publisher,
        folder: join(folder.path, 'imports'),
        clock: () => new Date(),
        progress: (progress) => line.show(progress),
      };
      const row = await chooseImport(context, options);
      if (row === undefined) return EXIT.ok;
      const summary = await runOrGiveUp(context, row);
      await writeTransaction(db, (tx) =>
        appendAudit(tx, {
          indexId: index.id,
          at: new Date(),
          actor: `cli:${actor}`,
          action: 'import',
          subject: `import ${row.id}`,
          detail: { targets: summary.targets, added: summary.added, known: summary.known },
        }),
      );
      const { added, known, publications } = summary;
      if (options.json === true) print(JSON.stringify(summary));
      else print(`${added} targets added, ${known} known before, in ${publications} publications`);
      return EXIT.ok;
    });
  } finally {
    lock.release();
  }
}

/** A line that cannot be imported ends the import, so that the mended file can be imported without --abandon. */
async function runOrGiveUp(context: ImportContext, row: ImportRow): ReturnType<typeof runImport> {
  try {
    return await runImport(context, row);
  } catch (error) {
    if (error instanceof ImportError && (error.code === 'INVALID_LINE' || error.code === 'CONTRADICTION'))
      await abandonImport(context, row);
    throw error;
  }
}

/** The import to run; undefined when one was given up and there is nothing else to do. */
async function chooseImport(
  context: ImportContext,
  options: RunImportOptions,
): Promise<ImportRow | undefined> {
  const open = await openImport(context.db, context.indexId);
  if (options.resume === true) {
    if (open !== undefined) return open;
    throw new CliError('failure', 'No import of this index was interrupted.');
  }
  if (open !== undefined) {
    if (options.abandon !== true) {
      throw new CliError('failure', `Import ${open.id} was interrupted and is not finished.`, [
        'rind import --resume goes on with it',
        'rind import --abandon gives it up; what of it is public stays',
      ]);
    }
    await abandonImport(context, open);
    say(`import ${open.id} is given up`);
  }
  if (options.sources.length > 0) return beginImport(context, options.sources);
  if (options.abandon === true) return undefined;
  throw new CliError('usage', 'Name what to import: files of lines, or folders.');
}

async function importFolders(opened: Opened): Promise<ExitCode> {
  const { db, store, index, indexDefaults, options, actor } = opened;
  const counts = { stored: 0, 'already-stored': 0, refused: 0 };
  const refused: { path: string; reason: string }[] = [];
  const inspections = new BoundedPool({ concurrency: 2, queueLength: 64 });
  const context = { db, store, index, indexDefaults, clock: () => new Date(), inspections };
  const each = (file: ImportedFile): void => {
    counts[file.outcome] += 1;
    if (file.outcome !== 'refused') return;
    refused.push({ path: file.path, reason: file.reason });
    say(`refused: ${file.path}: ${file.reason}`);
  };
  const policy = options.asIs === true ? AS_IS_UPLOAD_POLICY : undefined;
  await importFiles(context, { kind: 'cli', name: actor }, filesOf(options.sources), each, { policy });
  await publishAll(opened);
  if (options.json === true) print(JSON.stringify({ ...counts, refusals: refused }));
  else
    print(
      `${counts.stored} files stored, ${counts['already-stored']} were here before, ${counts.refused} refused`,
    );
  return counts.refused === 0 ? EXIT.ok : EXIT.failure;
}

async function* filesOf(folders: readonly string[]): AsyncGenerator<string> {
  for (const folder of folders) yield* distributionFiles(folder);
}
