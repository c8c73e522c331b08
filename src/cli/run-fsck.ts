import { listIndexes } from '../db/indexes.ts';
import { openDatabase } from '../db/open.ts';
import type { Executor, IndexRow } from '../db/schema.ts';
import { acquireStoreLock } from '../db/store-lock.ts';
import { fsck, type FsckReport } from '../repository/fsck.ts';
import type { RepairReport } from '../repository/fsck-repair.ts';
import { PosixStore } from '../storage/posix-store.ts';
import { existingDataFolder, type DataFolder } from './data-folder.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { terminalProgress } from './progress-line.ts';
import { repairIndex } from './repair-index.ts';
import { print, say } from './terminal.ts';

/** What `rind fsck` is told. */
export interface RunFsckOptions {
  readonly data: string;
  readonly repair?: boolean;
  readonly json?: boolean;
}

interface Checked {
  readonly index: IndexRow;
  readonly report: FsckReport;
  readonly repairs?: RepairReport;
}

/** Checks every index of a data folder, and mends it when asked to; findings go to stdout, the summary to stderr. */
export async function runFsck(options: RunFsckOptions): Promise<ExitCode> {
  const folder = await existingDataFolder(options.data);
  const lock = options.repair === true ? await acquireStoreLock(folder.path) : undefined;
  try {
    const store = await PosixStore.open({ root: folder.tree, temporaryFolder: folder.temporary });
    const database = await openDatabase({ path: folder.database });
    try {
      const checked: Checked[] = [];
      for (const index of await listIndexes(database.db))
        checked.push(await check(options, folder, database.db, store, index));
      if (options.json === true) print(JSON.stringify(checked.map(asJson), undefined, 2));
      else for (const each of checked) tell(each);
      return checked.every(({ report }) => report.clean) ? EXIT.ok : EXIT.failure;
    } finally {
      await database.close();
    }
  } finally {
    lock?.release();
  }
}

async function check(
  options: RunFsckOptions,
  folder: DataFolder,
  db: Executor,
  store: PosixStore,
  index: IndexRow,
): Promise<Checked> {
  const progress = terminalProgress();
  const onRole = (done: number, total: number): void => progress?.show({ phase: 'roles', done, total });
  if (options.repair !== true) return { index, report: await fsck({ db, store, index, onRole }) };
  const repairs = await repairIndex(folder, db, store, index);
  return { index, report: await fsck({ db, store, index, onRole }), repairs };
}

function tell({ index, report, repairs }: Checked): void {
  for (const { finding, action } of repairs?.repaired ?? [])
    print(`mended: ${finding.message} (${finding.code}): ${action}`);
  for (const { severity, code, message } of report.findings) print(`${severity}: ${message} (${code})`);
  const unlisted = report.count - report.findings.length;
  if (unlisted > 0) print(`and ${unlisted} more`);
  const waysOut = new Set((repairs?.left ?? []).map(({ wayOut }) => wayOut));
  if (!report.clean) for (const wayOut of waysOut) print(`hint: ${wayOut}`);
  const verdict = report.clean ? 'clean' : 'NOT clean';
  const name = index.name === '' ? 'the default index' : `index ${index.name}`;
  say(`${name} is ${verdict}: ${report.roles} roles and ${report.targets} targets verified`);
}

function asJson({ index, report, repairs }: Checked): object {
  return { index: index.name, ...report, ...(repairs === undefined ? {} : { repairs }) };
}
