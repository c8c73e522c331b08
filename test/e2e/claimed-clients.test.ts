import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Publisher } from '../../src/repository/publisher.ts';
import { ownersFor, signProject, targetOf } from '../support/claimed-fixture.ts';
import { IndexFixture, newSigner, sha256 } from '../support/index-fixture.ts';
import { StoreServer } from '../support/store-server.ts';
import { succeed } from '../tools/process.ts';
import { pythonTools } from '../tools/python-tools.ts';
import { whenAvailable } from '../tools/unavailable.ts';

const FLASK = 'packages/flask/flask-1.0.tar.gz';
const FORGED = 'packages/flask/flask-9.tar.gz';
const WHEEL = 'packages/flask/flask-1.0-py3-none-any.whl';
const DJANGO = 'packages/django/django-1.0.tar.gz';
const PARTED = 'packages/b31/b31-1.tar.gz';
/** Not claimed, and its name begins like a part of recently-claimed. */
const FREE = 'packages/bfree/bfree-1.tar.gz';
const PATHS = [FLASK, 'simple/flask/index.json', WHEEL, FORGED, DJANGO, PARTED, FREE];

interface TufJsUpdater {
  refresh(): Promise<void>;
  getTargetInfo(path: string): Promise<{ readonly length: number } | undefined>;
  downloadTarget(target: object): Promise<string>;
}
const { Updater } = createRequire(import.meta.url)('tuf-js') as {
  Updater: new (options: object) => TufJsUpdater;
};

let fixture: IndexFixture;
let publisher: Publisher;
let server: StoreServer;

/** A tree with a claimed project that publishes through machines and a builder, one that is not claimed, and recently-claimed in parts. */
beforeAll(async () => {
  fixture = await IndexFixture.open();
  fixture.now = new Date();
  fixture.bins = 4;
  await fixture.createRepository();
  publisher = await fixture.startedPublisher();
  for (const name of ['flask', 'django']) await fixture.upload(name, '1.0');
  await fixture.upload('bfree', '1');
  for (let number = 0; number < 90; number++) {
    const name = `${'abc'[number % 3]}${number}`;
    await fixture.upload(name, '1');
    await signProject(fixture, name, { owners: [newSigner()] });
  }
  const [owner, machine, farm] = [newSigner(), newSigner(), newSigner()];
  await fixture.store.create(fixture.tree.hashed(WHEEL, sha256('built')), Buffer.from('built'));
  await signProject(fixture, 'flask', {
    owners: [owner],
    wished: ownersFor([owner]),
    release: [machine],
    wheels: { signers: [farm], targets: new Map([[WHEEL, targetOf('built')]]) },
  });
  await publisher.publishOnce();
  expect(publisher.heldBack).toEqual([]);
  // What an attacker with the online key can do: a file of the claimed project in a bin.
  await fixture.store.create(fixture.tree.hashed(FORGED, sha256('forged')), Buffer.from('forged'));
  await publisher.publishTargets([{ path: FORGED, target: targetOf('forged') }]);
  server = await StoreServer.start(() => fixture.store);
  await writeFile(
    join(fixture.folder, 'root.json'),
    (await fixture.store.read('metadata/1.root.json')) ?? '',
  );
});
afterAll(async () => {
  server?.close();
  await publisher?.close();
  await fixture?.close();
});

describe('other TUF clients and claimed projects', () => {
  const tools = whenAvailable(pythonTools);

  it('python-tuf finds what developers signed and what the bins list, and nothing of a claimed project in the bins', async () => {
    const script = join(import.meta.dirname, 'python_tuf_client.py');
    const args = [
      script,
      join(fixture.folder, 'python'),
      server.url,
      join(fixture.folder, 'root.json'),
      ...PATHS,
    ];
    const { stdout } = await succeed(tools.value.python, args);
    const { targets } = JSON.parse(stdout) as { targets: Record<string, { file: string } | null> };
    expect(targets[FORGED]).toBeNull();
    const read = async (path: string) => readFile(targets[path]?.file ?? '', 'utf8');
    expect(await read(FLASK)).toBe('flask 1.0');
    expect(await read(WHEEL)).toBe('built');
    expect(await read('simple/flask/index.json')).toContain('flask-1.0.tar.gz');
    expect(await read(DJANGO)).toBe('django 1.0');
    expect(await read(PARTED)).toBe('b31 1');
    expect(await read(FREE)).toBe('bfree 1');
  });

  it('tuf-js does so too', async () => {
    const folder = join(fixture.folder, 'tuf-js');
    for (const name of ['metadata', 'targets']) await mkdir(join(folder, name), { recursive: true });
    await writeFile(join(folder, 'metadata', 'root.json'), await readFile(join(fixture.folder, 'root.json')));
    const found = new Map<string, string | undefined>();
    for (const path of PATHS) {
      const updater = new Updater({
        metadataDir: join(folder, 'metadata'),
        targetDir: join(folder, 'targets'),
        metadataBaseUrl: `${server.url}metadata`,
        targetBaseUrl: server.url,
      });
      await updater.refresh();
      const target = await updater.getTargetInfo(path);
      const file = target === undefined ? undefined : await updater.downloadTarget(target);
      found.set(path, file === undefined ? undefined : await readFile(file, 'utf8'));
    }
    expect(found.get(FORGED)).toBeUndefined();
    expect(found.get(FLASK)).toBe('flask 1.0');
    expect(found.get(WHEEL)).toBe('built');
    expect(found.get(DJANGO)).toBe('django 1.0');
    expect(found.get(PARTED)).toBe('b31 1');
    expect(found.get(FREE)).toBe('bfree 1');
  });
});
