import { createHash } from 'node:crypto';
import { mkdtemp, readFile, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VerifiedFiles } from './verified-files.ts';

let folder: string;
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'rind-files-')), 'files');
});
afterEach(() => rm(join(folder, '..'), { recursive: true }));

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

describe('VerifiedFiles', () => {
  it('downloads once for all who wait, into a folder nobody else can read', async () => {
    const files = new VerifiedFiles(folder);
    let downloads = 0;
    const download = async (path: string): Promise<void> => {
      downloads += 1;
      await writeFile(path, 'wheel');
    };
    const [first, second] = await Promise.all([
      files.get(sha256('wheel'), 5, download),
      files.get(sha256('wheel'), 5, download),
    ]);
    expect(downloads).toBe(1);
    expect(first).toEqual(second);
    expect(await readFile(first.path, 'utf8')).toBe('wheel');
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
  });

  it('takes a file of an earlier process only when its hash still holds', async () => {
    const write = (path: string): Promise<void> => writeFile(path, 'wheel');
    const { path } = await new VerifiedFiles(folder).get(sha256('wheel'), 5, write);
    const refuse = (): Promise<void> => Promise.reject(new Error('should not download'));
    await expect(new VerifiedFiles(folder).get(sha256('wheel'), 5, refuse)).resolves.toMatchObject({ path });
    await writeFile(path, 'whEel');
    await new VerifiedFiles(folder).get(sha256('wheel'), 5, write);
    expect(await readFile(path, 'utf8')).toBe('wheel');
  });

  it('tries again after a failed download', async () => {
    const files = new VerifiedFiles(folder);
    await expect(files.get(sha256('wheel'), 5, () => Promise.reject(new Error('cut')))).rejects.toThrow(
      'cut',
    );
    await expect(files.get(sha256('wheel'), 5, (path) => writeFile(path, 'wheel'))).resolves.toMatchObject({
      length: 5,
    });
  });

  it('prunes what was used longest ago', async () => {
    const files = new VerifiedFiles(folder, 8);
    for (const [index, text] of ['aaaa', 'bbbb', 'cccc'].entries()) {
      const { path } = await files.get(sha256(text), 4, (destination) => writeFile(destination, text));
      await utimes(path, index, index);
    }
    await files.prune();
    expect((await readdir(folder)).toSorted()).toEqual([sha256('bbbb'), sha256('cccc')].toSorted());
  });
});
