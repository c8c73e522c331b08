/** Wheels: the binary distribution format 1.x (PEP 427, 491, 639). */
import { ARCHIVE_LIMITS, readExactly, UnsafeArchiveError, type RandomAccessReader } from './archive.ts';
import { parseCoreMetadata, type CoreMetadata } from './core-metadata.ts';
import type { WheelFilename } from './distribution-filename.ts';
import { parseScripts } from './entry-points.ts';
import { quote } from './errors.ts';
import { isValidProjectName, normalizeProjectName } from './project-name.ts';
import { parseRecord, type RecordLine } from './record.ts';
import { canonicalVersion, isValidVersion } from './version.ts';
import { hashZipContent, readZipContent } from './zip-content.ts';
import { readZipEntries, type ZipEntry } from './zip.ts';

/** What an inspection of a distribution file gives. */
export interface DistributionContent {
  /** The very bytes of METADATA or PKG-INFO. */
  readonly metadata: Uint8Array;
  /** The same, parsed; `validateCoreMetadata` has not been asked. */
  readonly coreMetadata: CoreMetadata;
  /** The commands that installing a wheel puts on the path; none of an sdist, which is built first. */
  readonly scripts: readonly string[];
}

/** How much of a file is read. */
export interface InspectionOptions {
  /**
   * `false` leaves out the check of every file's content against checksums and RECORD, which reads the whole archive.
   * Default: true.
   */
  readonly contents?: boolean;
}

const DIST_INFO = /^([^/]+)\.dist-info\//;
const LATIN_TAR_MAGIC = [0x75, 0x73, 0x74, 0x61, 0x72];
const TAR_MAGIC_POSITION = 257;

/**
 * Inspects a wheel: a zip archive that all programs read alike, exactly one `.dist-info` directory whose name and
 * METADATA agree with the filename, WHEEL of format 1.x, entry points that installers understand, and RECORD naming every file with its
 * hash and size.
 *
 * @throws UnsafeArchiveError, InvalidMetadataError
 */
export async function readWheel(
  reader: RandomAccessReader,
  filename: WheelFilename,
  options: InspectionOptions = {},
): Promise<DistributionContent> {
  await refuseTar(reader);
  const entries = await readZipEntries(reader);
  const byName = new Map(entries.map((entry) => [entry.name, entry]));
  const distInfo = findDistInfo(entries, filename);
  const metadata = await readText(reader, byName, `${distInfo}/METADATA`, ARCHIVE_LIMITS.metadataBytes);
  const coreMetadata = parseCoreMetadata(metadata);
  checkIdentity(coreMetadata, filename, 'METADATA');
  checkWheelFile(
    decode(await readText(reader, byName, `${distInfo}/WHEEL`, ARCHIVE_LIMITS.metadataBytes), 'WHEEL'),
  );
  checkLicenseFiles(coreMetadata, (path) => byName.has(`${distInfo}/licenses/${path}`));
  const scripts = await readScripts(reader, byName, distInfo);
  const record = await readText(reader, byName, `${distInfo}/RECORD`, ARCHIVE_LIMITS.listBytes);
  const lines = parseRecord(decode(record, 'RECORD'));
  checkRecordNames(lines, byName, distInfo);
  if (options.contents !== false) await checkContents(reader, entries, lines, distInfo);
  return { metadata, coreMetadata, scripts };
}

/** The commands: those of entry_points.txt, and files of the scheme `scripts`. */
async function readScripts(
  reader: RandomAccessReader,
  entries: ReadonlyMap<string, ZipEntry>,
  distInfo: string,
): Promise<readonly string[]> {
  const data = `${distInfo.slice(0, -'.dist-info'.length)}.data/scripts/`;
  const scripts = [...entries.values()]
    .filter(({ name, isDirectory }) => !isDirectory && name.startsWith(data))
    .map(({ name }) => name.slice(data.length));
  const entryPoints = `${distInfo}/entry_points.txt`;
  if (!entries.has(entryPoints)) return scripts;
  const text = await readText(reader, entries, entryPoints, ARCHIVE_LIMITS.metadataBytes);
  return [...scripts, ...parseScripts(decode(text, 'entry_points.txt'))];
}

/**
 * The metadata of a file is of the project and version its name says.
 *
 * @throws UnsafeArchiveError `wrong-content`
 */
export function checkIdentity(
  metadata: CoreMetadata,
  filename: { readonly project: string; readonly version: string },
  where: string,
): void {
  if (!isValidProjectName(metadata.name) || normalizeProjectName(metadata.name) !== filename.project) {
    throw wrong(`the name ${quote(metadata.name)} in ${where} is not that of the filename.`);
  }
  if (
    !isValidVersion(metadata.version) ||
    canonicalVersion(metadata.version) !== canonicalVersion(filename.version)
  ) {
    throw wrong(`the version ${quote(metadata.version)} in ${where} is not that of the filename.`);
  }
}

/** Metadata 2.4 and later promises that the files it names as License-File are there (PEP 639). */
export function checkLicenseFiles(metadata: CoreMetadata, isPresent: (path: string) => boolean): void {
  const isPromised = !/^(?:1\.|2\.[0-3]$)/.test(metadata.metadataVersion);
  const missing = isPromised ? metadata.licenseFiles.find((path) => !isPresent(path)) : undefined;
  if (missing !== undefined) throw wrong(`the License-File ${quote(missing)} is missing.`);
}

