import { EquivocationError } from '../tuf/errors.ts';
import { Metadata } from '../tuf/metadata.ts';
import type { Timestamp } from '../tuf/timestamp.ts';
import { isExtensionOf, tilesForExtension } from '../transparency/consistency.ts';
import { entryOfTimestamp, logCommitment } from '../transparency/log-entry.ts';
import { TILE_WIDTH, tilePath, type TilePlace } from '../transparency/log-layout.ts';
import { HASH_LENGTH } from '../transparency/merkle.ts';
import type { UpdaterConfig } from './config.ts';
import type { Fetcher } from './fetcher.ts';
import { downloadBytes } from './limited-download.ts';
import { isAbsence, type Source, type Sources } from './sources.ts';

/** How tiles of the log come. */
export interface LogSource {
  readonly fetcher: Fetcher;
  readonly sources: Sources;
  readonly config: UpdaterConfig;
}

/**
 * Refuses a timestamp that does not go on from the one trusted before: its log must contain everything that the trusted one was built on, and
 * the trusted one itself. `known` is the stored timestamp; it is all that has to be remembered. An index without a log passes, unless it had one.
 * Costs no request while nothing was published, then a few of at most 1 KiB each.
 *
 * @throws {EquivocationError} for a fork, a shorter log, and a log that is gone
 * @throws {DownloadError} when what proves it does not come: then nothing is known, and nothing is trusted
 * @throws {MalformedMetadataError}
 */
export async function followLog(
  from: LogSource,
  known: Uint8Array | undefined,
  next: Timestamp,
): Promise<void> {
  const head = logCommitment(next);
  const entry = known === undefined ? undefined : entryOf(known);
  if (entry === undefined) return;
  const details = { role: 'timestamp', version: next.version };
  if (head === undefined) {
    const reason = `version ${next.version} says nothing of the public log that version ${entry.timestamp.version} was part of`;
    throw new EquivocationError(reason, details);
  }
  if (head.size <= entry.previous.size) {
    const reason = `version ${next.version} is built on a log of ${head.size} publications, in which version ${entry.timestamp.version}, seen here before, has no place`;
    throw new EquivocationError(reason, details);
  }
  const places = tilesForExtension(entry, head.size);
  await from.sources.first(async (source) => {
    const tiles = await Promise.all(places.map((place) => downloadTile(from, source, place)));
    if (isExtensionOf(entry, head, new Map(tiles))) return;
    const reason = `version ${next.version} belongs to another history than version ${entry.timestamp.version}, seen here before: the public log does not contain both`;
    throw new EquivocationError(reason, details);
  });
}

/** Refuses a second timestamp of the same version, if the index keeps a log: there one version is signed once. @throws {EquivocationError} */
export function refuseTwin(known: Uint8Array | undefined, other: Uint8Array): void {
  const [trusted, twin] = [known, other].map((bytes) => (bytes === undefined ? undefined : entryOf(bytes)));
  if (trusted === undefined || twin === undefined) return;
  const { version, sha256 } = trusted.timestamp;
  if (twin.timestamp.version !== version || twin.timestamp.sha256 === sha256) return;
  throw new EquivocationError(`version ${version} was signed twice, with different content`, {
    role: 'timestamp',
    version,
  });
}

function entryOf(timestamp: Uint8Array) {
  const metadata = Metadata.fromBytes(timestamp, 'timestamp');
  return entryOfTimestamp(metadata.signed, metadata.signedBytes);
}

/** A tile that has become full since may have lost its shorter forms. */
async function downloadTile(
  { fetcher, config }: LogSource,
  { metadataBaseUrl }: Source,
  place: TilePlace,
): Promise<readonly [string, Uint8Array]> {
  const base = new URL('..', metadataBaseUrl).href;
  const get = (tile: TilePlace) =>
    downloadBytes(
      fetcher,
      base + tilePath(tile),
      { maxLength: tile.width * HASH_LENGTH, compressible: false },
      config.limits,
    );
  const path = tilePath(place);
  try {
    return [path, await get(place)];
  } catch (error) {
    if (!isAbsence(error) || place.width === TILE_WIDTH) throw error;
    const full = await get({ ...place, width: TILE_WIDTH }).catch(() => undefined);
    if (full === undefined) throw error;
    return [path, full];
  }
}
