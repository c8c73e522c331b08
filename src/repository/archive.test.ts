import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IndexFixture, sha256 } from '../../test/support/index-fixture.ts';
import { parseLogHead } from '../transparency/log-entry.ts';
import {
  archivedStates,
  readArchive,
  stateName,
  type ArchivedTarget,
  type ArchiveManifest,
} from './archive.ts';
import { verifyArchive } from './archive-verifier.ts';
import { writeArchive } from './archive-writer.ts';
import type { Publisher } from './publisher.ts';

let fixture: IndexFixture;
let publisher: Publisher;
let folder: string;
beforeEach(async () => {
  fixture = await IndexFixture.create();
  publisher = await fixture.startedPublisher();
  folder = join(fixture.folder, 'archive');
});
afterEach(async () => {
  await publisher.close();
  await fixture.close();
});

const archive = () => writeArchive({ store: fixture.store, index: '', folder, clock: fixture.clock });
const publish = async (project: string) => {
  await fixture.upload(project, '1.0');
  await publisher.publishOnce();
};
async function targetsOf(version?: number): Promise<ArchivedTarget[]> {
  const targets: ArchivedTarget[] = [];
  for await (const target of (await readArchive(folder, version)).targets()) targets.push(target);
  return targets;
}

describe('an archive', () => {
  it('holds every role as it was served, every target, and the head of the log', async () => {
    await publish('flask');
    const { manifest } = await archive();
    const page = (await fixture.store.read('simple/flask/index.json')) ?? new Uint8Array();
    expect(await targetsOf()).toContainEqual({
      path: 'simple/flask/index.json',
      role: expect.stringMatching(/^bin-/) as string,
      length: page.length,
      sha256: sha256(page),
    });
    expect(manifest.log?.head).toEqual(parseLogHead((await fixture.store.read('log/head.json')) ?? page));
    let roles = 0;
    for await (const { role, bytes, version } of (await readArchive(folder)).roles()) {
      const key = role === 'timestamp' ? 'metadata/timestamp.json' : fixture.tree.metadata(role, version);
      expect(sha256(bytes)).toBe(sha256((await fixture.store.read(key)) ?? ''));
      roles += 1;
    }
    expect(roles).toBe(256 + 7);
    await verifyArchive(folder);
  });

  it('grows by what changed, and keeps every earlier state', async () => {
    await archive();
    await publish('flask');
    const { newRoles } = await archive();
    expect(newRoles).toBeLessThanOrEqual(5);
    expect(await archivedStates(folder)).toEqual([1, 2]);
    expect(await targetsOf(1)).toEqual([]);
    expect(await targetsOf(2)).toHaveLength(3);
    expect((await archive()).newRoles).toBe(0);
    for (const state of [1, 2]) await verifyArchive(folder, state);
  });

  it('keeps nothing that a client would refuse', async () => {
    const key = 'metadata/1.bin-07.json';
    await fixture.store.put(key, new TextEncoder().encode('{"signatures":[],"signed":{}}'));
    await expect(archive()).rejects.toMatchObject({ code: 'ARCHIVE_DIFFERS' });
    expect(await archivedStates(folder)).toEqual([]);
  });

  it('says so when the index shows other bytes under a version that is archived', async () => {
    await archive();
    await writeFile(join(folder, 'metadata', '1.bins.json'), 'other bytes');
    await publish('flask');
    await expect(archive()).rejects.toThrow('other bytes than the index shows now under the same version');
  });
});

describe('an archive is refused', () => {
  const edit = async (change: (manifest: ArchiveManifest) => ArchiveManifest) => {
    const path = join(folder, 'states', stateName(2));
    const manifest = JSON.parse(await readFile(path, 'utf8')) as ArchiveManifest;
    const text = JSON.stringify(change(manifest));
    await writeFile(path, text);
    await writeFile(`${path}.sha256`, sha256(text));
  };
  beforeEach(async () => {
    await publish('flask');
    await archive();
  });

  it('when its manifest does not have its checksum', async () => {
    const path = join(folder, 'states', stateName(2));
    await writeFile(path, (await readFile(path, 'utf8')).replace('"index":""', '"index":"x"'));
    await expect(verifyArchive(folder)).rejects.toThrow('does not have the checksum that stands beside it');
  });

  it('when a role is missing or was changed', async () => {
    await writeFile(join(folder, 'metadata', '1.bin-05.json'), '{}');
    await expect(verifyArchive(folder)).rejects.toThrow('1.bin-05.json was changed');
  });

  it('when its head is another than the timestamp commits to', async () => {
    await edit((manifest) => ({
      ...manifest,
      log: { edge: manifest.log?.edge ?? [], head: { size: 2, root: 'ab'.repeat(32) } },
    }));
    await expect(verifyArchive(folder)).rejects.toThrow('does not match its head');
  });

  it('when its listing of targets was cut or exchanged', async () => {
    const [name = ''] = await readdir(join(folder, 'targets'));
    const path = join(folder, 'targets', name);
    const bytes = await readFile(path);
    await writeFile(path, bytes.subarray(0, bytes.length / 2));
    await expect(verifyArchive(folder)).rejects.toMatchObject({ code: 'ARCHIVE_DAMAGED' });
  });

  it('when there is none', async () => {
    await expect(readArchive(join(fixture.folder, 'nowhere'))).rejects.toMatchObject({
      code: 'ARCHIVE_EMPTY',
    });
  });
});