// Some programs look for a zip first, others for a tar: a file that is both would be two distributions.
async function refuseTar(reader: RandomAccessReader): Promise<void> {
  if (reader.size < TAR_MAGIC_POSITION + LATIN_TAR_MAGIC.length) return;
  const magic = await readExactly(reader, TAR_MAGIC_POSITION, LATIN_TAR_MAGIC.length);
  if (magic.every((byte, index) => byte === LATIN_TAR_MAGIC[index])) {
    throw new UnsafeArchiveError('ambiguous-archive', 'it is a tar archive as well.');
  }
}

function findDistInfo(entries: readonly ZipEntry[], filename: WheelFilename): string {
  const names = new Set<string>();
  for (const { name } of entries) {
    const stem = DIST_INFO.exec(name)?.[1];
    if (stem !== undefined) names.add(stem);
  }
  const [stem, ...others] = names;
  if (stem === undefined || others.length > 0) {
    throw wrong(`it has ${names.size} .dist-info directories instead of one.`);
  }
  const hyphen = stem.indexOf('-');
  const [name, version] = [stem.slice(0, Math.max(hyphen, 0)), stem.slice(hyphen + 1)];
  const isRight =
    isValidProjectName(name) &&
    normalizeProjectName(name) === filename.project &&
    isValidVersion(version) &&
    canonicalVersion(version) === canonicalVersion(filename.version);
  if (!isRight) throw wrong(`the directory ${quote(`${stem}.dist-info`)} is not that of the filename.`);
  return `${stem}.dist-info`;
}

async function readText(
  reader: RandomAccessReader,
  entries: ReadonlyMap<string, ZipEntry>,
  name: string,
  maxLength: number,
): Promise<Uint8Array> {
  const entry = entries.get(name);
  if (entry === undefined) throw wrong(`the file ${quote(name)} is missing.`);
  return readZipContent(reader, entry, maxLength);
}

function checkWheelFile(text: string): void {
  const version = /^Wheel-Version:[ \t]*([0-9]+)\.[0-9]+[ \t]*$/m.exec(text.replaceAll('\r\n', '\n'))?.[1];
  if (version !== '1') throw wrong('its WHEEL file does not say Wheel-Version 1.x.');
}

function checkRecordNames(
  lines: ReadonlyMap<string, RecordLine>,
  entries: ReadonlyMap<string, ZipEntry>,
  distInfo: string,
): void {
  const exempt = unrecorded(distInfo);
  for (const path of lines.keys()) {
    if (!entries.has(path) && !exempt.has(path))
      throw wrong(`RECORD names ${quote(path)}, which is missing.`);
  }
  for (const { name, isDirectory } of entries.values()) {
    if (!isDirectory && !lines.has(name) && !exempt.has(name))
      throw wrong(`${quote(name)} is not in RECORD.`);
  }
}

/** RECORD cannot have its own hash, nor that of a signature of it. */
function unrecorded(distInfo: string): ReadonlySet<string> {
  return new Set(['RECORD', 'RECORD.jws', 'RECORD.p7s'].map((name) => `${distInfo}/${name}`));
}

async function checkContents(
  reader: RandomAccessReader,
  entries: readonly ZipEntry[],
  lines: ReadonlyMap<string, RecordLine>,
  distInfo: string,
): Promise<void> {
  const exempt = unrecorded(distInfo);
  for (const entry of entries) {
    if (entry.isDirectory) continue;
    const line = exempt.has(entry.name) ? undefined : lines.get(entry.name);
    const algorithm = line === undefined ? 'sha256' : algorithmOf(line);
    const hash = await hashZipContent(reader, entry, algorithm);
    if (line !== undefined) checkRecordLine(line, entry, hash);
  }
}

/** sha256 or better (PEP 427): anything else would be a file that RECORD says nothing about. */
function algorithmOf({ path, hash }: RecordLine): 'sha256' | 'sha384' | 'sha512' {
  const [algorithm] = hash.split('=', 1);
  if (algorithm === 'sha256' || algorithm === 'sha384' || algorithm === 'sha512') return algorithm;
  const what = hash === '' ? 'no hash' : 'a hash that is not sha256, sha384 or sha512';
  throw wrong(`RECORD has ${what} of ${quote(path)}.`);
}

function checkRecordLine(line: RecordLine, entry: ZipEntry, hash: Uint8Array): void {
  const digest = line.hash.slice(line.hash.indexOf('=') + 1);
  if (digest !== Buffer.from(hash).toString('base64url'))
    throw wrong(`the hash of ${quote(entry.name)} in RECORD is wrong.`);
  if (line.size !== '' && line.size !== String(entry.size)) {
    throw wrong(`the size of ${quote(entry.name)} in RECORD is wrong.`);
  }
}

function decode(bytes: Uint8Array, name: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new UnsafeArchiveError('wrong-content', `its file ${name} is not UTF-8.`, name, { cause });
  }
}

function wrong(message: string): UnsafeArchiveError {
  return new UnsafeArchiveError('wrong-content', message);
}
