// Compiled by test/examples/examples.test.ts as a program of somebody else, against the packed package.
import { RepositorySimulator, SimulatedClient } from 'rind/testing';
import type { Misbehaviour } from 'rind/testing';
import { Key, MetaFile, RepositoryError, Snapshot, TrustedMetadataSet, WebCrypto } from 'rind/tuf';
import type { RepositoryErrorCode, Signer, TufCrypto } from 'rind/tuf';
import {
  DEFAULT_UPDATER_CONFIG,
  HttpFetcher,
  MultiRepositoryUpdater,
  parseMapFile,
  Updater,
} from 'rind/updater';
import type { Fetcher, UpdaterConfig } from 'rind/updater';

export const crypto: TufCrypto = new WebCrypto();
export const fetcher: Fetcher = new HttpFetcher({ userAgent: 'consumer' });
export const config: Partial<UpdaterConfig> = { maxDelegations: DEFAULT_UPDATER_CONFIG.maxDelegations };
export const misbehaviour: Misbehaviour = { kind: 'status', status: 503 };
export const snapshot: Snapshot = new Snapshot({
  version: 1,
  expires: new Date('2027-01-01T00:00:00Z'),
  meta: new Map([['targets.json', new MetaFile({ version: 1 })]]),
});

export async function trust(root: Uint8Array, signer: Signer): Promise<number> {
  const trusted = await TrustedMetadataSet.create(root, { referenceTime: new Date(), crypto });
  const key: Key = signer.key;
  return trusted.root.keys.has(key.keyId) ? trusted.root.version : 0;
}

export async function session(map: Uint8Array): Promise<RepositoryErrorCode | undefined> {
  const client: SimulatedClient = await SimulatedClient.create(new RepositorySimulator());
  const updater: Updater = client.updater(config);
  const several = new MultiRepositoryUpdater({ map: parseMapFile(map), metadataFolder: 'trusted', fetcher });
  try {
    await several.getTargetInfo('a.txt');
    const target = await updater.getTargetInfo('a.txt');
    // @ts-expect-error: a length is a number
    target?.length.toUpperCase();
    return undefined;
  } catch (error) {
    return error instanceof RepositoryError ? error.code : undefined;
  }
}
