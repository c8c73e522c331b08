import { userInfo } from 'node:os';
import { appendAudit } from '../db/audit.ts';
import { findIndex } from '../db/indexes.ts';
import { openDatabase } from '../db/open.ts';
import { writeTransaction } from '../db/transactions.ts';
import { verifyArchive } from '../repository/archive-verifier.ts';
import { writeArchive, type WrittenArchive } from '../repository/archive-writer.ts';
import { PosixStore } from '../storage/posix-store.ts';
import { CliError } from './cli-error.ts';
import { existingDataFolder } from './data-folder.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { terminalProgress } from './progress-line.ts';
import { print, say } from './terminal.ts';

export interface ArchiveCommandOptions {
  readonly data: string;
  readonly index: string;
}

/** `rind archive make`: the present state, verified, into a folder that is better on another machine. May run beside the server. */
export async function makeArchive(folder: string, options: ArchiveCommandOptions): Promise<ExitCode> {
  const data = await existingDataFolder(options.data);
  const store = await PosixStore.open({ root: data.tree, temporaryFolder: data.temporary });
  const database = await openDatabase({ path: data.database });
  try {
    const index = await findIndex(database.db, options.index);
    if (index === undefined) throw new CliError('failure', `There is no index "${options.index}" here.`, []);
    const line = terminalProgress();
    const onRole = (done: number, total: number): void => line?.show({ phase: 'roles', done, total });
    const written = await writeArchive({ store, index: index.name, folder, onRole });
    await writeTransaction(database.db, (tx) =>
      appendAudit(tx, {
        indexId: index.id,
        at: new Date(),
        actor: `cli:${userInfo().username}`,
        action: 'archive',
        subject: `timestamp ${written.manifest.timestampVersion}`,
        detail: { targets: written.manifest.targets.count, sha256: written.manifest.targets.sha256 },
      }),
    );
    tell(written);
    return EXIT.ok;
  } finally {
    await database.close();
  }
}

/** `rind archive verify` */
export async function checkArchive(folder: string, options: { readonly state?: string }): Promise<ExitCode> {
  const { state } = options;
  if (state !== undefined && !/^[0-9]{1,15}$/.test(state))
    throw new CliError('usage', `"${state}" is no version of timestamp.`, []);
  const { manifest } = await verifyArchive(folder, state === undefined ? undefined : Number(state));
  if (manifest.log !== undefined) print(`${manifest.log.head.size}:${manifest.log.head.root}`);
  say(
    `The archive of timestamp ${manifest.timestampVersion} is whole: ${manifest.roles.length} roles, ${manifest.targets.count} targets. Compare the head of its log with a witness.`,
  );
  return EXIT.ok;
}

function tell({ manifest, newRoles }: WrittenArchive): void {
  if (manifest.log !== undefined) print(`${manifest.log.head.size}:${manifest.log.head.root}`);
  say(
    `Archived timestamp ${manifest.timestampVersion}: ${newRoles} new role files, ${manifest.targets.count} targets. The line above is the head of the public log.`,
  );
}
