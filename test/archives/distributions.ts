import { createHash } from 'node:crypto';
import type { RandomAccessReader } from '../../src/pypi/index.ts';
import { tarGzBytes, type TarSpec } from './tar-bytes.ts';
import { zipBytes, type ZipShape, type ZipSpec } from './zip-bytes.ts';

/** A reader over bytes in memory. */
export function memoryReader(bytes: Uint8Array): RandomAccessReader {
  return {
    size: bytes.length,
    read: (position, length) => Promise.resolve(bytes.subarray(position, position + length)),
  };
}

/** What a test wheel is made of. */
export interface WheelSpec {
  name?: string;
  version?: string;
  /** Extra header lines of METADATA. */
  headers?: readonly string[];
  metadata?: string | undefined;
  wheelFile?: string;
  files?: Readonly<Record<string, string>>;
  /** Put in as they are, not named by RECORD. */
  entries?: readonly ZipSpec[];
  record?: (lines: string[]) => string[];
  distInfo?: string;
  shape?: ZipShape;
}

/** A METADATA file. */
export function metadataText(name = 'demo', version = '1.0', headers: readonly string[] = []): string {
  return [
    `Metadata-Version: 2.1`,
    `Name: ${name}`,
    `Version: ${version}`,
    ...headers,
    '',
    'About it.\n',
  ].join('\n');
}

/** The entries of a wheel, RECORD last. */
export function wheelEntries(spec: WheelSpec = {}): ZipSpec[] {
  const name = spec.name ?? 'demo';
  const version = spec.version ?? '1.0';
  const distInfo = spec.distInfo ?? `${name}-${version}.dist-info`;
  const files: Record<string, string> = {
    [`${name}/__init__.py`]: 'answer = 42\n',
    ...spec.files,
    [`${distInfo}/METADATA`]: spec.metadata ?? metadataText(name, version, spec.headers),
    [`${distInfo}/WHEEL`]: spec.wheelFile ?? 'Wheel-Version: 1.0\nGenerator: hand\nTag: py3-none-any\n',
  };
  const lines = Object.entries(files).map(([path, content]) => recordLine(path, content));
  lines.push(`${distInfo}/RECORD,,`);
  const record = (spec.record?.(lines) ?? lines).join('\n') + '\n';
  return [
    ...Object.entries(files).map(([path, content]) => ({ name: path, content })),
    ...(spec.entries ?? []),
    { name: `${distInfo}/RECORD`, content: record },
  ];
}

/** The bytes of a wheel. */
export function wheelBytes(spec: WheelSpec = {}): Buffer {
  return zipBytes(wheelEntries(spec), spec.shape);
}

/** A line of RECORD. */
export function recordLine(path: string, content: string): string {
  const digest = createHash('sha256').update(content).digest('base64url');
  return `${path},sha256=${digest},${Buffer.byteLength(content)}`;
}

/** The members of an sdist. */
export function sdistMembers(name = 'demo', version = '1.0', members: readonly TarSpec[] = []): TarSpec[] {
  const top = `${name}-${version}`;
  return [
    { name: `${top}/`, type: '5' },
    { name: `${top}/PKG-INFO`, content: metadataText(name, version) },
    { name: `${top}/pyproject.toml`, content: '[build-system]\n' },
    ...members,
  ];
}

/** The bytes of an sdist. */
export function sdistBytes(name = 'demo', version = '1.0', members: readonly TarSpec[] = []): Buffer {
  return tarGzBytes(sdistMembers(name, version, members));
}
