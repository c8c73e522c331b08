import { describe, expect, it } from 'vitest';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeWheel } from '../../test/tools/distribution.ts';
import { parseDistributionFilename } from '../pypi/distribution-filename.ts';
import { readLocalDistribution, type LocalDistribution } from './local-distribution.ts';
import { requireOwnMetadata, withProvenance } from './project-signing.ts';

const filename = parseDistributionFilename('foo-1.0.tar.gz');
const entry = { filename: 'foo-1.0.tar.gz', version: '1.0', sha256: '0'.repeat(64), size: 1, uploadTime: '' };
const file = { filename, entry } as unknown as LocalDistribution;
const PLACE = 'integrity/foo/1.0/foo-1.0.tar.gz/provenance';

describe('the address of attestations that an index wants signed', () => {
  it('is signed when it is the file’s own', () => {
    const url = `https://index.example/team/${PLACE}`;
    expect(withProvenance(file, url).entry.provenance).toBe(url);
    expect(withProvenance(file, null)).toBe(file);
  });

  it.each([
    'javascript:alert(1)',
    `https://somebody@index.example/${PLACE}`,
    `https://index.example/?x=/${PLACE}`,
    `https://index.example/#/${PLACE}`,
    `https://index.example/integrity/foo/1.0/foo-2.0.tar.gz/provenance`,
    `/${PLACE}`,
  ])('is not signed as %s', (url) => {
    expect(() => withProvenance(file, url)).toThrow('attestations');
  });
});

describe('a first claim', () => {
  it('signs nothing that the page says of a file and the file does not', async () => {
    const { filename: name, bytes } = makeWheel({ name: 'foo', version: '1.0' });
    const folder = await mkdtemp(join(tmpdir(), 'rind-test-'));
    await writeFile(join(folder, name), bytes);
    const { entry: listed } = await readLocalDistribution(join(folder, name), new Date());
    await rm(folder, { recursive: true });
    await requireOwnMetadata(listed, bytes);
    for (const lie of [{ coreMetadataSha256: 'ab'.repeat(32) }, { requiresPython: '>=2' }])
      await expect(requireOwnMetadata({ ...listed, ...lie }, bytes)).rejects.toMatchObject({
        code: 'verification',
      });
  });
});
