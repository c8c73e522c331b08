import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IndexFixture, newSigner, sha256 } from '../../test/support/index-fixture.ts';
import { StoreClient } from '../../test/support/store-client.ts';
import { findFile, insertFile, markFileRemoved, setYanked } from '../db/files.ts';
import { appendJournal, journalState } from '../db/journal.ts';
import { ensureProject, ensureRelease, findProject, setProjectStatus } from '../db/projects.ts';
import { writeTransaction } from '../db/transactions.ts';
import type { Signer } from '../tuf/signer.ts';
import { fsck } from './fsck.ts';
import type { Publisher } from './publisher.ts';

let fixture: IndexFixture;
let publisher: Publisher;
beforeEach(async () => {
  fixture = await IndexFixture.create();
  publisher = await fixture.startedPublisher();
});
afterEach(async () => {
  await publisher.close();
  await fixture.close();
});

const findings = async () => (await fsck(fixture)).findings;
const metadataKeys = async () => new Set((await fixture.objects('metadata/')).keys());
const change = async (
  project: string,
  kind: 'yank' | 'remove' | 'status',
  edit: (projectId: number) => Promise<void>,
) => {
  const { db, index, now } = fixture;
  const row = await findProject(db, index.id, project);
  await edit(row?.id ?? 0);
  return appendJournal(db, { indexId: index.id, projectId: row?.id ?? 0, kind, detail: {}, now });
};

const lostFile = (indexId: number, projectId: number, releaseId: number, filename: string, now: Date) => ({
  index_id: indexId,
  project_id: projectId,
  release_id: releaseId,
  version: '1',
  filename,
  packagetype: 'sdist' as const,
  python_version: 'source',
  length: 4,
  sha256: sha256('lost'),
  blake2b_256: '00'.repeat(32),
  requires_python: null,
  metadata_sha256: null,
  metadata_length: null,
  uploaded_at: now.toISOString(),
  uploaded_by: null,
  yanked_reason: null,
  removed_at: null,
});

