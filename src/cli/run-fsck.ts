import { listIndexes } from '../db/indexes.ts';
import { openDatabase } from '../db/open.ts';
import type { IndexRow } from '../db/schema.ts';
import { fsck, type FsckReport } from '../repository/fsck.ts';
import { PosixStore } from '../storage/posix-store.ts';
import { existingDataFolder } from './data-folder.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { print, say } from './terminal.ts';

/** What `rind fsck` is told. */
export interface RunFsckOptions {
  readonly data: string;
  readonly json?: boolean;
}

/** Checks every index of a data folder; findings go to stdout, the summary to stderr. */
export async function runFsck(options: RunFsckOptions): Promise<ExitCode> {
  const folder = await existingDataFolder(options.data);
  const store = await PosixStore.open({ root: folder.tree, temporaryFolder: folder.temporary });
  const database = await openDatabase({ path: folder.database });
  const { db } = database;
  try {
    const reports: { readonly index: IndexRow; readonly report: FsckReport }[] = [];
    for (const index of await listIndexes(db))
      reports.push({ index, report: await fsck({ db, store, index }) });
    if (options.json === true) print(JSON.stringify(reports.map(asJson), undefined, 2));
    else for (const { index, report } of reports) tell(index, report);
    return reports.every(({ report }) => report.clean) ? EXIT.ok : EXIT.failure;
  } finally {
    await database.close();
  }
}

function tell(index: IndexRow, report: FsckReport): void {
  for (const { severity, code, message } of report.findings) print(`${severity}: ${message} (${code})`);
  const unlisted = report.count - report.findings.length;
  if (unlisted > 0) print(`and ${unlisted} more`);
  const verdict = report.clean ? 'clean' : 'NOT clean';
  const name = index.name === '' ? 'the default index' : `index ${index.name}`;
  say(`${name} is ${verdict}: ${report.roles} roles and ${report.targets} targets verified`);
}

function asJson({ index, report }: { readonly index: IndexRow; readonly report: FsckReport }): object {
  return { index: index.name, ...report };
}
