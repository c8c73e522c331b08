import type { StagedFileRow } from '../db/schema.ts';
import type { CoreMetadata } from '../pypi/core-metadata.ts';
import { metadataHolds } from '../pypi/distribution.ts';

type MetadataColumns = Pick<StagedFileRow, 'packagetype' | 'metadata_sha256' | 'metadata_length'>;

/** What the page offers of the core metadata of a file: none where only a build knows it. The object beside the file is kept either way. */
export function offeredMetadata(
  { packagetype, metadata_sha256, metadata_length }: MetadataColumns,
  coreMetadata: CoreMetadata,
): { readonly metadata_sha256: string | null; readonly metadata_length: number | null } {
  const kind = packagetype === 'bdist_wheel' ? 'wheel' : 'sdist';
  if (!metadataHolds(kind, coreMetadata)) return { metadata_sha256: null, metadata_length: null };
  return { metadata_sha256, metadata_length };
}

/** The same for a file that waits for signatures. */
export function offeredMetadataOf(
  row: MetadataColumns & Pick<StagedFileRow, 'core_metadata'>,
): ReturnType<typeof offeredMetadata> {
  return offeredMetadata(row, JSON.parse(row.core_metadata) as CoreMetadata);
}
