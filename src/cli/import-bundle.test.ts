import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { CeremonyFixture, planText } from '../../test/support/ceremony-fixture.ts';
import { EventFolder } from '../ceremony/event-folder.ts';
import { listIndexes } from '../db/indexes.ts';
import { openDatabase } from '../db/open.ts';
import { generatePrivateKey, KeySigner } from '../keys/key-signer.ts';
import { writeSecretFile } from '../keys/passphrase.ts';
import { writePrivateKeyFile } from '../keys/private-key-file.ts';
import { acquireStoreLock } from '../db/store-lock.ts';
import { folderOfIndex, openDataFolder, type DataFolder } from './data-folder.ts';
import { importBundle } from './import-bundle.ts';
import { servableIndexes } from './index-watch.ts';

let people: CeremonyFixture;
let data: string;
beforeEach(async () => {
  people = await CeremonyFixture.create();
  data = join(people.folder, 'data');
  await mkdir(data, { mode: 0o700 });
});
afterEach(() => people.close());

/** Makes the key "online" one that lies where the server of this folder looks for it. */
async function useOnlineKey({ onlineKey, onlinePassphrase }: DataFolder): Promise<void> {
  const privateKey = await generatePrivateKey('ed25519');
  people.signers.set('online', KeySigner.fromPrivateKey(privateKey));
  await mkdir(dirname(onlineKey), { recursive: true, mode: 0o700 });
  await writeSecretFile(onlinePassphrase, 'secret');
  await writePrivateKeyFile(onlineKey, privateKey, 'secret');
}

it('says what to do when the first bundle of the default index comes while a server runs, and changes nothing', async () => {
  const now = new Date();
  const bundle = await people.event('bundle', planText({ present: ['Ada', 'Grace'], bins: 16 }), { now });
  await (await EventFolder.open(bundle)).sealWhenComplete(now);
  const folder = await openDataFolder(data);
  await useOnlineKey(folder);
  // What rind serve holds as long as it runs.
  const lock = await acquireStoreLock(folder.path);
  try {
    const options = { data, index: '', rootGrace: '0' };
    await expect(importBundle(bundle, options)).rejects.toMatchObject({
      message:
        'A server runs on this data folder, and the first metadata of its default index is made while none does.',
      hints: ['stop rind serve, import the bundle, and start it again'],
    });
    const database = await openDatabase({ path: folder.database });
    expect((await listIndexes(database.db)).filter(({ name }) => name === '')).toEqual([]);
    await database.close();
  } finally {
    lock.release();
  }
});

it('makes the repository of another index beside a running server, which takes it over from there', async () => {
  const now = new Date();
  const folder = await openDataFolder(data);
  await useOnlineKey(folderOfIndex(folder, 'team'));
  const bundle = await people.event('bundle', planText({ present: ['Ada', 'Grace'], bins: 16 }), { now });
  await (await EventFolder.open(bundle)).sealWhenComplete(now);
  const lock = await acquireStoreLock(folder.path);
  try {
    expect(await importBundle(bundle, { data, index: 'team', rootGrace: '0' })).toBe(0);
    const database = await openDatabase({ path: folder.database });
    expect((await servableIndexes(database.db)).map(({ name }) => name)).toEqual(['team']);
    await database.close();
    // A second time it is there, and nothing begins anew.
    await expect(importBundle(bundle, { data, index: 'team', rootGrace: '0' })).rejects.toMatchObject({
      message: expect.stringContaining('This index has a repository') as string,
    });
  } finally {
    lock.release();
  }
});
