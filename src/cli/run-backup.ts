import { readdir, stat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { holdCollections, releaseCollections } from '../db/collection-holds.ts';
import { appendAudit } from '../db/audit.ts';
import { openDatabase } from '../db/open.ts';
import type { Executor } from '../db/schema.ts';
import { writeTransaction } from '../db/transactions.ts';
import { backUpToFile } from '../repository/recovery/backup-file.ts';
import { backUp, type BackupOptions as Backup, type BackupReport } from '../repository/recovery/backup.ts';
import { existingDataFolder, onlineKeyFiles, type DataFolder } from './data-folder.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { terminalProgress } from './progress-line.ts';
import { say } from './terminal.ts';

export interface BackupOptions {
  readonly data: string;
  readonly withKeys?: boolean;
}

/** A backup that was killed stops the clean-up for so long at most. */
const HOLD_MS = 86_400_000;

/** Who does it, for the audit log. */
export function cliActor(): string {
  return `cli:${userInfo().username}`;
}

/** `rind backup`: a process of its own, so that SQLite's locks in the server are not touched. */
export async function runBackup(out: string, options: BackupOptions): Promise<ExitCode> {
  const folder = await existingDataFolder(options.data);
  const now = new Date();
  const others = await otherFiles(folder, options.withKeys === true);
  const line = terminalProgress();
  const onProgress: Backup['onProgress'] = (progress) => line?.show(progress);
  const backup = { database: folder.database, tree: folder.tree, others, out, now, onProgress };
  const { files, bytes, copied } = await withoutCollections(folder, backup);
  const { db, close } = await openHere(folder);
  try {
    const detail = { files, bytes, keys: options.withKeys === true };
    await writeTransaction(db, (tx) =>
      appendAudit(tx, { indexId: null, at: now, actor: cliActor(), action: 'backup', subject: out, detail }),
    );
  } finally {
    await close();
  }
  say(`${out} holds ${files} files of ${folder.path}, ${bytes} bytes; ${copied} of them are new`);
  if (options.withKeys !== true)
    say('without the online key: keep a copy of its file and its passphrase elsewhere');
  return EXIT.ok;
}

/** The database is closed meanwhile: it is copied by other means. */
async function withoutCollections(folder: DataFolder, backup: Backup): Promise<BackupReport> {
  const until = new Date(backup.now.getTime() + HOLD_MS);
  const id = await changed(folder, (tx) => holdCollections(tx, until));
  try {
    return await (backup.out.endsWith('.tar') ? backUpToFile(backup) : backUp(backup));
  } finally {
    await changed(folder, (tx) => releaseCollections(tx, id, new Date()));
  }
}

async function changed<T>(folder: DataFolder, change: (tx: Executor) => Promise<T>): Promise<T> {
  const { db, close } = await openHere(folder);
  try {
    return await writeTransaction(db, change);
  } finally {
    await close();
  }
}

async function openHere(folder: DataFolder) {
  const database = await openDatabase({ path: folder.database });
  return { db: database.db, close: () => database.close() };
}

/** The ceremony's folders, settings, and key files where asked for; never a passphrase or a token. */
async function otherFiles(folder: DataFolder, withKeys: boolean): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const name of ['ceremony', 'security']) {
    const entries = await readdir(join(folder.path, name), { recursive: true, withFileTypes: true }).catch(
      () => [],
    );
    for (const entry of entries) {
      const path = join(entry.parentPath, entry.name);
      if (entry.isFile()) found.set(path.slice(folder.path.length + 1), path);
    }
  }
  const settings = join(folder.path, 'rind.toml');
  if ((await stat(settings).catch(() => undefined))?.isFile() === true) found.set('rind.toml', settings);
  const keys = withKeys ? [...(await onlineKeyFiles(folder)), folder.onlineKeys] : [];
  for (const path of keys)
    if ((await stat(path).catch(() => undefined)) !== undefined)
      found.set(join('keys', path.slice(dirname(path).length + 1)), path);
  return found;
}
