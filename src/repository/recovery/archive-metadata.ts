import type { CoreMetadata } from '../../pypi/core-metadata.ts';
import { readDistribution } from '../../pypi/distribution.ts';
import { parseDistributionFilename } from '../../pypi/distribution-filename.ts';
import { FormatError } from '../../pypi/errors.ts';
import { objectReader } from '../../storage/object-reader.ts';
import type { ObjectStore } from '../../storage/object-store.ts';

/**
 * What a stored file, whose bytes are known to be good, says of itself: for one that a page offers no core metadata beside, an sdist whose
 * build decides about it. Undefined when it is not there, or too old in its form to be read.
 */
export async function archiveMetadata(
  store: ObjectStore,
  key: string,
  filename: string,
): Promise<CoreMetadata | undefined> {
  const object = await store.open(key);
  if (object === undefined) return undefined;
  try {
    const parsed = parseDistributionFilename(filename);
    return (await readDistribution(objectReader(object), parsed, { contents: false })).coreMetadata;
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  } finally {
    await object.close();
  }
}
