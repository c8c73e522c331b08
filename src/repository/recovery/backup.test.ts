import { cp, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IndexFixture, newSigner, signOffline } from '../../../test/support/index-fixture.ts';
import { StoreClient } from '../../../test/support/store-client.ts';
import { closeImport, insertImport } from '../../db/imports.ts';
import { openDatabase, type Database } from '../../db/open.ts';
import { PosixStore } from '../../storage/posix-store.ts';
import { fsck } from '../fsck.ts';
import { Publisher } from '../publisher.ts';
import { backUpToFile } from './backup-file.ts';
import { backUp } from './backup.ts';
import { folderSource } from './published-source.ts';
import { raiseVersions, RAISED_BY } from './raise-versions.ts';
import { rebuildIndex } from './rebuild.ts';
import { restore } from './restore.ts';
import { releaseHold } from '../../db/publication-holds.ts';

let fixture: IndexFixture;
let scratch: string;
let out: string;
let opened: Database | undefined;
beforeEach(async () => {
  fixture = await IndexFixture.open({ onDisk: true });
  fixture.bins = 8;
  await fixture.createRepository();
  await publish(['flask', '1.0'], ['django', '1.0']);
  scratch = await mkdtemp(join(tmpdir(), 'rind-backup-'));
  out = join(scratch, 'backup');
});
afterEach(async () => {
  await opened?.close();
  opened = undefined;
  await fixture.close();
  await rm(scratch, { recursive: true, force: true });
});

async function publish(...uploads: readonly (readonly [string, string])[]): Promise<void> {
  const publisher = await fixture.startedPublisher();
  for (const [project, version] of uploads) await fixture.upload(project, version);
  await publisher.publishOnce();
  await publisher.close();
}

const options = () => ({
  database: join(fixture.folder, 'rind.db'),
  tree: join(fixture.folder, 'tree'),
  others: new Map<string, string>(),
  out,
  now: fixture.now,
});

/** The restored index, open. */
async function open(data: string) {
  opened = await openDatabase({ path: join(data, 'rind.db') });
  const store = await PosixStore.open({ root: join(data, 'tree'), temporaryFolder: join(data, 'temporary') });
  const { index, clock } = fixture;
  const context = { db: opened.db, store, index, clock };
  return { ...context, publisher: new Publisher({ ...context, signers: [fixture.online] }) };
}

describe('backUp and restore', () => {
  it('brings back the whole index, down to the byte', async () => {
    const { copied } = await backUp(options());
    expect(copied).toBeGreaterThan(10);
    const data = join(scratch, 'data');
    expect(await restore(out, data)).toMatchObject({ created: fixture.now, targets: 6 });
    const restored = await open(data);
    expect((await fsck(restored)).findings).toEqual([]);
    for await (const { key } of fixture.store.list(''))
      expect(await restored.store.read(key), key).toEqual(await fixture.store.read(key));
    expect((await stat(join(data, 'rind.db'))).mode & 0o077).toBe(0);
  });

  it('brings back the same from one file, over an older one of that name', async () => {
    const file = join(scratch, 'backup.tar');
    await writeFile(file, 'an older backup');
    const long = join(scratch, 'long');
    await writeFile(long, 'a file with a long name');
    // Longer than the 100 bytes that a plain tar has for names.
    const others = new Map([[`ceremony/${'long-'.repeat(40)}`, long]]);
    const { files, bytes } = await backUpToFile({ ...options(), others, out: file });
    expect((await stat(file)).mode & 0o077).toBe(0);
    expect((await stat(file)).size).toBeGreaterThan(bytes);
    expect((await readdir(scratch)).toSorted()).toEqual(['backup.tar', 'long']);
    const data = join(scratch, 'data');
    expect(await restore(file, data)).toMatchObject({ created: fixture.now, targets: 6, files });
    expect(await readFile(join(data, 'ceremony', 'long-'.repeat(40)), 'utf8')).toBe(
      'a file with a long name',
    );
    const restored = await open(data);
    expect((await fsck(restored)).findings).toEqual([]);
    for await (const { key } of fixture.store.list(''))
      expect(await restored.store.read(key), key).toEqual(await fixture.store.read(key));
    expect(
      (await readdir(data)).filter((name) => name.includes('backup') || name.includes('manifest')),
    ).toEqual([]);
    await expect(restored.publisher.start()).rejects.toMatchObject({ code: 'ON_HOLD' });
  });

  it('refuses one file that is truncated at any place, damaged, or has something behind it, and leaves nothing', async () => {
    const file = join(scratch, 'backup.tar');
    await backUpToFile({ ...options(), out: file });
    const whole = await readFile(file);
    const data = join(scratch, 'data');
    const flipped = (at: number) => {
      const bytes = Buffer.from(whole);
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      return bytes;
    };
    const places = Array.from({ length: 16 }, (_, step) => Math.floor((whole.length * step) / 16));
    const wrong = [
      ...[...places, whole.length - 512, whole.length - 1].map((end) => whole.subarray(0, end)),
      ...places.map((at) => flipped(at + 40)).filter((bytes) => !bytes.equals(whole)),
      Buffer.concat([whole, Buffer.alloc(512)]),
    ];
    for (const bytes of wrong) {
      await writeFile(file, bytes);
      await expect(restore(file, data)).rejects.toMatchObject({ code: 'DAMAGED_BACKUP' });
      expect((await readdir(scratch)).toSorted()).toEqual(['backup.tar']);
    }
  });

  it('copies only what is new the second time', async () => {
    const first = await backUp(options());
    fixture.advance(1);
    await publish(['click', '1.0']);
    const second = await backUp(options());
    expect(second.files).toBeGreaterThan(first.files);
    expect(second.copied).toBeLessThan(first.copied);
    expect((await readdir(out)).filter((name) => /^(rind|manifest)-/.test(name))).toHaveLength(2);
    await restore(out, join(scratch, 'data'));
    expect((await fsck(await open(join(scratch, 'data')))).findings).toEqual([]);
  });

  it('is good while the index is in use: the publisher in the middle of its work', async () => {
    const publisher = await fixture.startedPublisher();
    for (let number = 0; number < 5; number++) await fixture.upload('busy', `${number}.0`);
    const [, { files }] = await Promise.all([publisher.publishOnce(), backUp(options())]);
    await publisher.close();
    expect(files).toBeGreaterThan(0);
    await restore(out, join(scratch, 'data'));
    const { findings } = await fsck(await open(join(scratch, 'data')));
    expect(findings.filter(({ severity }) => severity === 'error')).toEqual([]);
  });

  it('refuses a truncated or damaged backup with a sentence, and leaves nothing behind', async () => {
    await backUp(options());
    const names = (await readdir(out, { recursive: true, withFileTypes: true })).filter((entry) =>
      entry.isFile(),
    );
    for (const [number, { parentPath, name }] of names.entries()) {
      const copy = join(scratch, `copy-${number}`);
      await cp(out, copy, { recursive: true });
      const file = join(parentPath, name).replace(out, copy);
      const { size } = await stat(file);
      if (number % 3 === 0) await truncate(file, Math.floor(size / 2));
      else if (number % 3 === 1) await rm(file);
      else {
        const bytes = await readFile(file);
        bytes[Math.floor(size / 2)] = (bytes[Math.floor(size / 2)] ?? 0) ^ 1;
        await writeFile(file, bytes);
      }
      const data = join(scratch, 'data');
      await expect(restore(copy, data), name).rejects.toMatchObject({ code: 'DAMAGED_BACKUP' });
      await expect(stat(data)).rejects.toThrow('ENOENT');
      await expect(stat(`${data}.restoring`)).rejects.toThrow('ENOENT');
      await rm(copy, { recursive: true });
    }
  });

  it('never overwrites a data folder', async () => {
    await backUp(options());
    await expect(restore(out, fixture.folder)).rejects.toMatchObject({ code: 'FOLDER_EXISTS' });
  });
});

