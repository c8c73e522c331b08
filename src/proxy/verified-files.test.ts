import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VerifiedFiles } from './verified-files.ts';

let parent: string;
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'rind-files-'));
});
afterEach(() => rm(parent, { recursive: true }));

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

describe('VerifiedFiles', () => {
  it('downloads once for all who wait, into a folder nobody else can read', async () => {
    const files = await VerifiedFiles.create(parent);
    let downloads = 0;
    const download = async (path: string): Promise<void> => {
      downloads += 1;
      await writeFile(path, 'wheel');
    };
    const [first, second] = await Promise.all([
      files.get(sha256('wheel'), 5, download),
      files.get(sha256('wheel'), 5, download),
    ]);
    await files.get(sha256('wheel'), 5, download);
    expect(downloads).toBe(1);
    expect(first).toEqual(second);
    expect(await readFile(first.path, 'utf8')).toBe('wheel');
    expect((await stat(dirname(first.path))).mode & 0o777).toBe(0o700);
    await files.close();
    expect(await readdir(parent)).toEqual(['store']);
  });

  it('tries again after a failed download', async () => {
    const files = await VerifiedFiles.create(parent);
    await expect(files.get(sha256('wheel'), 5, () => Promise.reject(new Error('cut')))).rejects.toThrow(
      'cut',
    );
    await expect(files.get(sha256('wheel'), 5, (path) => writeFile(path, 'wheel'))).resolves.toMatchObject({
      length: 5,
    });
  });

  it('removes what was used longest ago when there is too much', async () => {
    const files = await VerifiedFiles.create(parent, { maxTotalLength: 8, maxCacheLength: 8 });
    const get = (text: string): Promise<{ path: string }> =>
      files.get(sha256(text), 4, (path) => writeFile(path, text));
    const a = await get('aaaa');
    const b = await get('bbbb');
    await get('aaaa');
    const c = await get('cccc');
    await expect(access(b.path)).rejects.toThrow('ENOENT');
    await Promise.all([access(a.path), access(c.path)]);
    await expect(readFile((await get('bbbb')).path, 'utf8')).resolves.toBe('bbbb');
  });

  it('clears away what a killed process left, and nothing of a living one', async () => {
    const { pid } = spawnSync('true');
    await mkdir(join(parent, `process-${pid}-abcdef`));
    await mkdir(join(parent, `process-${process.pid}-abcdef`));
    await VerifiedFiles.create(parent);
    const names = await readdir(parent);
    expect(names).toHaveLength(3);
    expect(names).not.toContain(`process-${pid}-abcdef`);
  });
});
