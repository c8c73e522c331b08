import { access, mkdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { lastPublication } from '../db/publications.ts';
import { findIndex, insertIndex } from '../db/indexes.ts';
import type { Executor, IndexRow } from '../db/schema.ts';
import { generatePrivateKey, KeySigner } from '../keys/key-signer.ts';
import { generatePassphrase, readSecretFile, writeSecretFile } from '../keys/passphrase.ts';
import { readPrivateKeyFile, writePrivateKeyFile } from '../keys/private-key-file.ts';
import { issueToken } from '../registry/authenticate.ts';
import { createRepository } from '../repository/create-repository.ts';
import type { OfflineRole } from '../repository/first-roles.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import type { DataFolder } from './data-folder.ts';

/** What somebody must keep who made a trial repository. */
export interface TrialSecrets {
  readonly uploadToken: string;
  /** Opens the keys of root, targets, bins and claimed. */
  readonly offlinePassphrase: string;
}

export interface TrialRepository {
  readonly index: IndexRow;
  /** Set when the repository was made just now. */
  readonly secrets: TrialSecrets | undefined;
}

const OFFLINE_ROLES = ['root', 'targets', 'bins', 'claimed'] as const;

/**
 * The default index of a data folder, with a repository in the trial form: the roles of a key ceremony, each with a key of its own, all
 * made here and now, root threshold 1 (ADR 10). Every secret is in a file of mode 0600 before it is used, so that an interrupted first
 * start can be started again. The store lock must be held.
 */
export async function ensureTrialRepository(
  folder: DataFolder,
  db: Executor,
  store: ObjectStore,
): Promise<TrialRepository> {
  const index =
    (await findIndex(db, '')) ?? (await insertIndex(db, { name: '', profile: 'team', now: new Date() }));
  if ((await lastPublication(db, index.id)) !== undefined) return { index, secrets: undefined };
  await mkdir(folder.offlineKeys, { recursive: true, mode: 0o700 });
  const offlinePassphrase = await ensureSecret(folder.offlinePassphrase, generatePassphrase);
  const onlinePassphrase = await ensureSecret(folder.onlinePassphrase, generatePassphrase);
  const [online, root, targets, bins, claimed] = await Promise.all([
    ensureKey(folder.onlineKey, onlinePassphrase),
    ...OFFLINE_ROLES.map((role) => ensureKey(join(folder.offlineKeys, `${role}.json`), offlinePassphrase)),
  ] as const);
  const alone = (signer: KeySigner | undefined): OfflineRole => {
    if (signer === undefined) throw new TypeError('a key for each offline role was made above');
    return { signers: [signer], threshold: 1 };
  };
  const offline = { root: alone(root), targets: alone(targets), bins: alone(bins), claimed: alone(claimed) };
  const uploadToken = await ensureSecret(folder.uploadToken, async () => {
    const { token } = await issueToken(db, {
      name: 'first upload token',
      verbs: ['upload'],
      indexId: index.id,
      now: new Date(),
    });
    return token;
  });
  await createRepository({ db, store, index, offline, online });
  return { index, secrets: { uploadToken, offlinePassphrase } };
}

/** Takes the secrets off the disk: from now on only the person who saw them has them. */
export async function forgetSecretFiles(folder: DataFolder): Promise<void> {
  await unlink(folder.offlinePassphrase);
  await unlink(folder.uploadToken);
}

async function ensureSecret(path: string, make: () => string | Promise<string>): Promise<string> {
  if (!(await exists(path))) await writeSecretFile(path, await make());
  return readSecretFile(path);
}

async function ensureKey(path: string, passphrase: string): Promise<KeySigner> {
  if (await exists(path)) return readPrivateKeyFile(path, passphrase);
  const privateKey = await generatePrivateKey('ed25519');
  await writePrivateKeyFile(path, privateKey, passphrase);
  return KeySigner.fromPrivateKey(privateKey);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