describe('Publisher', () => {
  it('makes an upload visible to a client: its page in both formats and its file', async () => {
    const client = await StoreClient.pin(fixture);
    expect(await client.read('simple/flask/index.json')).toBeUndefined();
    const journalId = await fixture.upload('flask', '1.0');
    expect(await journalState(fixture.db, journalId)).toBe('waiting');
    const publication = await publisher.publishOnce();
    expect(publication).toMatchObject({
      journalIds: [journalId],
      changedPaths: ['simple/flask/index.json', 'simple/flask/index.html', 'packages/flask/flask-1.0.tar.gz'],
    });
    expect(await journalState(fixture.db, journalId)).toBe('published');
    expect(await client.read('simple/flask/index.json')).toContain('"flask-1.0.tar.gz"');
    expect(await client.read('simple/flask/index.html')).toContain('flask-1.0.tar.gz</a>');
    expect(await client.read('packages/flask/flask-1.0.tar.gz')).toBe('flask 1.0');
    expect(await findings()).toEqual([]);
  });

  it('serves the same bytes under the plain names, and the core metadata beside the file', async () => {
    await fixture.upload('flask', '1.0');
    await publisher.publishOnce();
    const objects = await fixture.objects();
    const plain = ['simple/flask/index.json', 'simple/flask/index.html', 'packages/flask/flask-1.0.tar.gz'];
    for (const path of plain) {
      const text = objects.get(path) ?? '';
      expect(objects.get(fixture.tree.hashed(path, sha256(text)))).toBe(text);
    }
    expect(objects.get('packages/flask/flask-1.0.tar.gz.metadata')).toContain('Name: flask');
  });

  it('makes one snapshot of a hundred waiting changes', async () => {
    const ids: number[] = [];
    for (let index = 0; index < 100; index++) ids.push(await fixture.upload(`p${index}`, '1.0'));
    const before = await metadataKeys();
    const publication = await publisher.publishOnce();
    expect(publication?.journalIds).toEqual(ids);
    const added = [...(await metadataKeys())].filter((key) => !before.has(key));
    expect(added.filter((key) => key.includes('snapshot'))).toEqual(['metadata/2.snapshot.json']);
    expect(await publisher.publishOnce()).toBeUndefined();
    expect(await findings()).toEqual([]);
  });

  it('signs only the bins that a change touches', async () => {
    const before = await metadataKeys();
    await fixture.upload('flask', '1.0');
    await publisher.publishOnce();
    const added = [...(await metadataKeys())].filter((key) => !before.has(key));
    expect(added.filter((key) => key.includes('bin-')).length).toBeLessThanOrEqual(3);
    expect(added.filter((key) => !key.includes('bin-'))).toEqual(['metadata/2.snapshot.json']);
  });

  it('has nothing to do while nothing waits and nothing is due', async () => {
    const before = await fixture.objects();
    expect(await publisher.publishOnce()).toBeUndefined();
    fixture.advance(11);
    expect(await publisher.publishOnce()).toBeUndefined();
    expect(await fixture.objects()).toEqual(before);
  });

  it('signs outside of every transaction', async () => {
    let writes = 0;
    const writing: Signer = {
      key: fixture.online.key,
      sign: async (bytes) => {
        // Would wait for ever if a transaction were open.
        await writeTransaction(fixture.db, async (tx) => {
          await tx.updateTable('projects').set({ status: 'active' }).where('id', '=', -1).execute();
        });
        writes += 1;
        return fixture.online.sign(bytes);
      },
    };
    await publisher.close();
    publisher = fixture.newPublisher([writing]);
    await publisher.start();
    await fixture.upload('flask', '1.0');
    expect(await publisher.publishOnce()).toBeDefined();
    expect(writes).toBeGreaterThanOrEqual(3);
  });

  it('tells what is public', async () => {
    expect(publisher.publicState()).toMatchObject({ snapshotVersion: 1, timestampVersion: 1 });
    fixture.advance(1);
    await fixture.upload('flask', '1.0');
    await publisher.publishOnce();
    expect(publisher.publicState()).toEqual({
      snapshotVersion: 2,
      timestampVersion: 2,
      timestampExpires: new Date('2026-03-08T13:00:00.000Z'),
      lastPublished: new Date('2026-03-01T13:00:00.000Z'),
    });
  });

  it('takes changes that change nothing signed for published', async () => {
    await fixture.upload('flask', '1.0');
    await publisher.publishOnce();
    const id = await change('flask', 'status', async () => undefined);
    expect(await publisher.publishOnce()).toEqual({ journalIds: [id], changedPaths: [] });
    expect(await journalState(fixture.db, id)).toBe('published');
    expect(publisher.publicState()?.snapshotVersion).toBe(2);
  });

  it('runs calls one after another', async () => {
    await fixture.upload('a', '1.0');
    const first = publisher.publishOnce();
    await fixture.upload('b', '1.0');
    const results = await Promise.all([first, publisher.publishOnce(), publisher.publishOnce()]);
    expect(results.flatMap((publication) => publication?.journalIds ?? [])).toHaveLength(2);
    expect(await findings()).toEqual([]);
  });
});

describe('changes of a project', () => {
  beforeEach(async () => {
    await fixture.upload('flask', '1.0');
    await fixture.upload('flask', '2.0');
    await publisher.publishOnce();
  });

  it('signs a yank into both pages and leaves the file', async () => {
    const client = await StoreClient.pin(fixture);
    await change('flask', 'yank', async () => {
      const file = await findFile(fixture.db, fixture.index.id, 'flask-1.0.tar.gz');
      await setYanked(fixture.db, file?.id ?? 0, true, 'broken');
    });
    const publication = await publisher.publishOnce();
    expect(publication?.changedPaths).toEqual(['simple/flask/index.json', 'simple/flask/index.html']);
    expect(await client.read('simple/flask/index.json')).toContain('"yanked":"broken"');
    expect(await client.read('packages/flask/flask-1.0.tar.gz')).toBe('flask 1.0');
    expect(await findings()).toEqual([]);
  });

  it('takes a removed file out of its bin and its plain copy away, with the online key alone', async () => {
    const client = await StoreClient.pin(fixture);
    await change('flask', 'remove', async () => {
      const file = await findFile(fixture.db, fixture.index.id, 'flask-1.0.tar.gz');
      await markFileRemoved(fixture.db, file?.id ?? 0, fixture.now);
    });
    await publisher.publishOnce();
    expect(await client.read('packages/flask/flask-1.0.tar.gz')).toBeUndefined();
    expect(await client.read('simple/flask/index.json')).not.toContain('flask-1.0.tar.gz');
    const keys = [...(await fixture.objects('packages/')).keys()];
    expect(keys).not.toContain('packages/flask/flask-1.0.tar.gz');
    expect(keys).not.toContain('packages/flask/flask-1.0.tar.gz.metadata');
    expect(keys).toContain('packages/flask/flask-2.0.tar.gz');
    expect(await findings()).toEqual([]);
  });

  it('offers no file of a quarantined project, and all of them again afterwards', async () => {
    const client = await StoreClient.pin(fixture);
    const setStatus = (status: string) =>
      change('flask', 'status', (id) => setProjectStatus(fixture.db, id, status, 'malware'));
    await setStatus('quarantined');
    await publisher.publishOnce();
    expect(await client.read('packages/flask/flask-2.0.tar.gz')).toBeUndefined();
    expect(await client.read('simple/flask/index.json')).toContain('quarantined');
    expect(await findings()).toEqual([]);
    await setStatus('active');
    await publisher.publishOnce();
    expect(await client.read('packages/flask/flask-2.0.tar.gz')).toBe('flask 2.0');
    expect(await findings()).toEqual([]);
  });
});

