import { appendAudits } from '../db/audit.ts';
import { findIndex, insertIndex, markIndexRemoved, setIndexSettings } from '../db/indexes.ts';
import type { Executor, IndexRow } from '../db/schema.ts';
import { writeTransaction } from '../db/transactions.ts';
import { quote } from '../pypi/errors.ts';
import { authorizeServer } from './authorize.ts';
import { RegistryError } from './errors.ts';
import { changedSettings, storedSettings, type IndexSettingsForm } from './index-settings.ts';
import { actorOf, type Principal } from './principal.ts';

/** What changes of indexes need of the world. */
export interface IndexesContext {
  readonly db: Executor;
  readonly clock: () => Date;
}

const NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** A name that can stand in paths: lower-case letters, digits and hyphens, at most 63; '' is the default index. @throws RegistryError INVALID_REQUEST */
export function checkedIndexName(name: string): string {
  if (name === '' || (NAME.test(name) && !name.includes('--'))) return name;
  throw new RegistryError(
    'INVALID_REQUEST',
    `${quote(name)} cannot name an index: lower-case letters, digits and single hyphens between them, at most 63.`,
  );
}

/** An index that is there. @throws RegistryError NOT_FOUND */
export async function requireIndex(db: Executor, name: string): Promise<IndexRow> {
  const index = await findIndex(db, name);
  if (index !== undefined && index.removed_at === null) return index;
  throw new RegistryError('NOT_FOUND', `There is no index ${quote(name)} on this server.`);
}

/**
 * Writes down a new index. It is served once its repository is made. An index whose repository was not finished is given back, so that the
 * same command goes on with it.
 *
 * @throws RegistryError INVALID_REQUEST, CONFLICT, NOT_PERMITTED
 */
export async function addIndex(
  { db, clock }: IndexesContext,
  principal: Principal,
  wanted: { readonly name: string; readonly profile: string; readonly settings: unknown },
): Promise<IndexRow> {
  await authorizeServer(db, principal);
  const name = checkedIndexName(wanted.name);
  const settings = changedSettings({}, wanted.settings);
  return writeTransaction(db, async (tx) => {
    await authorizeServer(tx, principal);
    const known = await findIndex(tx, name);
    if (known !== undefined) {
      const published = await tx
        .selectFrom('publications')
        .select('id')
        .where('index_id', '=', known.id)
        .where('state', '=', 'published')
        .limit(1)
        .executeTakeFirst();
      if (published === undefined && known.removed_at === null) return known;
      const state = known.removed_at === null ? 'exists' : 'existed, and a name is used once';
      throw new RegistryError('CONFLICT', `The index ${quote(name)} ${state}.`);
    }
    const now = clock();
    const index = await insertIndex(tx, { name, profile: wanted.profile, now });
    await setIndexSettings(tx, index.id, JSON.stringify(settings));
    const detail = { profile: wanted.profile, settings: JSON.stringify(settings) };
    const entry = { indexId: index.id, at: now, actor: actorOf(principal), subject: name, detail } as const;
    await appendAudits(tx, [{ ...entry, action: 'index.create' }]);
    return index;
  });
}

/** Changes settings of an index, from the next request on; `null` takes one back to its default. @throws RegistryError */
export async function changeIndex(
  { db, clock }: IndexesContext,
  principal: Principal,
  name: string,
  change: unknown,
): Promise<IndexSettingsForm> {
  return writeTransaction(db, async (tx) => {
    await authorizeServer(tx, principal);
    const index = await requireIndex(tx, name);
    const settings = changedSettings(storedSettings(index), change);
    const text = JSON.stringify(settings);
    await setIndexSettings(tx, index.id, text);
    const entry = { indexId: index.id, at: clock(), actor: actorOf(principal), subject: name } as const;
    await appendAudits(tx, [{ ...entry, action: 'index.change', detail: { settings: text } }]);
    return settings;
  });
}

/** Takes an index away: it is served no longer. Its objects and rows stay until somebody deletes them. @throws RegistryError */
export async function removeIndex(
  { db, clock }: IndexesContext,
  principal: Principal,
  name: string,
): Promise<void> {
  await authorizeServer(db, principal);
  if (name === '') throw new RegistryError('INVALID_REQUEST', 'The default index cannot be removed.');
  await writeTransaction(db, async (tx) => {
    await authorizeServer(tx, principal);
    const index = await requireIndex(tx, name);
    const now = clock();
    await markIndexRemoved(tx, index.id, now);
    const entry = { indexId: index.id, at: now, actor: actorOf(principal), subject: name } as const;
    await appendAudits(tx, [{ ...entry, action: 'index.remove' }]);
  });
}

/** Writes down that the objects of a removed index are deleted, before they are. @throws RegistryError INVALID_REQUEST */
export async function notePurge(
  { db, clock }: IndexesContext,
  principal: Principal,
  name: string,
): Promise<void> {
  await writeTransaction(db, async (tx) => {
    await authorizeServer(tx, principal);
    const index = await findIndex(tx, name);
    if (index === undefined || index.removed_at === null) {
      throw new RegistryError('INVALID_REQUEST', 'Only the files of an index that was removed are deleted.');
    }
    const entry = { indexId: index.id, at: clock(), actor: actorOf(principal), subject: name } as const;
    await appendAudits(tx, [{ ...entry, action: 'index.remove', detail: { purged: true } }]);
  });
}
