import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { cacheFolder, stateFolder } from '../proxy/trust-store.ts';
import type { ResolvedTrust } from './resolve-trust.ts';

/** Where things are kept that belong to one trust as a whole. */
export interface TrustPlaces {
  /** Where its proxy listened last. */
  readonly addressPath: string;
  /** For installers' caches: what was installed under other rules is never found in it. */
  readonly cacheFolder: string;
}

/** The places of a single index without rules are those of the index; every other combination has its own. */
export async function placesOf({ indexes, policy }: ResolvedTrust): Promise<TrustPlaces> {
  const [first, ...others] = indexes;
  if (first !== undefined && others.length === 0 && policy.isPlain) return first;
  const digest = createHash('sha256').update(policy.digest);
  for (const { url, fingerprint, rootPath } of indexes) digest.update(`\n${url} ${fingerprint} ${rootPath}`);
  const id = digest.digest('hex').slice(0, 16);
  const folder = join(stateFolder(process.env, homedir()), 'combined', id);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return {
    addressPath: join(folder, 'proxy-address'),
    cacheFolder: join(cacheFolder(process.env, homedir()), 'combined', id),
  };
}
