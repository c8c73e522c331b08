import { listIndexes } from '../db/indexes.ts';
import type { Executor } from '../db/schema.ts';
import { authorizeServer } from './authorize.ts';
import { completeSettings, storedSettings } from './index-settings.ts';
import { summarizeIndex } from './index-summary.ts';
import type { Principal } from './principal.ts';

/** One index of a server, for lists. */
export interface ListedIndex {
  /** '' is the default one. */
  readonly name: string;
  readonly profile: string;
  readonly kind: 'private' | 'public';
  readonly projects: number;
  readonly files: number;
  /** Null before the first publication: it is not served yet. */
  readonly snapshotVersion: number | null;
}

/** Every index of the server, by name. @throws RegistryError */
export async function indexList(db: Executor, principal: Principal): Promise<readonly ListedIndex[]> {
  await authorizeServer(db, principal);
  const listed: ListedIndex[] = [];
  for (const index of await listIndexes(db)) {
    const { projects, files, snapshotVersion } = await summarizeIndex(db, index.id);
    const { name, profile } = index;
    const { kind } = completeSettings(storedSettings(index));
    listed.push({ name, profile, kind, projects, files, snapshotVersion: snapshotVersion ?? null });
  }
  return listed;
}
