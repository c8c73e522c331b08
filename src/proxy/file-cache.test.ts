import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FileCache } from './file-cache.ts';
import { VerifiedFiles } from './verified-files.ts';

let parent: string;
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'rind-cache-'));
});
afterEach(() => rm(parent, { recursive: true }));

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function kept(text: string): string {
  return join(parent, 'store', sha256(text).slice(0, 1), sha256(text));
}

async function get(files: VerifiedFiles, text: string, downloads: string[] = []): Promise<string> {
  const file = await files.get(sha256(text), text.length, async (path) => {
    downloads.push(text);
    await writeFile(path, text, { mode: 0o600 });
  });
  return readFile(file.path, 'utf8');
}

describe('the cache of verified files', () => {
  it('is shared by two installs at once and by later ones, and read by nobody else', async () => {
    const downloads: string[] = [];
    const [first, second] = await Promise.all([VerifiedFiles.create(parent), VerifiedFiles.create(parent)]);
    expect(await get(first, 'wheel', downloads)).toBe('wheel');
    expect(await get(second, 'wheel', downloads)).toBe('wheel');
    await Promise.all([first.close(), second.close()]);
    const later = await VerifiedFiles.create(parent);
    expect(await get(later, 'wheel', downloads)).toBe('wheel');
    expect(downloads).toEqual(['wheel']);
    expect((await stat(kept('wheel'))).mode & 0o777).toBe(0o600);
    for (const folder of [dirname(kept('wheel')), join(parent, 'store')])
      expect((await stat(folder)).mode & 0o777, folder).toBe(0o700);
  });

  it('gives nothing whose bytes were exchanged on the disk, between two installs or within one', async () => {
    const downloads: string[] = [];
    const first = await VerifiedFiles.create(parent);
    await get(first, 'wheel', downloads);
    await writeFile(kept('wheel'), 'evil!');
    expect(await get(first, 'wheel', downloads)).toBe('wheel');
    await writeFile(kept('wheel'), 'evil!');
    const second = await VerifiedFiles.create(parent);
    expect(await get(second, 'wheel', downloads)).toBe('wheel');
    expect(downloads).toEqual(['wheel', 'wheel', 'wheel']);
    expect(await readFile(kept('wheel'), 'utf8')).toBe('wheel');
  });

  it('follows no link that somebody put in the place of a file', async () => {
    const cache = await FileCache.open(join(parent, 'store'));
    await mkdir(dirname(kept('secret')));
    await writeFile(join(parent, 'secret'), 'secret');
    await symlink(join(parent, 'secret'), kept('secret'));
    expect(await cache.read(sha256('secret'), 100)).toBeUndefined();
    expect(await cache.take(sha256('secret'), 6, join(parent, 'taken'))).toBe(false);
  });

  it('gives pages only with their own hash, and only as long as is allowed', async () => {
    const cache = await FileCache.open(join(parent, 'store'));
    cache.write(sha256('page'), Buffer.from('page'));
    await cache.settled();
    expect(Buffer.from((await cache.read(sha256('page'), 4)) ?? []).toString()).toBe('page');
    expect(await cache.read(sha256('page'), 3)).toBeUndefined();
    await writeFile(kept('page'), 'gape');
    expect(await cache.read(sha256('page'), 4)).toBeUndefined();
    expect(await cache.read(sha256('page'), 4)).toBeUndefined();
  });

  it('stays within its size: what was used longest ago goes, and whoever reads it keeps it', async () => {
    const cache = await FileCache.open(join(parent, 'store'), 100);
    for (const [age, text] of ['a', 'b', 'c', 'd'].map(
      (letter, index) => [40 - index, letter.repeat(30)] as const,
    )) {
      cache.write(sha256(text), Buffer.from(text));
      await cache.settled();
      const usedAt = new Date(Date.now() - age * 1000);
      await utimes(kept(text), usedAt, usedAt).catch(() => undefined);
      if (text.startsWith('a'))
        expect(await cache.take(sha256(text), 30, join(parent, 'reading'))).toBe(true);
      if (text.startsWith('c')) expect(await cache.read(sha256('a'.repeat(30)), 30)).toBeDefined();
    }
    await cache.evict();
    const names = (await readdir(join(parent, 'store'), { recursive: true })).filter(
      (name) => name.length > 64,
    );
    expect(names.length).toBe(3);
    expect(await cache.read(sha256('b'.repeat(30)), 30)).toBeUndefined();
    expect(await readFile(join(parent, 'reading'), 'utf8')).toBe('a'.repeat(30));
  });
});