describe('a restored backup that is older than what was published', () => {
  let data: string;
  let client: StoreClient;
  let folder: string;
  beforeEach(async () => {
    await backUp(options());
    fixture.advance(1);
    await publish(['flask', '2.0'], ['click', '1.0']);
    client = await StoreClient.pin(fixture);
    folder = fixture.folder;
    expect(await client.read('packages/flask/flask-2.0.tar.gz')).toBe('flask 2.0');
    data = join(scratch, 'data');
    await restore(out, data);
  });

  /** The same client, the restored store. */
  const read = async (store: PosixStore, path: string) => {
    const moved = Object.assign(Object.create(fixture) as IndexFixture, { folder });
    Object.defineProperty(moved, 'store', { value: store });
    return (await StoreClient.again(moved)).read(path);
  };

  it('publishes nothing before somebody says what was published', async () => {
    const { publisher } = await open(data);
    await expect(publisher.start()).rejects.toMatchObject({ code: 'ON_HOLD' });
    await expect(publisher.start()).rejects.toThrow(/backup of 2026-03-01.*rind recover --published/);
  });

  it('goes on above what a mirror has, with every upload since', async () => {
    const { publisher, ...context } = await open(data);
    const report = await rebuildIndex({
      ...context,
      source: folderSource(join(fixture.folder, 'tree')),
      pinnedRoot: (await context.store.read('metadata/1.root.json'))!,
      now: fixture.now,
    });
    expect(report.problems).toEqual([]);
    await releaseHold(context.db, context.index.id);
    await publisher.start();
    while ((await publisher.publishOnce()) !== undefined);
    await publisher.close();
    expect((await fsck(context)).findings).toEqual([]);
    expect(await read(context.store, 'packages/flask/flask-2.0.tar.gz')).toBe('flask 2.0');
  });

  it('skips a million versions when nobody has it any more, and no client is locked out', async () => {
    const { publisher: _, ...context } = await open(data);
    const online = newSigner();
    const fresh = () => ({ signers: [newSigner()], threshold: 1 });
    const signers = { ...fixture.offline, targets: fresh(), bins: fresh() };
    const roles = await signOffline(signers, [online.key], { version: 2, now: fixture.now, bins: 8 });
    const bundle = { event: 'e'.repeat(64), roles };
    await raiseVersions({ ...context, bundle, signers: [online] });
    const publisher = new Publisher({ ...context, signers: [online] });
    await publisher.start();
    expect(publisher.publicState()?.snapshotVersion).toBeGreaterThan(RAISED_BY);
    await publisher.close();
    expect((await fsck(context)).findings).toEqual([]);
    expect(await read(context.store, 'packages/flask/flask-1.0.tar.gz')).toBe('flask 1.0');
    expect(await read(context.store, 'packages/flask/flask-2.0.tar.gz')).toBeUndefined();
  });
});

it('brings back an index with targets whose files lie elsewhere, and says how many they are', async () => {
  const { db, index, now } = fixture;
  const publisher = await fixture.startedPublisher();
  const row = await insertImport(db, { indexId: index.id, sources: '[]', position: '{}', now });
  await publisher.publishTargets([
    { path: 'packages/zed/zed-1.0.tar.gz', target: { length: 3, sha256: 'ab'.repeat(32) } },
  ]);
  await closeImport(db, row.id, 'finished', now);
  await publisher.close();
  await backUp(options());
  const { targets, absent } = await restore(out, join(scratch, 'restored'));
  expect(absent).toBe(1);
  expect(targets).toBeGreaterThan(1);
});
