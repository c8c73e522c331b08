import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RepositorySimulator } from '../testing/repository-simulator.ts';
import { cacheFolder, stateFolder, TrustStore, type TrustedIndex } from './trust-store.ts';
import { readSelfSignedRoot, type SelfSignedRoot } from './trusted-root.ts';

const URL_A = 'https://a.example/';
const URL_B = 'https://b.example/';

let folder: string;
let store: TrustStore;
let root: SelfSignedRoot;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rind-trust-'));
  store = new TrustStore(join(folder, 'state'), join(folder, 'cache'));
  root = await readSelfSignedRoot(new RepositorySimulator().initialRoot);
});
afterEach(() => rm(folder, { recursive: true }));

function add(
  url: string,
  check: (draft: TrustedIndex) => Promise<void> = async () => undefined,
): Promise<TrustedIndex> {
  return store.add({ url, origin: 'fingerprint', root }, check);
}

describe('TrustStore', () => {
  it('finds again what was trusted', async () => {
    const added = await add(URL_A);
    expect(await new TrustStore(join(folder, 'state'), join(folder, 'cache')).list()).toEqual([added]);
    expect(added).toMatchObject({
      url: URL_A,
      rootVersion: 1,
      fingerprint: root.fingerprint,
      origin: 'fingerprint',
    });
    expect(await readFile(added.rootPath)).toEqual(Buffer.from(root.bytes));
    expect(await store.get(URL_B)).toBeUndefined();
  });

  it('keeps the mirrors of an index until others are named, and reads what was written before there were any', async () => {
    const mirrors = ['https://m.example/', 'https://n.example/'];
    const decision = { url: URL_A, origin: 'fingerprint', root, mirrors } as const;
    const added = await store.add(decision, async () => undefined);
    expect(added.mirrors).toEqual(mirrors);
    expect(await store.setMirrors(URL_A, ['https://o.example/'])).toEqual({
      ...added,
      mirrors: ['https://o.example/'],
    });
    expect(await store.get(URL_A)).toMatchObject({ mirrors: ['https://o.example/'] });
    await expect(store.setMirrors(URL_B, [])).rejects.toMatchObject({ code: 'not-trusted' });
    const record = join(added.metadataFolder, '..', 'index.json');
    const { mirrors: _, ...older } = JSON.parse(await readFile(record, 'utf8')) as { mirrors: unknown };
    await writeFile(record, JSON.stringify(older));
    expect(await store.get(URL_A)).toMatchObject({ mirrors: [] });
    await writeFile(record, JSON.stringify({ ...older, mirrors: ['no URL'] }));
    await expect(store.get(URL_A)).rejects.toMatchObject({ code: 'damaged' });
  });

  it('lets nobody else read or write what it keeps', async () => {
    const { rootPath, metadataFolder } = await add(URL_A);
    for (const path of [join(folder, 'state', 'trust'), join(metadataFolder, '..'), metadataFolder]) {
      expect((await stat(path)).mode & 0o777).toBe(0o700);
    }
    expect((await stat(rootPath)).mode & 0o777).toBe(0o600);
  });

  it('keeps nothing of an index that failed the check', async () => {
    await expect(add(URL_A, () => Promise.reject(new Error('rolled back')))).rejects.toThrow('rolled back');
    expect(await readdir(join(folder, 'state', 'trust'))).toEqual([]);
    expect(await store.list()).toEqual([]);
  });

  it('keeps what the check wrote into the metadata folder', async () => {
    const { metadataFolder } = await add(URL_A, (draft) =>
      writeFile(join(draft.metadataFolder, 'timestamp.json'), '{}'),
    );
    expect(await readFile(join(metadataFolder, 'timestamp.json'), 'utf8')).toBe('{}');
  });

  it('does not replace a trusted root by adding another', async () => {
    await add(URL_A);
    await expect(add(URL_A)).rejects.toMatchObject({ code: 'already-trusted' });
    const meanwhile = add(URL_B, async () => {
      await add(URL_B);
    });
    await expect(meanwhile).rejects.toMatchObject({ code: 'already-trusted' });
    expect((await store.list()).map(({ url }) => url)).toEqual([URL_A, URL_B]);
  });

  it('chooses the only index, and asks which when there are several', async () => {
    await expect(store.choose(undefined)).rejects.toMatchObject({ code: 'nothing-trusted' });
    await add(URL_A);
    expect((await store.choose(undefined)).url).toBe(URL_A);
    await add(URL_B);
    await expect(store.choose(undefined)).rejects.toMatchObject({ code: 'several-trusted' });
    expect((await store.choose(URL_B)).url).toBe(URL_B);
    await expect(store.choose('https://c.example/')).rejects.toMatchObject({ code: 'not-trusted' });
  });

  it('forgets an index with all its caches', async () => {
    const { cacheFolder: cache } = await add(URL_A);
    await store.remove(URL_A);
    expect(await store.list()).toEqual([]);
    expect(await readdir(join(folder, 'state', 'trust'))).toEqual([]);
    await expect(stat(cache)).rejects.toThrow('ENOENT');
    await expect(store.remove(URL_A)).rejects.toMatchObject({ code: 'not-trusted' });
    await add(URL_A);
  });

  it('refuses a folder that others may write to', async () => {
    const { metadataFolder } = await add(URL_A);
    await chmod(join(metadataFolder, '..'), 0o777);
    await expect(store.get(URL_A)).rejects.toMatchObject({ code: 'insecure' });
  });

  it('says so when its record or root is damaged, or belongs to another URL', async () => {
    const { rootPath } = await add(URL_A);
    const record = join(rootPath, '..', 'index.json');
    const text = await readFile(record, 'utf8');
    for (const damaged of [
      '',
      '{',
      'null',
      text.replace('"format": 1', '"format": 2'),
      text.replace(URL_A, URL_B),
      text.replace(root.fingerprint, 'x'),
    ]) {
      await writeFile(record, damaged);
      await expect(store.get(URL_A)).rejects.toMatchObject({ code: 'damaged' });
    }
    await writeFile(record, text);
    await rm(rootPath);
    await expect(store.choose(undefined)).rejects.toMatchObject({ code: 'damaged' });
  });
});

describe('the folders of a user', () => {
  it('are where XDG says, unless rind is told', () => {
    expect(stateFolder({}, '/home/me')).toBe('/home/me/.local/state/rind');
    expect(stateFolder({ XDG_STATE_HOME: '/s' }, '/home/me')).toBe('/s/rind');
    expect(stateFolder({ XDG_STATE_HOME: '/s', RIND_STATE_DIR: '/r' }, '/home/me')).toBe('/r');
    expect(cacheFolder({}, '/home/me')).toBe('/home/me/.cache/rind');
    expect(cacheFolder({ XDG_CACHE_HOME: '/c' }, '/home/me')).toBe('/c/rind');
    expect(cacheFolder({ RIND_STATE_DIR: '/r' }, '/home/me')).toBe('/r/cache');
    expect(cacheFolder({ RIND_STATE_DIR: '/r', RIND_CACHE_DIR: '/k' }, '/home/me')).toBe('/k');
  });
});
