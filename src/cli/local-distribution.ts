import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { basename } from 'node:path';
import type { RandomAccessReader } from '../pypi/archive.ts';
import { validateCoreMetadata } from '../pypi/core-metadata-validation.ts';
import type { CoreMetadata } from '../pypi/core-metadata.ts';
import { metadataHolds, readDistribution } from '../pypi/distribution.ts';
import { parseDistributionFilename, type DistributionFilename } from '../pypi/distribution-filename.ts';
import type { PageFile } from '../pypi/simple.ts';

/** A distribution file that somebody is about to sign for: read here, so that no server has to be believed about it. */
export interface LocalDistribution {
  readonly path: string;
  readonly filename: DistributionFilename;
  readonly length: number;
  readonly sha256: string;
  readonly metadata: CoreMetadata;
  /** Of the bytes of METADATA or PKG-INFO. */
  readonly metadataSha256: string;
  /** What the page says of it. */
  readonly entry: PageFile;
}

/**
 * Opens and inspects a wheel or sdist as the index will.
 * @param now becomes its upload time
 * @throws {FormatError} for a file that the index would refuse
 */
export async function readLocalDistribution(path: string, now: Date): Promise<LocalDistribution> {
  const filename = parseDistributionFilename(basename(path));
  const handle = await open(path);
  try {
    const content = await readDistribution(await readerOf(handle), filename);
    validateCoreMetadata(content.coreMetadata);
    const { size: length } = await handle.stat();
    const sha256 = await digestOf(path);
    const { coreMetadata: metadata } = content;
    const metadataSha256 = createHash('sha256').update(content.metadata).digest('hex');
    return { path, filename, length, sha256, metadata, metadataSha256, entry: entryOf() };

    function entryOf(): PageFile {
      const { requiresPython } = metadata;
      return {
        filename: filename.filename,
        version: filename.version,
        sha256,
        size: length,
        uploadTime: now.toISOString().replace('Z', '000Z'),
        ...(requiresPython === undefined ? {} : { requiresPython }),
        ...(metadataHolds(filename.kind, metadata) ? { coreMetadataSha256: metadataSha256 } : {}),
      };
    }
  } finally {
    await handle.close();
  }
}

async function readerOf(handle: FileHandle): Promise<RandomAccessReader> {
  const { size } = await handle.stat();
  return {
    size,
    read: async (position, length) => {
      const { bytesRead, buffer } = await handle.read(Buffer.alloc(length), 0, length, position);
      return buffer.subarray(0, bytesRead);
    },
  };
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
