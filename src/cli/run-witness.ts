import { listIndexes } from '../db/indexes.ts';
import { lastLogEntry } from '../db/log-entries.ts';
import { openDatabase } from '../db/open.ts';
import { witnessedHeads } from '../db/witness.ts';
import { existingDataFolder } from './data-folder.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { print, say } from './terminal.ts';

/** `rind witness`: heads that others reported to this server, and the heads of its own logs. Exit code 1 when two contradict. */
export async function showWitnessed(options: {
  readonly data: string;
  readonly origin?: string;
}): Promise<ExitCode> {
  const folder = await existingDataFolder(options.data);
  const database = await openDatabase({ path: folder.database });
  const { db } = database;
  try {
    const heads = await witnessedHeads(db, options.origin === undefined ? {} : { origin: options.origin });
    const roots = new Map<string, string>();
    const forks = new Set<string>();
    for (const { origin, size, root, received_at } of heads) {
      const place = `${origin} ${size}`;
      if ((roots.get(place) ?? root) !== root) forks.add(place);
      roots.set(place, root);
      print(`${received_at}  ${origin}  ${size}:${root}`);
    }
    for (const index of await listIndexes(db)) {
      const last = await lastLogEntry(db, index.id);
      const name = index.name === '' ? 'the default index' : `index ${index.name}`;
      if (last !== undefined) say(`the log of ${name} of this server ends at ${last.seq}:${last.root}`);
    }
    for (const place of forks) say(`two histories: ${place} publications have two roots`);
    return forks.size === 0 ? EXIT.ok : EXIT.failure;
  } finally {
    await database.close();
  }
}