describe('renewal', () => {
  it('never lets anything expire without an upload for twelve days', async () => {
    const client = await StoreClient.pin(fixture);
    let publications = 0;
    for (let hour = 0; hour < 12 * 24; hour += 3) {
      fixture.advance(3);
      while ((await publisher.publishOnce()) !== undefined) publications += 1;
      if (hour % 48 === 0) expect(await findings()).toEqual([]);
      await client.session();
    }
    expect(await findings()).toEqual([]);
    expect(publications).toBeGreaterThan(12);
    expect(publications).toBeLessThan(12 * 10);
  }, 60_000);

  it('renews everything when nobody was there for a month, in portions, after the upload that waits', async () => {
    fixture.advance(31 * 24);
    expect((await findings()).map(({ code }) => code)).toContain('METADATA_EXPIRED');
    const id = await fixture.upload('flask', '1.0');
    expect((await publisher.publishOnce())?.journalIds).toEqual([id]);
    let publications = 0;
    while ((await publisher.publishOnce()) !== undefined) publications += 1;
    expect(publications).toBeGreaterThanOrEqual(4);
    expect(publications).toBeLessThanOrEqual(17);
    expect(await findings()).toEqual([]);
  });

  it('says when to look again: never after the first renewal is due', async () => {
    await publisher.publishOnce();
    const next = publisher.nextRenewal();
    expect(next.getTime()).toBeGreaterThan(fixture.now.getTime() + 11.9 * 3_600_000);
    fixture.now = new Date(next.getTime() - 1000);
    expect(await publisher.publishOnce()).toBeUndefined();
    fixture.now = next;
    expect(await publisher.publishOnce()).toBeDefined();
    expect(await findings()).toEqual([]);
  });
});

