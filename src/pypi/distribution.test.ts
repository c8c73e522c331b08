import { describe, expect, it } from 'vitest';
import { parseCoreMetadata } from './core-metadata.ts';
import { metadataHolds } from './distribution.ts';

function metadata(version: string, ...lines: string[]) {
  return parseCoreMetadata(
    Buffer.from(`Metadata-Version: ${version}\nName: demo\nVersion: 1.0\n${lines.join('\n')}\n`),
  );
}

describe('core metadata that installers may read in the place of a file (PEP 658)', () => {
  it.each([
    ['of metadata 2.1, whose requirements stand in setup.py', metadata('2.1')],
    ['of metadata 1.2', metadata('1.2')],
    ['whose build decides what it requires', metadata('2.2', 'Dynamic: Requires-Dist')],
    ['whose build decides for which Python it is', metadata('2.4', 'Dynamic: requires-python')],
    [
      'whose build decides what extras it has',
      metadata('2.5', 'Dynamic: Summary', 'Dynamic: Provides-Extra'),
    ],
  ])('is not that of an sdist %s', (_what, given) => {
    expect(metadataHolds('sdist', given)).toBe(false);
    expect(metadataHolds('wheel', given)).toBe(true);
  });

  it.each([
    ['2.2', metadata('2.2')],
    ['2.6 whose build decides about other fields', metadata('2.6', 'Dynamic: License-File')],
  ])('is that of an sdist of metadata %s', (_what, given) => {
    expect(metadataHolds('sdist', given)).toBe(true);
  });
});
