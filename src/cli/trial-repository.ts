import { access, mkdir, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { verifyBundle, type VerifiedBundle } from '../ceremony/bundle.ts';
import { openKeys } from '../ceremony/ceremony-keys.ts';
import { holdCeremony } from '../ceremony/ceremony.ts';
import { writeFolderOnce } from '../ceremony/durable-folder.ts';
import { EventFolder } from '../ceremony/event-folder.ts';
import { OFFLINE_ROLES, parsePlan } from '../ceremony/plan.ts';
import { encodePublicKey } from '../ceremony/public-key-file.ts';
import { lastPublication } from '../db/publications.ts';
import { findIndex, insertIndex } from '../db/indexes.ts';
import type { Executor, IndexRow } from '../db/schema.ts';
import { generatePrivateKey, KeySigner } from '../keys/key-signer.ts';
import { CheckedSigner } from '../keys/opened-signer.ts';
import { generatePassphrase, readSecretFile, writeSecretFile } from '../keys/passphrase.ts';
import { readPrivateKeyFile, writePrivateKeyFile } from '../keys/private-key-file.ts';
import { issueToken } from '../registry/authenticate.ts';
import { createRepository } from '../repository/create-repository.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import type { Key } from '../tuf/key.ts';
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

/**
 * An index of a data folder (undefined: the default one, made when it is not there), with a repository in the trial form: the roles of a key ceremony, each with a key of its own, all
 * made here and now, root threshold 1 (ADR 10). Every secret is in a file of mode 0600 before it is used, so that an interrupted first
 * start can be started again. The store lock must be held.
 */
export async function ensureTrialRepository(
  folder: DataFolder,
  db: Executor,
  store: ObjectStore,
  wanted?: IndexRow,
): Promise<TrialRepository> {
  const index =
    wanted ??
    (await findIndex(db, '')) ??
    (await insertIndex(db, { name: '', profile: 'team', now: new Date() }));
  if ((await lastPublication(db, index.id)) !== undefined) return { index, secrets: undefined };
  await mkdir(folder.offlineKeys, { recursive: true, mode: 0o700 });
  await mkdir(dirname(folder.onlineKey), { recursive: true, mode: 0o700 });
  const offlinePassphrase = await ensureSecret(folder.offlinePassphrase, generatePassphrase);
  const onlinePassphrase = await ensureSecret(folder.onlinePassphrase, generatePassphrase);
  const online = await ensureKey(folder.onlineKey, onlinePassphrase);
  const signers = new Map<string, KeySigner>();
  for (const role of OFFLINE_ROLES)
    signers.set(role, await ensureKey(join(folder.offlineKeys, `${role}.json`), offlinePassphrase));
  const uploadToken = await ensureSecret(folder.uploadToken, async () => {
    const { token } = await issueToken(db, {
      name: index.name === '' ? 'first upload token' : `first upload token of ${index.name}`,
      verbs: ['upload'],
      indexId: index.id,
      now: new Date(),
    });
    return token;
  });
  const bundle = join(folder.path, 'ceremony', 'first');
  const { roles } = await ensureTrialBundle(bundle, trialPlan(index.profile), signers, online.key);
  await createRepository({ db, store, index, offline: roles, online: [online] });
  return { index, secrets: { uploadToken, offlinePassphrase } };
}

/** The bundle of the trial's ceremony: held once, so that an interrupted start goes on with the very bytes that it may have published. */
async function ensureTrialBundle(
  path: string,
  planText: string,
  signers: ReadonlyMap<string, KeySigner>,
  online: Key,
): Promise<VerifiedBundle> {
  const now = new Date();
  if (!(await exists(path))) {
    const planBytes = new TextEncoder().encode(planText);
    const plan = parsePlan(planBytes);
    const keys = await openKeys(plan, {
      open: async (uri) => {
        const signer = signers.get(uri);
        if (signer === undefined) throw new TypeError('a key for each offline role was made above');
        return new CheckedSigner(uri, { key: signer.key, sign: (bytes) => signer.signBytes(bytes) });
      },
      readPublicKey: async () => encodePublicKey(online),
    });
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeFolderOnce(path, await holdCeremony({ plan, planBytes, keys, now, program: 'rind serve' }));
    await keys.close();
  }
  await (await EventFolder.open(path)).sealWhenComplete(now);
  return verifyBundle(path);
}

/** The roles of a ceremony, each with one key of its own that is kept: a trial is to show what can be changed later. */
const trialPlan = (profile: string): string => `format = "rind-ceremony-plan-1"
profile = "${profile}"
${OFFLINE_ROLES.map((role) => `[${role}]\nthreshold = 1\n[[${role}.keys]]\nholder = "who began the trial"\nkey = "${role}"\n`).join('')}
[[online.keys]]
public-key = "online"
`;

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
