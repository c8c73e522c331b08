import { appendFile, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { findCommittedRoot, haveOneHistory, isCommittedRoot } from '../proxy/committed-root.ts';
import { explain } from '../proxy/explain.ts';
import { TrustSettingsError } from '../proxy/trust-settings-error.ts';
import type { IndexSetting } from '../proxy/trust-settings.ts';
import {
  cacheFolder,
  stateFolder,
  TrustStore,
  TrustStoreError,
  type TrustedIndex,
} from '../proxy/trust-store.ts';
import { readSelfSignedRoot, TrustedRootError, type SelfSignedRoot } from '../proxy/trusted-root.ts';
import { DownloadError } from '../tuf/download-error.ts';
import { RepositoryError } from '../tuf/errors.ts';
import type { Fetcher } from '../updater/fetcher.ts';
import { openFetchers, openTrustStore, openUpdater } from './open-index.ts';
import { RefusalError } from './refusal-error.ts';

/**
 * The trust in an index whose root a file commits. If the user trusts the index already, and both roots are of one history, it
 * is the user's trust, whose memory of newer versions counts. Otherwise it is one of its own, for this URL and this sha256
 * only: what a project says never becomes the user's trust elsewhere.
 *
 * @param path of the file, for messages
 * @param roots bytes of roots that came with the file: with them no network is needed
 * @throws TrustSettingsError `conflict` when the user trusts the index with a root of another history
 */
export async function establishTrust(
  setting: IndexSetting,
  path: string,
  roots: readonly Uint8Array[] = [],
): Promise<TrustedIndex> {
  const fetcher = openFetchers([setting.url, ...setting.mirrors]);
  try {
    const users = await openTrustStore().get(setting.url);
    if (users === undefined) return await committedTrust(setting, roots, fetcher);
    if (await isSameTrust(users, setting, roots, fetcher)) return users;
    throw new TrustSettingsError(
      'conflict',
      path,
      `its root-sha256 for ${setting.url} is not of the history of the root that this user trusts (${users.fingerprint}); ` +
        'one of the two is wrong: ask whoever runs the index which',
    );
  } catch (error) {
    if (!(error instanceof DownloadError || error instanceof RepositoryError)) throw error;
    const context = { subject: `the index named in ${path}`, index: setting.url, now: new Date() };
    throw new RefusalError(explain(error, context), { cause: error });
  } finally {
    await fetcher.close();
  }
}

async function committedTrust(
  { url, mirrors, rootSha256 }: IndexSetting,
  roots: readonly Uint8Array[],
  fetcher: Fetcher,
): Promise<TrustedIndex> {
  const store = committedStore(rootSha256);
  const known = await store.get(url);
  if (known !== undefined) return known;
  const given = await givenRoot(roots, rootSha256);
  const root = given ?? (await findRoot(fetcher, [url, ...mirrors], rootSha256));
  try {
    return await store.add({ url, origin: 'fingerprint', root }, async (draft) => {
      if (given === undefined) await (await openUpdater({ ...draft, mirrors }, fetcher))().refresh();
    });
  } catch (error) {
    // Another process was faster.
    if (error instanceof TrustStoreError && error.code === 'already-trusted') return store.choose(url);
    throw error;
  }
}

/** From the first source that has it: its sha256 is what is trusted. Otherwise the first thing that went wrong. */
async function findRoot(
  fetcher: Fetcher,
  sources: readonly string[],
  rootSha256: string,
): Promise<SelfSignedRoot> {
  const failures: unknown[] = [];
  for (const url of sources) {
    try {
      return await findCommittedRoot(fetcher, url, rootSha256);
    } catch (error) {
      if (!(error instanceof DownloadError || error instanceof TrustedRootError)) throw error;
      failures.push(error);
    }
  }
  throw failures[0];
}

/** Trust by a committed sha256 is kept apart from the user's, and from that of every other sha256. */
function committedStore(rootSha256: string): TrustStore {
  const home = homedir();
  return new TrustStore(
    join(stateFolder(process.env, home), 'committed', rootSha256),
    join(cacheFolder(process.env, home), 'committed', rootSha256),
  );
}

async function givenRoot(
  roots: readonly Uint8Array[],
  rootSha256: string,
): Promise<SelfSignedRoot | undefined> {
  for (const bytes of roots) {
    const root = await readSelfSignedRoot(bytes);
    if (isCommittedRoot(root, rootSha256)) return root;
  }
  return undefined;
}

async function isSameTrust(
  users: TrustedIndex,
  { url, rootSha256 }: IndexSetting,
  roots: readonly Uint8Array[],
  fetcher: Fetcher,
): Promise<boolean> {
  const root = await readSelfSignedRoot(await readFile(users.rootPath));
  if (isCommittedRoot(root, rootSha256)) return true;
  // Verified once by signatures, so that it need not be fetched again every time.
  const notes = join(dirname(users.rootPath), 'same-history');
  const noted = await readFile(notes, 'utf8').catch(() => '');
  if (noted.split('\n').includes(rootSha256)) return true;
  const committed =
    (await givenRoot(roots, rootSha256)) ?? (await findCommittedRoot(fetcher, url, rootSha256));
  if (!(await haveOneHistory(root, committed, fetcher, url))) return false;
  await appendFile(notes, `${rootSha256}\n`, { mode: 0o600 });
  return true;
}
