import { createHash } from 'node:crypto';
import { currentRoles } from '../db/roles.ts';
import type { Executor, IndexRow } from '../db/schema.ts';
import { ServedTree } from '../repository/served-tree.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { Metadata } from '../tuf/metadata.ts';
import { CliError } from './cli-error.ts';

const MAX_ROOT_SIZE = 1024 ** 2;

export interface CurrentRoot {
  readonly rootVersion: number;
  /** sha256 of the canonical signed part, lower-case hex. */
  readonly fingerprint: string;
}

/** The root that is public now: what people pin. */
export async function currentRoot(db: Executor, store: ObjectStore, index: IndexRow): Promise<CurrentRoot> {
  const rows = await currentRoles(db, index.id);
  const rootVersion = rows.find(({ role }) => role === 'root')?.version ?? 1;
  const key = new ServedTree(index.name).metadata('root', rootVersion);
  const bytes = await store.read(key, { maxLength: MAX_ROOT_SIZE });
  if (bytes === undefined) {
    throw new CliError(
      'failure',
      `${key} is gone from the served tree, so nobody could begin to trust this index.`,
      ['put it back from a mirror or a backup, then run rind fsck'],
    );
  }
  const { signedBytes } = Metadata.fromBytes(bytes, 'root');
  return { rootVersion, fingerprint: createHash('sha256').update(signedBytes).digest('hex') };
}
