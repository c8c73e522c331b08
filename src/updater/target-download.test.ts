import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TargetFile } from '../tuf/file.ts';
import { isCopyOf, saveVerified } from './target-download.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rind-target-'));
});
afterEach(() => rm(folder, { recursive: true }));

function targetOf(bytes: Uint8Array): TargetFile {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return new TargetFile({ path: 'a', length: bytes.length, hashes: new Map([['sha256', sha256]]) });
}

async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += 30_000) yield bytes.subarray(start, start + 30_000);
}

describe.each([
  { size: 'a small target', length: 5, isDurable: false },
  { size: 'a small target that has to be durable', length: 5, isDurable: true },
  { size: 'a large target', length: 200_000, isDurable: false },
])('$size', ({ length, isDurable }) => {
  const bytes = Buffer.alloc(length, 'content');

  it('is saved whole, for its owner alone, over what was there', async () => {
    const path = join(folder, 'file');
    await writeFile(path, 'older');
    await saveVerified(targetOf(bytes), pieces(bytes), path, isDurable);
    expect((await readFile(path)).equals(bytes)).toBe(true);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(folder)).toEqual(['file']);
  });

  it('that is another one leaves nothing', async () => {
    const other = Buffer.alloc(length, 'forgery');
    await expect(
      saveVerified(targetOf(bytes), pieces(other), join(folder, 'file'), isDurable),
    ).rejects.toMatchObject({ code: 'LENGTH_OR_HASH_MISMATCH' });
    expect(await readdir(folder)).toEqual([]);
  });

  it('that the disk refuses leaves nothing but the reason', async () => {
    const path = join(folder, 'file');
    await mkdir(path);
    await writeFile(join(path, 'in the way'), '');
    await expect(saveVerified(targetOf(bytes), pieces(bytes), path, isDurable)).rejects.toMatchObject({
      name: 'LocalFileError',
    });
    await expect(
      saveVerified(targetOf(bytes), pieces(bytes), join(folder, 'nowhere', 'file'), isDurable),
    ).rejects.toMatchObject({ name: 'LocalFileError' });
    expect(await readdir(folder)).toEqual(['file']);
  });
});

describe('a copy', () => {
  const bytes = Buffer.from('content');

  it('is a file of its own, not a link to one', async () => {
    await writeFile(join(folder, 'file'), bytes);
    await symlink(join(folder, 'file'), join(folder, 'link'));
    expect(await isCopyOf(targetOf(bytes), join(folder, 'file'))).toBe(true);
    expect(await isCopyOf(targetOf(bytes), join(folder, 'link'))).toBe(false);
    expect(await isCopyOf(targetOf(bytes), join(folder, 'nothing'))).toBe(false);
    expect(await isCopyOf(targetOf(Buffer.from('CONTENT')), join(folder, 'file'))).toBe(false);
  });
});
