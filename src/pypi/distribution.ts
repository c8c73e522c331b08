import type { RandomAccessReader } from './archive.ts';
import type { CoreMetadata } from './core-metadata.ts';
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

const BUILD_DECIDES = new Set(['requires-dist', 'requires-python', 'provides-extra']);

/**
 * Whether the core metadata of a file may be offered beside it (PEP 658): pip resolves by that and does not look at the file again. What a
 * wheel says holds; what an sdist says does only since metadata 2.2, and when it leaves nothing about requirements to its build (PEP 643).
 */
export function metadataHolds(kind: DistributionFilename['kind'], metadata: CoreMetadata): boolean {
  if (kind === 'wheel') return true;
  if (/^(?:1\.|2\.[01]$)/.test(metadata.metadataVersion)) return false;
  return !metadata.dynamic.some((field) => BUILD_DECIDES.has(field.toLowerCase()));
}
