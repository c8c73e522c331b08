import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FaultInjector } from './fault-injector.ts';
import type { ObjectStore } from './object-store.ts';
import { PosixStore } from './posix-store.ts';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

let folder: string;
let root: string;
let temporaryFolder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rind-store-'));
  root = join(folder, 'tree');
  temporaryFolder = join(folder, 'tmp');
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

/** One of everything that writes. */
async function writeEverything(store: ObjectStore): Promise<void> {
  await store.create('a/one', bytesOf('one'));
  await store.createMany([
    { key: 'b/two', bytes: bytesOf('two') },
    { key: 'b/three', bytes: bytesOf('three') },
  ]);
  await store.put('page', bytesOf('old'));
  await store.put('page', bytesOf('new'));
  await store.replace('page', bytesOf('newest'), (await store.stat('page'))?.etag);
  await store.copy('a/one', 'c/one');
  const temporary = await store.temporary();
  try {
    await pipeline([bytesOf('four')], temporary.writable);
    await temporary.commit('d/four');
  } finally {
    await temporary.discard();
  }
  await store.remove('b/three');
}

const WHOLE: Readonly<Record<string, readonly string[]>> = {
  'a/one': ['one'],
  'b/two': ['two'],
  'b/three': ['three'],
  page: ['old', 'new', 'newest'],
  'c/one': ['one'],
  'd/four': ['four'],
};

