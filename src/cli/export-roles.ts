import { claimListOf } from '../claims/claim-lists.ts';
import { readCurrentRoles } from '../ceremony/current-roles.ts';
import { writeFolderOnce } from '../ceremony/durable-folder.ts';
import { findIndex } from '../db/indexes.ts';
import { openDatabase } from '../db/open.ts';
import { currentRoles } from '../db/roles.ts';
import { ServedTree } from '../repository/served-tree.ts';
import type { Executor, IndexRow } from '../db/schema.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { PosixStore } from '../storage/posix-store.ts';
import { metadataFileName } from '../tuf/layout.ts';
import { CliError } from './cli-error.ts';
import { existingDataFolder } from './data-folder.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { say } from './terminal.ts';

const EXPORTED: ReadonlySet<string> = new Set(['targets', 'claimed', 'bins']);

/** `rind ceremony export`: public files only; what they say is verified on the way out and again on the way in. */
export async function exportRoles(options: {
  readonly data: string;
  readonly index: string;
  readonly out: string;
}): Promise<ExitCode> {
  const folder = await existingDataFolder(options.data);
  const store = await PosixStore.open({ root: folder.tree, temporaryFolder: folder.temporary });
  const database = await openDatabase({ path: folder.database });
  let files: ReadonlyMap<string, Uint8Array>;
  try {
    const index = await findIndex(database.db, options.index);
    if (index === undefined)
      throw new CliError('failure', `There is no index "${options.index}" in ${folder.path}.`);
    files = await exportedFiles(database.db, store, index);
  } finally {
    await database.close();
  }
  const { root } = await readCurrentRoles(files);
  await writeFolderOnce(options.out, files);
  say(`${options.out} holds root version ${root.signed.version} and what it trusts; it is public`);
  return EXIT.ok;
}

/** The public files of the offline roles: every root, and the newest of the others. */
export async function exportedFiles(
  db: Executor,
  store: ObjectStore,
  index: IndexRow,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  const tree = new ServedTree(index.name);
  for (const { role, version } of await currentRoles(db, index.id)) {
    const first = role === 'root' ? 1 : version;
    if (role !== 'root' && !EXPORTED.has(role) && claimListOf(role) !== 'claimed') continue;
    for (let number = first; number <= version; number++) {
      const bytes = await store.read(tree.metadata(role, number));
      if (bytes !== undefined) files.set(metadataFileName(role, number), bytes);
    }
  }
  return files;
}
