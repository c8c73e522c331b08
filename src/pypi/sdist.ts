/** Source distributions: the source distribution format 1.0 (PEP 517, 625, 643, 721). */
import { readExactly, UnsafeArchiveError, type RandomAccessReader } from './archive.ts';
import { parseCoreMetadata } from './core-metadata.ts';
import type { SdistFilename } from './distribution-filename.ts';
import { quote } from './errors.ts';
import { gunzip } from './gzip.ts';
import { isValidProjectName, normalizeProjectName } from './project-name.ts';
import { readTar, type TarEntry } from './tar.ts';
import { canonicalVersion, isValidVersion } from './version.ts';
import { checkIdentity, checkLicenseFiles, type DistributionContent } from './wheel.ts';

/** How far from the end of a file programs look for the end of a zip directory. */
const ZIP_END_SEARCH = 65_557;
const ZIP_END = [0x50, 0x4b, 0x05, 0x06];

/**
 * Inspects an sdist: a gzip file of one member, a tar archive that all programs read alike, one top folder with the
 * name of the file, no link leading out, PKG-INFO of that project and version.
 *
 * @throws UnsafeArchiveError, InvalidMetadataError
 */
export async function readSdist(
  reader: RandomAccessReader,
  filename: SdistFilename,
): Promise<DistributionContent> {
  await refuseZip(reader);
  const tree = new SourceTree();
  let metadata: Uint8Array | undefined;
  for await (const { entry, content } of readTar(gunzip(reader), isPackageInfo)) {
    tree.add(entry);
    if (content !== undefined) metadata = content;
  }
  const top = tree.check();
  checkTop(top, filename);
  if (metadata === undefined) throw wrong(`the file ${quote(`${top}/PKG-INFO`)} is missing.`);
  const coreMetadata = parseCoreMetadata(metadata);
  checkIdentity(coreMetadata, filename, 'PKG-INFO');
  checkLicenseFiles(coreMetadata, (path) => tree.has(`${top}/${path}`));
  return { metadata, coreMetadata, scripts: [] };
}

function isPackageInfo(entry: TarEntry): boolean {
  return entry.kind === 'file' && /^[^/]+\/PKG-INFO$/.test(entry.name);
}

// pip takes for a zip whatever Python's zipfile finds the end of a zip directory in, whatever its name (CVE-2026-3219).
async function refuseZip(reader: RandomAccessReader): Promise<void> {
  const length = Math.min(reader.size, ZIP_END_SEARCH);
  const tail = await readExactly(reader, reader.size - length, length);
  for (let at = tail.indexOf(0x50); at >= 0; at = tail.indexOf(0x50, at + 1)) {
    if (ZIP_END.every((byte, index) => tail[at + index] === byte)) {
      throw new UnsafeArchiveError('ambiguous-archive', 'some programs would take it for a zip archive.');
    }
  }
}

function checkTop(top: string, filename: SdistFilename): void {
  const hyphen = top.lastIndexOf('-');
  const [name, version] = [top.slice(0, Math.max(hyphen, 0)), top.slice(hyphen + 1)];
  const isRight =
    isValidProjectName(name) &&
    normalizeProjectName(name) === filename.project &&
    isValidVersion(version) &&
    canonicalVersion(version) === canonicalVersion(filename.version);
  if (!isRight) throw wrong(`its top folder ${quote(top)} is not that of the filename.`);
}

/** The members of an sdist: where each stands, and whether what they would make on a disk stays in the top folder. */
class SourceTree {
  readonly #kinds = new Map<string, TarEntry['kind']>();

  /** Takes a member in; its name has been checked by itself. */
  add(entry: TarEntry): void {
    const { name, kind, linkName } = entry;
    const isDirectoryAgain = kind === 'directory' && this.#kinds.get(name) === 'directory';
    if (this.#kinds.has(name) && !isDirectoryAgain) {
      throw new UnsafeArchiveError('duplicate-name', `it has two members ${quote(name)}.`, name);
    }
    if (kind === 'hardlink' && this.#kinds.get(linkName ?? '') !== 'file') throw leadsOut(name);
    if (kind === 'symlink' && !staysInside(name, linkName ?? '')) throw leadsOut(name);
    this.#kinds.set(name, kind);
  }

  /** Whether a file, or a link to one, has this name. */
  has(name: string): boolean {
    const kind = this.#kinds.get(name);
    return kind !== undefined && kind !== 'directory';
  }

  /** Checks the whole: one top folder, and nothing lies beneath a file or a link. Gives the top folder. */
  check(): string {
    const tops = new Set<string>();
    const checked = new Set<string>();
    for (const [name, kind] of this.#kinds) {
      const slash = name.indexOf('/');
      tops.add(slash < 0 ? name : name.slice(0, slash));
      if (slash < 0 && kind !== 'directory') throw wrong(`${quote(name)} is not in a folder.`);
      this.#checkFolders(name, checked);
    }
    const [top, ...others] = tops;
    if (top === undefined || others.length > 0)
      throw wrong(`it has ${tops.size} top folders instead of one.`);
    return top;
  }

  #checkFolders(name: string, checked: Set<string>): void {
    for (let slash = name.lastIndexOf('/'); slash > 0; slash = name.lastIndexOf('/', slash - 1)) {
      const folder = name.slice(0, slash);
      if (checked.has(folder)) return;
      checked.add(folder);
      const kind = this.#kinds.get(folder);
      if (kind !== undefined && kind !== 'directory') {
        throw new UnsafeArchiveError('unsafe-name', `${quote(name)} lies beneath a file or link.`, name);
      }
    }
  }
}

// Steps up only at the beginning, and fewer than there are folders above: no link on the way can change where it ends.
function staysInside(name: string, target: string): boolean {
  const segments = target.split('/');
  if (target === '' || target.startsWith('/') || /[\p{Cc}\\]|^[A-Za-z]:/u.test(target)) return false;
  const stepsUp = segments.findIndex((segment) => segment !== '..');
  if (stepsUp < 0 || segments.slice(stepsUp).includes('..')) return false;
  return stepsUp < name.split('/').length - 1;
}

function leadsOut(name: string): UnsafeArchiveError {
  return new UnsafeArchiveError('unsafe-name', `the link ${quote(name)} leads out of its folder.`, name);
}

function wrong(message: string): UnsafeArchiveError {
  return new UnsafeArchiveError('wrong-content', message);
}
