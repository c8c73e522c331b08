import { userInfo } from 'node:os';
import { appendAudit } from '../db/audit.ts';
import { findIndex } from '../db/indexes.ts';
import { openDatabase } from '../db/open.ts';
import { setTargetHashes, targetHashes } from '../db/target-hashes.ts';
import { writeTransaction } from '../db/transactions.ts';
import { CliError } from './cli-error.ts';
import { existingDataFolder } from './data-folder.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { print, say } from './terminal.ts';

/** What `rind hashes` is told. */
export interface RunHashesOptions {
  readonly data: string;
  readonly index: string;
  readonly list?: readonly string[];
}

/** Says or changes which hashes an index lists beside sha256; the publisher sees the change within a second. */
export async function runHashes({ data, index: name, list }: RunHashesOptions): Promise<ExitCode> {
  const folder = await existingDataFolder(data);
  const database = await openDatabase({ path: folder.database });
  try {
    const { db } = database;
    const index = await findIndex(db, name);
    if (index === undefined) throw new CliError('failure', `There is no index "${name}".`, []);
    if (list !== undefined) {
      const at = new Date();
      await writeTransaction(db, async (tx) => {
        await setTargetHashes(tx, index.id, list, at);
        await appendAudit(tx, {
          indexId: index.id,
          at,
          actor: `cli:${userInfo().username}`,
          action: 'index.change',
          subject: 'target hashes',
          detail: { listed: ['sha256', ...list].join() },
        });
      });
      say('a running server copies what is needed; all bins list it when they have been renewed once');
    }
    const { algorithms } = await targetHashes(db, index.id);
    print(['sha256', ...algorithms].join(' '));
    return EXIT.ok;
  } finally {
    await database.close();
  }
}