describe('PosixStore', () => {
  it('serves files and folders to all and keeps the temporary folder to itself', async () => {
    const store = await PosixStore.open({ root, temporaryFolder });
    await store.create('simple/a/index.html', bytesOf('x'));
    expect((await stat(join(root, 'simple/a/index.html'))).mode & 0o777).toBe(0o644);
    expect((await stat(join(root, 'simple/a'))).mode & 0o777).toBe(0o755);
    expect((await stat(temporaryFolder)).mode & 0o777).toBe(0o700);
    expect(await readFile(join(root, 'simple/a/index.html'), 'utf8')).toBe('x');
  });

  it('keeps private objects beside what the web serves, in a folder for itself', async () => {
    const store = await PosixStore.open({ root, temporaryFolder });
    await store.create('private/staged/a', bytesOf('x'));
    expect(await readdir(root)).toEqual([]);
    expect((await stat(join(folder, 'private'))).mode & 0o777).toBe(0o700);
    expect(await readFile(join(folder, 'private/staged/a'), 'utf8')).toBe('x');
  });

  it('leaves no temporary file behind', async () => {
    const store = await PosixStore.open({ root, temporaryFolder });
    await writeEverything(store);
    await store.create('a/one', bytesOf('again'));
    await store.replace('page', bytesOf('x'), 'wrong');
    expect(await readdir(temporaryFolder)).toEqual([]);
  });

  it('writes into a folder that somebody took away meanwhile', async () => {
    const store = await PosixStore.open({ root, temporaryFolder });
    await store.create('packages/a/1', bytesOf('x'));
    await rm(join(root, 'packages'), { recursive: true });
    expect(await store.create('packages/a/2', bytesOf('x'))).toBe('created');
    await store.put('packages/a/3', bytesOf('x'));
    expect(await store.read('packages/a/2')).toHaveLength(1);
  });

  it('takes folders and sockets for absent, and lists only files', async () => {
    const store = await PosixStore.open({ root, temporaryFolder });
    await mkdir(join(root, 'folder'));
    await symlink('/etc', join(root, 'link'));
    expect(await store.read('folder')).toBeUndefined();
    const keys: string[] = [];
    for await (const { key } of store.list('')) keys.push(key);
    expect(keys).toEqual([]);
  });

  it('removes the temporary files of processes that died, and no younger ones', async () => {
    const store = await PosixStore.open({ root, temporaryFolder });
    await writeFile(join(temporaryFolder, '1-dead'), 'x');
    const start = new Date(Date.now() + 5);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const temporary = await store.temporary();
    expect(await store.removeStaleTemporaries(start)).toBe(1);
    expect(await readdir(temporaryFolder)).toHaveLength(1);
    await temporary.discard();
  });

  it('refuses folders where it cannot write', async () => {
    await writeFile(join(folder, 'file'), '');
    const open = PosixStore.open({ root: join(folder, 'file'), temporaryFolder });
    await expect(open).rejects.toMatchObject({ code: 'INPUT_OUTPUT' });
  });

  it('refuses a root without the right to write', async () => {
    await mkdir(root);
    await chmod(root, 0o555);
    // The superuser may write everywhere, so that it has to be somebody else for a moment.
    const isSuperuser = process.getuid?.() === 0;
    if (isSuperuser) {
      await chmod(folder, 0o777);
      process.seteuid?.(65_534);
    }
    try {
      await expect(PosixStore.open({ root, temporaryFolder })).rejects.toMatchObject({
        code: 'UNSUITABLE_FILE_SYSTEM',
      });
    } finally {
      if (isSuperuser) process.seteuid?.(0);
    }
  });

  it.each(['EIO', 'ENOSPC', 'EMFILE'] as const)(
    'survives %s at every single operation: each object whole or absent, no temporary file, the next try works',
    async (kind) => {
      let operation = 0;
      for (let clean = false; !clean;) {
        operation += 1;
        const place = { root: join(folder, `tree-${operation}`), temporaryFolder };
        const faults = new FaultInjector(operation, kind);
        const faulty = await PosixStore.open({ ...place, faults });
        const failure: unknown = await writeEverything(faulty).catch((error: unknown) => error);
        clean = failure === undefined;
        if (!clean) {
          expect(failure).toMatchObject({ name: 'StorageError' });
          expect(failure).toMatchObject({ code: kind === 'ENOSPC' ? 'NO_SPACE' : 'INPUT_OUTPUT' });
        }
        // What may have been seen stays announced; the next swap takes it away.
        const left = await readdir(temporaryFolder);
        expect(left.filter((name) => !name.startsWith('next-'))).toEqual([]);
        const store = await PosixStore.open(place);
        for await (const { key } of store.list('')) {
          expect(WHOLE[key]).toContain(Buffer.from((await store.read(key)) ?? []).toString());
        }
        await writeEverything(store);
        expect(Buffer.from((await store.read('page')) ?? []).toString()).toBe('newest');
        expect(Buffer.from((await store.read('d/four')) ?? []).toString()).toBe('four');
        expect(await readdir(temporaryFolder)).toEqual([]);
      }
      expect(operation).toBeGreaterThan(30);
    },
  );

  it('finishes a swap that readers saw before a power cut took it back, and no other one', async () => {
    const before = await PosixStore.open({ root, temporaryFolder });
    await before.create('page', bytesOf('old'));
    const outcomes = new Set<string>();
    for (let operation = 1; operation < 20; operation++) {
      const faulty = await PosixStore.open({
        root,
        temporaryFolder,
        faults: new FaultInjector(operation, 'EIO'),
      });
      const etag = (await before.stat('page'))?.etag;
      await faulty.replace('page', bytesOf('new'), etag).catch(() => undefined);
      const seen = Buffer.from((await before.read('page')) ?? []).toString();
      const isAnnounced = (await readdir(temporaryFolder)).length > 0;
      // The rename was not durable.
      await rm(join(root, 'page'));
      await writeFile(join(root, 'page'), 'old');
      const restarted = await PosixStore.open({ root, temporaryFolder });
      // The machine was off for days.
      await restarted.removeStaleTemporaries(new Date(Date.now() + 86_400_000));
      await restarted.settle('page');
      const settled = Buffer.from((await restarted.read('page')) ?? []).toString();
      if (isAnnounced) expect(settled).toBe('new');
      outcomes.add(`${seen} ${isAnnounced ? 'announced' : ''}`);
      expect(await readdir(temporaryFolder)).toEqual([]);
      await restarted.put('page', bytesOf('old'));
    }
    expect([...outcomes].toSorted()).toEqual(['new ', 'new announced', 'old ', 'old announced']);
  });

  it('begins what comes just before a replacement only when its bytes are stored away', async () => {
    const before = await PosixStore.open({ root, temporaryFolder });
    await before.create('timestamp', bytesOf('old'));
    const etag = (await before.stat('timestamp'))?.etag;
    const outcomes = new Set<string>();
    for (const kind of ['EIO', 'ENOSPC'] as const)
      for (let operation = 1; operation < 6; operation++) {
        const faulty = await PosixStore.open({
          root,
          temporaryFolder,
          faults: new FaultInjector(operation, kind),
        });
        let begun = false;
        let awayThen = 0;
        const staged = async (): Promise<void> => {
          begun = true;
          awayThen = (await readdir(temporaryFolder)).length;
          throw new Error('the root cannot be written');
        };
        await expect(faulty.replace('timestamp', bytesOf('new'), etag, { staged })).rejects.toThrow();
        if (begun) expect(awayThen).toBe(1);
        outcomes.add(`${operation} ${begun}`);
        expect(await readdir(temporaryFolder)).toEqual([]);
        expect(Buffer.from((await before.read('timestamp')) ?? []).toString()).toBe('old');
      }
    expect([...outcomes]).toContain('1 false');
    expect([...outcomes]).toContain('5 true');
  });

  it('writes nothing more after a sync that failed', async () => {
    const store = await PosixStore.open({ root, temporaryFolder });
    const temporary = await store.temporary();
    await pipeline([bytesOf('x')], temporary.writable);
    // The only way to make a real sync fail from here: its file is closed.
    await (await temporary.reader()).close();
    const { FileHandlePrototype, original } = await fileHandleSync();
    FileHandlePrototype.sync = async () => {
      throw Object.assign(new Error('EIO: i/o error, fsync'), { code: 'EIO' });
    };
    try {
      await expect(temporary.commit('a')).rejects.toMatchObject({ code: 'SYNC_FAILED' });
    } finally {
      FileHandlePrototype.sync = original;
    }
    await expect(store.create('b', bytesOf('x'))).rejects.toMatchObject({ code: 'SYNC_FAILED' });
    await expect(store.put('c', bytesOf('x'))).rejects.toMatchObject({ code: 'SYNC_FAILED' });
    await expect(store.remove('c')).rejects.toMatchObject({ code: 'SYNC_FAILED' });
    await expect(store.temporary()).rejects.toMatchObject({ code: 'SYNC_FAILED' });
    expect(await store.read('a')).toBeUndefined();
    expect(await readdir(temporaryFolder)).toEqual([]);
  });
});

