import { insertIndex } from '../../src/db/indexes.ts';
import { openDatabase } from '../../src/db/open.ts';
import { openDataFolder, type DataFolder } from '../../src/cli/data-folder.ts';
import { generatePrivateKey, KeySigner } from '../../src/keys/key-signer.ts';
import { generatePassphrase, writeSecretFile } from '../../src/keys/passphrase.ts';
import { writePrivateKeyFile } from '../../src/keys/private-key-file.ts';
import { issueToken } from '../../src/registry/authenticate.ts';
import { createRepository } from '../../src/repository/create-repository.ts';
import { profileNamed, type ProfileName } from '../../src/repository/profile.ts';
import { PosixStore } from '../../src/storage/posix-store.ts';
import { newSigner, signOffline } from '../support/index-fixture.ts';

/** A data folder as `rind serve` finds it after a ceremony, of either profile; the offline keys are forgotten. */
export async function makeDataFolder(path: string, profile: ProfileName): Promise<DataFolder> {
  const folder = await openDataFolder(path);
  const now = new Date();
  const passphrase = generatePassphrase();
  await writeSecretFile(folder.onlinePassphrase, passphrase);
  const privateKey = await generatePrivateKey('ed25519');
  await writePrivateKeyFile(folder.onlineKey, privateKey, passphrase);
  const online = KeySigner.fromPrivateKey(privateKey);
  const store = await PosixStore.open({ root: folder.tree, temporaryFolder: folder.temporary });
  const database = await openDatabase({ path: folder.database });
  try {
    const { db } = database;
    const index = await insertIndex(db, { name: '', profile, now });
    const { token } = await issueToken(db, { name: 'bench', verbs: ['upload'], indexId: index.id, now });
    await writeSecretFile(folder.uploadToken, token);
    const party = () => ({ signers: [newSigner()], threshold: 1 });
    const offline = await signOffline(
      { root: party(), targets: party(), claimed: party(), bins: party() },
      [online.key],
      { version: 1, now, bins: profileNamed(profile)?.bins ?? 256 },
    );
    await createRepository({ db, store, index, offline, online: [online] });
  } finally {
    await database.close();
  }
  return folder;
}
