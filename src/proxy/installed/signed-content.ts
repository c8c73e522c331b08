import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { ARCHIVE_LIMITS } from '../../pypi/archive.ts';
import type { WheelFilename } from '../../pypi/distribution-filename.ts';
import { parseRecord } from '../../pypi/record.ts';
import { readWheel } from '../../pypi/wheel.ts';
import { hashZipContent, readZipContent } from '../../pypi/zip-content.ts';
import { readZipEntries, type ZipEntry } from '../../pypi/zip.ts';

/** A file that a wheel puts into an environment. */
export interface WheelFile {
  readonly area: 'site' | 'scripts' | 'data' | 'headers';
  /** Relative to the area. */
  readonly path: string;
  /** Lower-case hex. */
  readonly sha256: string;
  /** For a script whose first line installers replace: the sha256 of the rest. */
  readonly sha256OfRest?: string;
}

const MAX_SCRIPT = 4 * 2 ** 20;

/**
 * What a wheel installs, read from a file whose hash was verified. Its RECORD and its content have to agree.
 *
 * @throws UnsafeArchiveError when two programs could read the wheel differently
 */
export async function readWheelContent(path: string, filename: WheelFilename): Promise<readonly WheelFile[]> {
  const file = await open(path);
  try {
    const reader = { size: (await file.stat()).size, read: readerOf(file) };
    await readWheel(reader, filename);
    const entries = (await readZipEntries(reader)).filter((entry) => !entry.isDirectory);
    const record = entries.find(({ name }) => /^[^/]+\.dist-info\/RECORD$/.test(name));
    const lines = parseRecord(record === undefined ? '' : await textOf(reader, record));
    const files: WheelFile[] = [];
    for (const entry of entries) {
      if (/\.dist-info\/RECORD(?:\.jws|\.p7s)?$/.test(entry.name)) continue;
      files.push(await fileOf(reader, entry, lines.get(entry.name)?.hash));
    }
    return files;
  } finally {
    await file.close();
  }
}

type Reader = Parameters<typeof readZipEntries>[0];

async function fileOf(reader: Reader, entry: ZipEntry, recorded: string | undefined): Promise<WheelFile> {
  const [, area, inner] = /^[^/]+\.data\/([a-z]+)\/(.+)$/s.exec(entry.name) ?? [];
  const sha256 = fromRecord(recorded) ?? Buffer.from(await hashZipContent(reader, entry)).toString('hex');
  if (area === undefined || inner === undefined) return { area: 'site', path: entry.name, sha256 };
  if (area === 'scripts' && entry.size <= MAX_SCRIPT) {
    const bytes = await readZipContent(reader, entry, MAX_SCRIPT);
    const rest = restOfScript(bytes);
    return { area, path: inner, sha256, ...(rest === undefined ? {} : { sha256OfRest: rest }) };
  }
  const isKnown = area === 'scripts' || area === 'data' || area === 'headers';
  return { area: isKnown ? area : 'site', path: inner, sha256 };
}

/** RECORD writes sha256 in base64 for URLs, and may use another hash. */
function fromRecord(hash: string | undefined): string | undefined {
  const digest = /^sha256=([A-Za-z0-9_-]{43})$/.exec(hash ?? '')?.[1];
  return digest === undefined ? undefined : Buffer.from(digest, 'base64url').toString('hex');
}

/** The sha256 of everything after the first line, if that is `#!python` (binary distribution format). */
function restOfScript(bytes: Uint8Array): string | undefined {
  const script = Buffer.from(bytes);
  if (!script.subarray(0, 8).equals(Buffer.from('#!python'))) return undefined;
  const end = script.indexOf('\n');
  return createHash('sha256')
    .update(script.subarray(end + 1))
    .digest('hex');
}

async function textOf(reader: Reader, entry: ZipEntry): Promise<string> {
  return Buffer.from(await readZipContent(reader, entry, ARCHIVE_LIMITS.listBytes)).toString('utf8');
}

function readerOf(file: FileHandle): Reader['read'] {
  return async (position, length) => {
    const buffer = Buffer.alloc(length);
    let filled = 0;
    while (filled < length) {
      const { bytesRead } = await file.read(buffer, filled, length - filled, position + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return buffer.subarray(0, filled);
  };
}