async function fileHandleSync(): Promise<{
  FileHandlePrototype: { sync: () => Promise<void> };
  original: () => Promise<void>;
}> {
  const { open } = await import('node:fs/promises');
  const handle = await open(folder, 'r');
  const FileHandlePrototype = Object.getPrototypeOf(handle) as { sync: () => Promise<void> };
  await handle.close();
  const { sync: original } = FileHandlePrototype;
  return { FileHandlePrototype, original };
}

describe('many objects at once', () => {
  const entries = Array.from({ length: 600 }, (_, index) => ({
    key: `many/${index % 3}/${index}`,
    bytes: bytesOf(`object ${index}`),
  }));

  it('are all there, none over another, and nothing temporary is left', async () => {
    const store = await PosixStore.open({ root, temporaryFolder });
    await store.create('many/0/3', bytesOf('first'));
    const outcomes = await store.createMany(entries);
    expect(outcomes.filter((outcome) => outcome === 'exists')).toHaveLength(1);
    expect(outcomes[3]).toBe('exists');
    for (const [index, { key }] of entries.entries())
      expect(await readFile(join(root, key), 'utf8')).toBe(index === 3 ? 'first' : `object ${index}`);
    expect((await stat(join(root, 'many/1/1'))).nlink).toBe(1);
    expect(await readdir(temporaryFolder)).toEqual([]);
  });

  it.each([1, 300, 601, 602, 605, 900])(
    'are whole or absent when operation %i fails, and nothing temporary is left',
    async (k) => {
      const faults = new FaultInjector(k, 'ENOSPC');
      const store = await PosixStore.open({ root, temporaryFolder, faults });
      await expect(store.createMany(entries)).rejects.toMatchObject({ name: 'StorageError' });
      const files = await readdir(root, { recursive: true, withFileTypes: true });
      for (const file of files.filter((entry) => entry.isFile()))
        expect(await readFile(join(file.parentPath, file.name), 'utf8')).toBe(`object ${file.name}`);
      expect(await readdir(temporaryFolder)).toEqual([]);
    },
  );
});
