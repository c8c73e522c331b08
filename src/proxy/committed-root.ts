import { createHash } from 'node:crypto';
import { DownloadError, DownloadHttpError } from '../tuf/download-error.ts';
import { TrustedMetadataSet } from '../tuf/trusted-metadata-set.ts';
import type { Fetcher } from '../updater/fetcher.ts';
import { fetchRoot, readSelfSignedRoot, TrustedRootError, type SelfSignedRoot } from './trusted-root.ts';

/** Root versions of an index that are looked through for a committed one. */
const MOST_ROOTS = 1024;

/** Whether a committed sha256 names this root: the file as it was fetched, or its signed part. */
export function isCommittedRoot(
  { bytes, fingerprint }: Pick<SelfSignedRoot, 'bytes' | 'fingerprint'>,
  sha256: string,
): boolean {
  return fingerprint === sha256 || sha256Of(bytes) === sha256;
}

/**
 * The root version of an index that has this sha256, from the first one upwards. What else the index shows on the way is not
 * believed, so it makes no difference how it is signed.
 *
 * @throws TrustedRootError `wrong-fingerprint` when no root of the index has it
 * @throws DownloadError
 */
export async function findCommittedRoot(
  fetcher: Fetcher,
  indexUrl: string,
  sha256: string,
): Promise<SelfSignedRoot> {
  let version = 1;
  for (; version <= MOST_ROOTS; version += 1) {
    const bytes = await fetchRoot(fetcher, indexUrl, version).catch(absent);
    if (bytes === undefined) break;
    const root = await readSelfSignedRoot(bytes).catch(unreadable);
    if (root?.root.version === version && isCommittedRoot(root, sha256)) return root;
  }
  const seen = `${indexUrl} has ${version - 1} root versions, and none of them has the sha256 ${sha256}.`;
  throw new TrustedRootError('wrong-fingerprint', seen);

  function absent(error: unknown): undefined {
    // The first one is always there: without it nothing can be said about the others.
    if (version > 1 && error instanceof DownloadHttpError && [403, 404, 410].includes(error.statusCode))
      return;
    throw error;
  }
}

/**
 * Whether one of two roots follows from the other by signatures, in the history that the index shows (TUF 5.3): then they
 * stand for the same trust, whichever of them somebody began with.
 *
 * @throws DownloadError
 */
export async function haveOneHistory(
  left: SelfSignedRoot,
  right: SelfSignedRoot,
  fetcher: Fetcher,
  indexUrl: string,
): Promise<boolean> {
  const [older, newer] = left.root.version <= right.root.version ? [left, right] : [right, left];
  const set = await TrustedMetadataSet.create(older.bytes, { referenceTime: new Date(0) });
  try {
    for (let version = older.root.version + 1; version < newer.root.version; version += 1) {
      await set.updateRoot(await fetchRoot(fetcher, indexUrl, version));
    }
    if (older.root.version === newer.root.version) return older.fingerprint === newer.fingerprint;
    await set.updateRoot(newer.bytes);
    return true;
  } catch (error) {
    if (error instanceof DownloadError) throw error;
    return false;
  }
}

function unreadable(error: unknown): undefined {
  if (!(error instanceof TrustedRootError)) throw error;
}

function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
