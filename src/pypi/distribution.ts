import type { RandomAccessReader } from './archive.ts';
import type { DistributionFilename } from './distribution-filename.ts';
import { readSdist } from './sdist.ts';
import { readWheel, type DistributionContent, type InspectionOptions } from './wheel.ts';

/**
 * Inspects a wheel or sdist, see `readWheel` and `readSdist`: refuses unsafe and ambiguous archives and gives the bytes
 * of the core metadata in it.
 *
 * @throws UnsafeArchiveError, InvalidMetadataError
 */
export function readDistribution(
  reader: RandomAccessReader,
  filename: DistributionFilename,
  options: InspectionOptions = {},
): Promise<DistributionContent> {
  return filename.kind === 'wheel' ? readWheel(reader, filename, options) : readSdist(reader, filename);
}
