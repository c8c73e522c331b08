import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseError } from '../db/errors.ts';
import { findIndex, listIndexes } from '../db/indexes.ts';
import type { IndexRow } from '../db/schema.ts';
import { acquireStoreLock, type StoreLock } from '../db/store-lock.ts';
import { completeSettings, storedSettings } from '../registry/index-settings.ts';
import { summarizeIndex } from '../registry/index-summary.ts';
import {
  addIndex,
  changeIndex,
  checkedIndexName,
  notePurge,
  removeIndex,
  requireIndex,
} from '../registry/indexes.ts';
import { currentRoot } from './current-root.ts';
import { CliError } from './cli-error.ts';
import { folderOfIndex } from './data-folder.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { withData, type OpenedData } from './index-change.ts';
import { keptSecrets } from './serve-messages.ts';
import { readSettings } from './settings-arguments.ts';
import { print, say } from './terminal.ts';
import { ensureTrialRepository } from './trial-repository.ts';

export interface IndexOptions {
  readonly data: string;
  readonly json?: boolean;
}

export interface CreateIndexOptions extends IndexOptions {
  readonly profile: string;
  readonly public?: boolean;
  /** Only the row: a ceremony makes the repository. */
  readonly forCeremony?: boolean;
}

/** `rind index create NAME`: an index in the trial form, or, for a ceremony, its name and settings alone. */
export async function createIndex(options: CreateIndexOptions, name: string): Promise<ExitCode> {
  if (name === '' || name === 'default')
    throw new CliError('usage', 'The default index is there from the first start on.');
  return withData(options.data, async (opened) => {
    const settings = options.public === true ? { kind: 'public' } : {};
    const wanted = { name, profile: options.profile, settings };
    const index = await addIndex(opened, opened.principal, wanted);
    if (options.forCeremony === true) {
      say(
        `the index ${name} is written down; next: rind ceremony online-key --index ${name}, then the ceremony`,
      );
      return EXIT.ok;
    }
    const folder = folderOfIndex(opened.folder, name);
    const { fingerprint } = await makeTrialIndex(opened, index);
    if (options.json === true) print(JSON.stringify({ name, path: `index/${name}/`, fingerprint }));
    else print(`fingerprint ${fingerprint}`);
    say(
      `the index ${name} is there in the trial form; a running server serves it at index/${name}/ in a moment`,
    );
    say(
      keptSecrets([
        { what: 'upload token', path: folder.uploadToken },
        { what: 'passphrase of the offline keys', path: folder.offlinePassphrase },
      ]),
    );
    return EXIT.ok;
  });
}

/** Makes the repository of an index that is written down, in the trial form. May run beside a server, and in it. */
export async function makeTrialIndex(
  { folder: server, db, store }: Pick<OpenedData, 'folder' | 'db' | 'store'>,
  index: IndexRow,
): Promise<{ readonly fingerprint: string }> {
  const folder = folderOfIndex(server, index.name);
  await mkdir(folder.path, { recursive: true, mode: 0o700 });
  // A lock of its own, so that it is made beside a running server: nobody publishes for it yet.
  const lock = await acquireStoreLock(folder.path);
  try {
    await ensureTrialRepository(folder, db, store, index);
  } finally {
    lock.release();
  }
  const { fingerprint } = await currentRoot(db, store, index);
  return { fingerprint };
}

/** `rind index list` */
export async function listAllIndexes(options: IndexOptions): Promise<ExitCode> {
  return withData(options.data, async ({ db }) => {
    const indexes = [];
    for (const index of await listIndexes(db)) {
      const { projects, files, snapshotVersion } = await summarizeIndex(db, index.id);
      const { kind } = completeSettings(storedSettings(index));
      indexes.push({ name: index.name, profile: index.profile, kind, projects, files, snapshotVersion });
    }
    if (options.json === true) print(JSON.stringify(indexes, undefined, 2));
    else
      for (const { name, profile, kind, projects, files, snapshotVersion } of indexes)
        print(
          `${(name || 'default').padEnd(20)}  ${profile.padEnd(5)}  ${kind.padEnd(8)}  ${projects} projects, ${files} files, ${snapshotVersion === undefined ? 'no repository yet' : `snapshot ${snapshotVersion}`}`,
        );
    return EXIT.ok;
  });
}

/** `rind index show NAME`: what was said, and everything that follows from it. */
export async function showIndex(options: IndexOptions, name: string): Promise<ExitCode> {
  return withData(options.data, async ({ db }) => {
    const index = await requireIndex(db, named(name));
    const said = storedSettings(index);
    print(JSON.stringify({ name: index.name, said, settings: completeSettings(said) }, undefined, 2));
    return EXIT.ok;
  });
}

/** `rind index set NAME SECTION.NAME=VALUE…` */
export async function setIndex(
  options: IndexOptions,
  name: string,
  settings: readonly string[],
): Promise<ExitCode> {
  return withData(options.data, async (opened) => {
    const said = await changeIndex(opened, opened.principal, named(name), readSettings(settings));
    print(JSON.stringify(said, undefined, options.json === true ? undefined : 2));
    say('it counts from the next request on');
    return EXIT.ok;
  });
}

/** `rind index remove NAME --yes`, with `--purge` for ever: also of an index that was removed before. */
export async function removeOneIndex(
  options: IndexOptions & { readonly yes?: boolean; readonly purge?: boolean },
  name: string,
): Promise<ExitCode> {
  if (options.yes !== true)
    throw new CliError('usage', `Whoever installs from the index ${name} cannot do so any more.`, [
      options.purge === true
        ? 'all its files are deleted for ever: say --yes when that is meant'
        : 'say --yes when that is meant',
    ]);
  return withData(options.data, async (opened) => {
    if (options.purge === true) return purge(opened, name);
    await removeIndex(opened, opened.principal, named(name));
    say(
      `the index ${name} is served no longer; its files are still in ${join(opened.folder.tree, 'index', name)}`,
    );
    return EXIT.ok;
  });
}

async function purge(opened: OpenedData, name: string): Promise<ExitCode> {
  const { db, principal, folder } = opened;
  const lock = await lockForPurge(folder.path);
  try {
    const row = await findIndex(db, named(name));
    if (row === undefined || row.removed_at === null) await removeIndex(opened, principal, named(name));
    const tree = join(folder.tree, 'index', checkedIndexName(name));
    await notePurge(opened, principal, name);
    // Other indexes have files by links of their own.
    await rm(tree, { recursive: true, force: true });
    say(`the index ${name} and its files are deleted; its name is not used again`);
    say(`its keys are still in ${folderOfIndex(folder, name).path}`);
    return EXIT.ok;
  } finally {
    lock.release();
  }
}

async function lockForPurge(path: string): Promise<StoreLock> {
  try {
    return await acquireStoreLock(path);
  } catch (error) {
    if (!(error instanceof DatabaseError) || error.code !== 'STORE_LOCKED') throw error;
    throw new CliError('failure', 'A server runs on this data folder, and may still write into the index.', [
      'remove it without --purge, and purge it when the server is stopped',
    ]);
  }
}

function named(name: string): string {
  return name === 'default' ? '' : name;
}
