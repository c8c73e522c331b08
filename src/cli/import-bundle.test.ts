import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { CeremonyFixture, planText } from '../../test/support/ceremony-fixture.ts';
import { EventFolder } from '../ceremony/event-folder.ts';
import { listIndexes } from '../db/indexes.ts';
import { openDatabase } from '../db/open.ts';
import { acquireStoreLock } from '../db/store-lock.ts';
import { openDataFolder } from './data-folder.ts';
import { importBundle } from './import-bundle.ts';

let people: CeremonyFixture;
let data: string;
beforeEach(async () => {
  people = await CeremonyFixture.create();
  data = join(people.folder, 'data');
  await mkdir(data, { mode: 0o700 });
});
afterEach(() => people.close());

it('says what to do when the first bundle of an index comes while a server runs, and changes nothing', async () => {
  const now = new Date();
  const bundle = await people.event('bundle', planText({ present: ['Ada', 'Grace'], bins: 16 }), { now });
  await (await EventFolder.open(bundle)).sealWhenComplete(now);
  const folder = await openDataFolder(data);
  // What rind serve holds as long as it runs.
  const lock = await acquireStoreLock(folder.path);
  try {
    const options = { data, index: 'team', rootGrace: '0' };
    await expect(importBundle(bundle, options)).rejects.toMatchObject({
      message:
        'A server runs on this data folder, and the first metadata of an index is made while none does.',
      hints: ['stop rind serve, import the bundle, and start it again'],
    });
    const database = await openDatabase({ path: folder.database });
    expect((await listIndexes(database.db)).filter(({ name }) => name === 'team')).toEqual([]);
    await database.close();
  } finally {
    lock.release();
  }
});