describe('what must not be published', () => {
  it('leaves a project waiting whose file is gone from the store, and publishes the others', async () => {
    const lost = await fixture.upload('lost', '1.0');
    await fixture.store.remove(fixture.tree.hashed('packages/lost/lost-1.0.tar.gz', sha256('lost 1.0')));
    const kept = await fixture.upload('kept', '1.0');
    expect((await publisher.publishOnce())?.journalIds).toEqual([kept]);
    expect(await journalState(fixture.db, lost)).toBe('waiting');
    expect(await publisher.publishOnce()).toBeUndefined();
    expect((await findings()).map(({ code }) => code)).toEqual(['CHANGES_WAITING']);
  });

  it('a thousand projects that cannot be published stop nobody, are named once and tried again later', async () => {
    const warnings: Readonly<Record<string, unknown>>[] = [];
    let elapsed = 0;
    const log = {
      info: () => undefined,
      warn: (fields: (typeof warnings)[number]) => void warnings.push(fields),
    };
    const patient = fixture.newPublisher(undefined, { log, elapsed: () => elapsed });
    await patient.start();
    await writeTransaction(fixture.db, async (tx) => {
      const { index, now } = fixture;
      for (let number = 0; number < 1100; number++) {
        const name = `broken${number}`;
        const { id } = await ensureProject(tx, { indexId: index.id, name, displayName: name, now });
        // Waits for a file that is not in the store.
        const release = await ensureRelease(tx, {
          indexId: index.id,
          projectId: id,
          version: '1',
          coreMetadata: '{}',
          now,
        });
        await insertFile(tx, lostFile(index.id, id, release.id, `${name}-1.tar.gz`, now));
        await appendJournal(tx, { indexId: index.id, projectId: id, kind: 'upload', detail: {}, now });
      }
    });
    const good = await fixture.upload('good', '1.0');
    expect((await patient.publishOnce())?.journalIds).toEqual([good]);
    expect(warnings.length).toBe(11);
    expect(warnings.at(-1)).toMatchObject({ count: 1090 });
    expect(patient.heldBack).toHaveLength(1100);
    for (let second = 0; second < 5; second++) {
      elapsed += 1000;
      expect(await patient.publishOnce()).toBeUndefined();
    }
    expect(warnings.length).toBe(11);

    // One of them is whole again, and something else of it changes: at once.
    await fixture.store.create(
      fixture.tree.hashed('packages/broken7/broken7-1.tar.gz', sha256('lost')),
      new TextEncoder().encode('lost'),
    );
    const again = await change('broken7', 'status', (id) =>
      setProjectStatus(fixture.db, id, 'archived', undefined),
    );
    expect((await patient.publishOnce())?.journalIds).toContain(again);
    expect(patient.heldBack).toHaveLength(1099);
    // Another one without: in its turn.
    await fixture.store.create(
      fixture.tree.hashed('packages/broken9/broken9-1.tar.gz', sha256('lost')),
      new TextEncoder().encode('lost'),
    );
    for (let turn = 0; turn < 40; turn++) {
      elapsed += 60_000;
      await patient.publishOnce();
    }
    expect(patient.heldBack).toHaveLength(1098);
    await patient.close();
  });

  it('fences a publisher whose lease another one took', async () => {
    const other = await fixture.startedPublisher();
    await fixture.upload('flask', '1.0');
    const before = await fixture.objects();
    await expect(publisher.publishOnce()).rejects.toMatchObject({ code: 'LEASE_LOST' });
    expect(await fixture.objects()).toEqual(before);
    await expect(publisher.publishOnce()).rejects.toMatchObject({ code: 'CLOSED' });
    expect((await other.publishOnce())?.journalIds).toHaveLength(1);
    expect(await findings()).toEqual([]);
    await other.close();
  });

  it('skips a version number that other bytes have taken in the store', async () => {
    const stray = new TextEncoder().encode('{}');
    await fixture.store.create('metadata/2.snapshot.json', stray);
    const id = await fixture.upload('flask', '1.0');
    await expect(publisher.publishOnce()).rejects.toMatchObject({ code: 'FOREIGN_OBJECT' });
    expect(await journalState(fixture.db, id)).toBe('reserved');
    expect((await publisher.publishOnce())?.journalIds).toEqual([id]);
    expect(publisher.publicState()?.snapshotVersion).toBe(3);
    expect((await findings()).map(({ code, path }) => [code, path])).toEqual([
      ['EQUIVOCATION', 'metadata/2.snapshot.json'],
    ]);
  });

  it('publishes nothing over a timestamp that is not its own', async () => {
    const old = (await fixture.store.read('metadata/timestamp.json')) ?? new Uint8Array();
    await fixture.upload('flask', '1.0');
    await publisher.publishOnce();
    // As after a restore of the store alone from a backup.
    await fixture.store.put('metadata/timestamp.json', old);
    await fixture.upload('flask', '2.0');
    const before = await fixture.objects('metadata/');
    await expect(publisher.publishOnce()).rejects.toMatchObject({ code: 'FOREIGN_TIMESTAMP' });
    await expect(fixture.newPublisher().start()).rejects.toMatchObject({ code: 'FOREIGN_TIMESTAMP' });
    expect((await fixture.store.read('metadata/timestamp.json')) ?? 0).toEqual(old);
    expect([...before.keys()].filter((key) => key.includes('3.snapshot'))).toEqual([]);
  });

  it('names the role when it has not the key that signs it', async () => {
    const stranger = fixture.newPublisher([newSigner()]);
    await stranger.start();
    await fixture.upload('flask', '1.0');
    const before = await fixture.objects();
    await expect(stranger.publishOnce()).rejects.toMatchObject({ code: 'MISSING_SIGNER' });
    expect(await fixture.objects()).toEqual(before);
  });

  it('refuses to start before there is a repository', async () => {
    const empty = await IndexFixture.open();
    await expect(empty.newPublisher().start()).rejects.toMatchObject({ code: 'NO_REPOSITORY' });
    await empty.close();
  });

  it('refuses to start on metadata that was tampered with', async () => {
    const key = 'metadata/1.bins.json';
    const text = new TextDecoder().decode(await fixture.store.read(key));
    await fixture.store.put(key, new TextEncoder().encode(text.replace('"version":1', '"version":2')));
    await expect(fixture.newPublisher().start()).rejects.toMatchObject({ code: 'UNUSABLE_METADATA' });
  });
});
