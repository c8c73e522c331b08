/** The promises of ObjectStore, kept by every store. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { MemoryStore } from './memory-store.ts';
import type { ObjectStore } from './object-store.ts';
import { PosixStore } from './posix-store.ts';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

async function textOf(store: ObjectStore, key: string): Promise<string | undefined> {
  const bytes = await store.read(key);
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}

async function keysOf(store: ObjectStore, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix)) keys.push(key);
  return keys;
}

async function collect(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

const folders: string[] = [];

async function openPosixStore(): Promise<ObjectStore> {
  const folder = await mkdtemp(join(tmpdir(), 'rind-store-'));
  folders.push(folder);
  return PosixStore.open({ root: join(folder, 'tree'), temporaryFolder: join(folder, 'tmp') });
}

afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true });
});

describe.each([
  { name: 'MemoryStore', openStore: async (): Promise<ObjectStore> => new MemoryStore() },
  { name: 'PosixStore', openStore: openPosixStore },
])('$name keeps the promises of ObjectStore', ({ openStore }) => {
  let store: ObjectStore;

  beforeEach(async () => {
    store = await openStore();
  });

  it('keeps private objects out of every listing but that of private ones, and links them out', async () => {
    await store.create('private/staged/a', bytesOf('secret'));
    await store.create('packages/b', bytesOf('public'));
    expect(await keysOf(store, '')).toEqual(['packages/b']);
    expect(await keysOf(store, 'p')).toEqual(['packages/b']);
    expect(await keysOf(store, 'private/')).toEqual(['private/staged/a']);
    expect(await store.copy('private/staged/a', 'packages/a')).toBe('created');
    await store.remove('private/staged/a');
    expect(await textOf(store, 'packages/a')).toBe('secret');
    expect(await keysOf(store, 'private/')).toEqual([]);
  });

  it('says undefined of what is absent, also below an object and above one', async () => {
    await store.create('a/b', bytesOf('x'));
    for (const key of ['c', 'a', 'a/b/c', 'a/c']) {
      expect(await store.read(key)).toBeUndefined();
      expect(await store.stat(key)).toBeUndefined();
      expect(await store.open(key)).toBeUndefined();
    }
  });

  it('creates once and never overwrites', async () => {
    expect(await store.create('simple/a/index.json', bytesOf('one'))).toBe('created');
    expect(await store.create('simple/a/index.json', bytesOf('two'))).toBe('exists');
    expect(await textOf(store, 'simple/a/index.json')).toBe('one');
    expect(await store.stat('simple/a/index.json')).toMatchObject({ length: 3 });
  });

  it('lets exactly one of many creators win', async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, number) => store.create('contested', bytesOf(String(number)))),
    );
    expect(outcomes.filter((outcome) => outcome === 'created')).toHaveLength(1);
    expect(await textOf(store, 'contested')).toBe(String(outcomes.indexOf('created')));
  });

  it('keeps its own copy of the bytes', async () => {
    const bytes = bytesOf('abc');
    await store.create('a', bytes);
    bytes.fill(0);
    (await store.read('a'))?.fill(0);
    expect(await textOf(store, 'a')).toBe('abc');
  });

  it('keeps an empty object', async () => {
    await store.create('empty', new Uint8Array());
    expect(await store.read('empty')).toHaveLength(0);
    const object = await store.open('empty');
    expect(await collect(object!.stream())).toBe('');
    await object!.close();
  });

  it('creates many at once and says of each what happened', async () => {
    await store.create('m/1', bytesOf('old'));
    const entries = Array.from({ length: 40 }, (_, number) => ({
      key: `m/${number}`,
      bytes: bytesOf(`new ${number}`),
    }));
    const outcomes = await store.createMany(entries);
    expect(outcomes).toEqual(entries.map(({ key }) => (key === 'm/1' ? 'exists' : 'created')));
    expect(await textOf(store, 'm/1')).toBe('old');
    expect(await textOf(store, 'm/39')).toBe('new 39');
    expect(await store.createMany([])).toEqual([]);
  });

  it('creates none of many when one key is bad', async () => {
    const entries = [
      { key: 'good', bytes: bytesOf('x') },
      { key: '../bad', bytes: bytesOf('x') },
    ];
    await expect(store.createMany(entries)).rejects.toMatchObject({ code: 'INVALID_KEY' });
    expect(await store.read('good')).toBeUndefined();
  });

  it('replaces only what the caller has seen', async () => {
    const key = 'metadata/timestamp.json';
    expect(await store.replace(key, bytesOf('2'), 'unknown')).toBe(false);
    expect(await store.replace(key, bytesOf('1'), undefined)).toBe(true);
    expect(await store.replace(key, bytesOf('9'), undefined)).toBe(false);
    const first = await store.stat(key);
    expect(await store.replace(key, bytesOf('2'), first!.etag)).toBe(true);
    expect(await store.replace(key, bytesOf('3'), first!.etag)).toBe(false);
    expect(await textOf(store, key)).toBe('2');
  });

  it('lets exactly one of many swaps of the same version win', async () => {
    await store.create('t', bytesOf('start'));
    const { etag } = (await store.stat('t'))!;
    const swaps = await Promise.all(
      Array.from({ length: 20 }, (_, number) => store.replace('t', bytesOf(String(number)), etag)),
    );
    expect(swaps.filter(Boolean)).toHaveLength(1);
    expect(await textOf(store, 't')).toBe(String(swaps.indexOf(true)));
  });

  it('gives every replacement an etag that was never seen, however fast and alike they are', async () => {
    const etags = new Set<string>();
    for (let round = 0; round < 50; round += 1) {
      await store.put('t', bytesOf('same'));
      etags.add((await store.stat('t'))!.etag);
    }
    expect(etags.size).toBe(50);
  });

  it('overwrites with put, and a reader keeps the version it opened', async () => {
    await store.put('page', bytesOf('old page'));
    const opened = await store.open('page');
    await store.put('page', bytesOf('new'));
    expect(await collect(opened!.stream())).toBe('old page');
    expect(await collect(opened!.stream({ start: 4, end: 5 }))).toBe('pa');
    expect(await collect(opened!.stream())).toBe('old page');
    expect(opened!.length).toBe(8);
    await opened!.close();
    await opened!.close();
    expect(await textOf(store, 'page')).toBe('new');
  });

  it('ends the streams of an object that is closed', async () => {
    await store.put('big', new Uint8Array(1_000_000));
    const opened = await store.open('big');
    const stream = opened!.stream();
    stream.once('error', () => undefined);
    await opened!.close();
    expect(stream.destroyed).toBe(true);
  });

  it('refuses to read more than the limit', async () => {
    await store.create('a', bytesOf('12345'));
    await expect(store.read('a', { maxLength: 4 })).rejects.toMatchObject({ code: 'OBJECT_TOO_LARGE' });
    expect(await store.read('a', { maxLength: 5 })).toHaveLength(5);
  });

  it('copies under a free key, and the copies are independent', async () => {
    await store.create('from', bytesOf('bytes'));
    expect(await store.copy('from', 'deep/to')).toBe('created');
    expect(await store.copy('from', 'deep/to')).toBe('exists');
    await store.put('from', bytesOf('other'));
    await store.remove('from');
    expect(await textOf(store, 'deep/to')).toBe('bytes');
    await expect(store.copy('from', 'deep/more')).rejects.toMatchObject({ code: 'OBJECT_NOT_FOUND' });
    expect(await store.stat('deep/more')).toBeUndefined();
  });

  it('removes, again without complaint, and the key is free', async () => {
    await store.create('a/b', bytesOf('x'));
    await store.remove('a/b');
    await store.remove('a/b');
    await store.remove('never/there');
    expect(await store.read('a/b')).toBeUndefined();
    expect(await store.create('a/b', bytesOf('y'))).toBe('created');
  });

  it('lists by prefix, folder by folder, in ascending order', async () => {
    const keys = [
      'a',
      'metadata/1.root.json',
      'metadata/10.root.json',
      'metadata/2.bin.json',
      'metadata-x',
      'z/y/x',
    ];
    for (const key of keys.toReversed()) await store.create(key, bytesOf(key));
    expect(await keysOf(store, '')).toEqual([
      'a',
      'metadata/1.root.json',
      'metadata/10.root.json',
      'metadata/2.bin.json',
      'metadata-x',
      'z/y/x',
    ]);
    expect(await keysOf(store, 'metadata/')).toHaveLength(3);
    expect(await keysOf(store, 'metadata')).toHaveLength(4);
    expect(await keysOf(store, 'metadata/1')).toEqual(['metadata/1.root.json', 'metadata/10.root.json']);
    expect(await keysOf(store, 'z/y')).toEqual(['z/y/x']);
    expect(await keysOf(store, 'nothing/')).toEqual([]);
  });

  it.each([
    '',
    '/etc/passwd',
    'a//b',
    'a/',
    '..',
    '../x',
    'a/../../x',
    'a/./b',
    'a\\b',
    'a\0b',
    'a\nb',
    '\ud800',
    'x'.repeat(256),
    'x/'.repeat(600) + 'x',
  ])('refuses the key %j everywhere', async (key) => {
    const refused = { code: 'INVALID_KEY' };
    await store.create('fine', bytesOf('x'));
    await expect(store.read(key)).rejects.toMatchObject(refused);
    await expect(store.open(key)).rejects.toMatchObject(refused);
    await expect(store.stat(key)).rejects.toMatchObject(refused);
    await expect(store.create(key, bytesOf('x'))).rejects.toMatchObject(refused);
    await expect(store.put(key, bytesOf('x'))).rejects.toMatchObject(refused);
    await expect(store.replace(key, bytesOf('x'), undefined)).rejects.toMatchObject(refused);
    await expect(store.replace(key, bytesOf('x'), 'etag')).rejects.toMatchObject(refused);
    await expect(store.copy('fine', key)).rejects.toMatchObject(refused);
    await expect(store.copy(key, 'other')).rejects.toMatchObject(refused);
    await expect(store.remove(key)).rejects.toMatchObject(refused);
  });

  it('takes keys with dots, percent signs and other letters as they are', async () => {
    for (const key of ['.hidden', '...', '%2e%2e/x', 'pakete/grün.whl', '__proto__', 'constructor']) {
      expect(await store.read(key)).toBeUndefined();
      expect(await store.create(key, bytesOf(key))).toBe('created');
      expect(await textOf(store, key)).toBe(key);
    }
  });

  describe('temporary objects', () => {
    it('can be read at any position and committed once', async () => {
      const temporary = await store.temporary();
      await pipeline([bytesOf('hello '), bytesOf('wide '), bytesOf('world')], temporary.writable);
      const reader = await temporary.reader();
      expect(reader.size).toBe(16);
      expect(Buffer.from(await reader.read(6, 4)).toString()).toBe('wide');
      expect(Buffer.from(await reader.read(14, 100)).toString()).toBe('ld');
      expect(await reader.read(16, 5)).toHaveLength(0);
      await reader.close();
      expect(await temporary.commit('packages/a/a.whl')).toBe('created');
      expect(await textOf(store, 'packages/a/a.whl')).toBe('hello wide world');
      await expect(temporary.commit('packages/a/b.whl')).rejects.toThrow();
      await temporary.discard();
      expect(await textOf(store, 'packages/a/a.whl')).toBe('hello wide world');
    });

    it('changes nothing when the key is taken', async () => {
      await store.create('taken', bytesOf('first'));
      const temporary = await store.temporary();
      await pipeline([bytesOf('second')], temporary.writable);
      expect(await temporary.commit('taken')).toBe('exists');
      expect(await textOf(store, 'taken')).toBe('first');
    });

    it('never appears when discarded, nor before the commit', async () => {
      const temporary = await store.temporary();
      await pipeline([bytesOf('secret')], temporary.writable);
      expect(await keysOf(store, '')).toEqual([]);
      await temporary.discard();
      await temporary.discard();
      expect(await keysOf(store, '')).toEqual([]);
      await expect(temporary.commit('late')).rejects.toThrow();
    });

    it('is not committed half written', async () => {
      const temporary = await store.temporary();
      temporary.writable.write('half');
      await expect(temporary.commit('half')).rejects.toThrow(/not written to its end/);
      expect(await store.read('half')).toBeUndefined();
      await temporary.discard();
    });

    it('refuses a bad key and can then take a good one', async () => {
      const temporary = await store.temporary();
      await pipeline([bytesOf('x')], temporary.writable);
      await expect(temporary.commit('../x')).rejects.toMatchObject({ code: 'INVALID_KEY' });
      expect(await temporary.commit('x')).toBe('created');
    });
  });
});
