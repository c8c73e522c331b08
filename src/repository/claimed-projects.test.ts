import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ownersFor, signProject, targetOf } from '../../test/support/claimed-fixture.ts';
import { dieAtEachStep } from '../../test/support/dying-index.ts';
import { IndexFixture, newSigner, sha256 } from '../../test/support/index-fixture.ts';
import { StoreClient } from '../../test/support/store-client.ts';
import { deleteClaim, findClaim } from '../db/claims.ts';
import { appendJournal, journalState } from '../db/journal.ts';
import { findProject } from '../db/projects.ts';
import { currentRoles } from '../db/roles.ts';
import { fsck } from './fsck.ts';
import type { Publisher } from './publisher.ts';

const owner = newSigner();
let fixture: IndexFixture;
let publisher: Publisher;
let client: StoreClient;

async function begin(options: Parameters<typeof IndexFixture.open>[0] = {}): Promise<void> {
  fixture = await IndexFixture.open(options);
  fixture.bins = 4;
  await fixture.createRepository();
  publisher = await fixture.startedPublisher();
  await fixture.upload('flask', '1.0');
  await fixture.upload('django', '5.0');
  await publisher.publishOnce();
  client = await StoreClient.pin(fixture);
}
beforeEach(() => begin());
const end = async () => {
  await publisher.close();
  await fixture.close();
};
afterEach(end);

const claim = async (name = 'flask', signing: Partial<Parameters<typeof signProject>[2]> = {}) => {
  const id = await signProject(fixture, name, { owners: [owner], ...signing });
  while ((await publisher.publishOnce()) !== undefined);
  expect(publisher.heldBack.map(({ error }) => String(error))).toEqual([]);
  return id;
};
const projectOf = async (name: string) => (await findProject(fixture.db, fixture.index.id, name))?.id ?? 0;
const bins = async () =>
  [...(await fixture.objects('metadata/'))].filter(([key]) => key.includes('bin-')).map(([, text]) => text);
const rows = async () =>
  new Map((await currentRoles(fixture.db, fixture.index.id)).map((row) => [row.role, row.version]));
const foreign = async (path: string, content: string) => {
  await fixture.store.create(fixture.tree.hashed(path, sha256(content)), Buffer.from(content));
  await fixture.store.create(fixture.tree.plain(path), Buffer.from(content));
  await publisher.publishTargets([{ path, target: targetOf(content) }]);
};
const clean = async () => expect((await fsck(fixture)).findings).toEqual([]);

describe('a claimed project', () => {
  it('is published as its developers signed it, and leaves the bins in the same snapshot', async () => {
    const before = (await rows()).get('snapshot') ?? 0;
    await claim();
    const after = await rows();
    expect(after.get('snapshot')).toBe(before + 1);
    expect(after.get('project-flask')).toBe(1);
    expect(await client.read('packages/flask/flask-1.0.tar.gz')).toBe('flask 1.0');
    expect(await client.read('simple/flask/index.json')).toContain('flask-1.0.tar.gz');
    const newest = (await fixture.store.read('metadata/2.recently-claimed.json')) ?? new Uint8Array();
    expect(Buffer.from(newest).toString()).toContain(owner.key.keyId);
    const places = await fixture.db.selectFrom('targets').select(['path', 'path_prefix']).execute();
    expect(places.filter(({ path }) => path.includes('/flask/')).map((row) => row.path_prefix)).toEqual([
      -1, -1, -1,
    ]);
    await clean();
  });

  it('leaves an unclaimed one as it is: it still resolves, also after later uploads', async () => {
    await claim();
    expect(await client.read('packages/django/django-5.0.tar.gz')).toBe('django 5.0');
    await fixture.upload('django', '5.1');
    await publisher.publishOnce();
    expect(await client.read('packages/django/django-5.1.tar.gz')).toBe('django 5.1');
    await clean();
  });

  it('never falls through to the bins for a file that it does not list', async () => {
    await claim();
    await foreign('packages/flask/flask-9.tar.gz', 'forged');
    await foreign('packages/other/other-9.tar.gz', 'no claim');
    expect((await bins()).some((text) => text.includes('flask-9.tar.gz'))).toBe(true);
    expect(await client.read('packages/other/other-9.tar.gz')).toBe('no claim');
    expect(await client.read('packages/flask/flask-9.tar.gz')).toBeUndefined();
  });

  it('gets a new version with each transaction, whatever the bins do meanwhile', async () => {
    await claim();
    await fixture.upload('flask', '1.1');
    await publisher.publishOnce();
    // Nobody signed it yet: it waits, and nothing else does.
    expect(publisher.heldBack.map(({ project }) => project)).toEqual(['flask']);
    expect(await client.read('packages/flask/flask-1.1.tar.gz')).toBeUndefined();
    await claim();
    expect(await client.read('packages/flask/flask-1.1.tar.gz')).toBe('flask 1.1');
    expect((await rows()).get('project-flask')).toBe(2);
    expect((await rows()).get('recently-claimed')).toBe(2);
    await clean();
  });

  it('is re-signed before it expires, with the same content', async () => {
    await claim('flask', { days: 10 });
    const id = await claim('flask', { days: 300 });
    expect(await journalState(fixture.db, id)).toBe('published');
    fixture.advance(24 * 20);
    await publisher.publishOnce();
    expect(await client.read('packages/flask/flask-1.0.tar.gz')).toBe('flask 1.0');
  });

  it('waits with a sentence, and stops nobody, when what was signed is not what is there', async () => {
    const wrong = new Map([['packages/flask/flask-1.0.tar.gz', targetOf('something else')]]);
    const id = await signProject(fixture, 'flask', { owners: [owner], targets: wrong });
    const other = await fixture.upload('django', '5.1');
    await publisher.publishOnce();
    expect(await journalState(fixture.db, id)).toBe('waiting');
    expect(await journalState(fixture.db, other)).toBe('published');
    expect(String(publisher.heldBack[0]?.error)).toMatch(/index.json is not signed|has 9 bytes/);
    expect(await client.read('packages/flask/flask-1.0.tar.gz')).toBe('flask 1.0');
  });

  it('waits when others signed than those whom it is delegated to', async () => {
    await claim();
    const thief = newSigner();
    await signProject(fixture, 'flask', { owners: [thief], wished: ownersFor([owner]) });
    await publisher.publishOnce();
    expect(String(publisher.heldBack[0]?.error)).toMatch(/not signed by a threshold of the keys/);
    expect((await rows()).get('project-flask')).toBe(1);
  });

  it('changes its owners: recently-claimed delegates to the new ones from the same snapshot on', async () => {
    await claim();
    const second = newSigner();
    await claim('flask', { owners: [owner, second] });
    expect((await rows()).get('recently-claimed')).toBe(3);
    await claim('flask', { owners: [second], wished: ownersFor([owner, second]) });
    expect(await client.read('packages/flask/flask-1.0.tar.gz')).toBe('flask 1.0');
    await clean();
  });

  it('may delegate to its machines and to a builder of wheels', async () => {
    const [machine, farm] = [newSigner(), newSigner()];
    const wheel = 'packages/flask/flask-1.0-py3-none-any.whl';
    await fixture.store.create(fixture.tree.hashed(wheel, sha256('built')), Buffer.from('built'));
    const targets = new Map([[wheel, targetOf('built')]]);
    await claim('flask', { release: [machine], wheels: { signers: [farm], targets } });
    expect([...(await rows()).keys()].filter((role) => role.startsWith('project-'))).toEqual([
      'project-flask',
      'project-flask.release',
      'project-flask.wheels',
    ]);
    expect(await client.read('packages/flask/flask-1.0.tar.gz')).toBe('flask 1.0');
    expect(await client.read(wheel)).toBe('built');
    await claim('flask', { release: [machine], wheels: { signers: [farm], targets: new Map() } });
    expect(await client.read(wheel)).toBeUndefined();
  });

  it('goes back to the bins when its claim is taken away, and can be claimed anew', async () => {
    await claim();
    const projectId = await projectOf('flask');
    await deleteClaim(fixture.db, projectId);
    const { index, now } = fixture;
    await appendJournal(fixture.db, { indexId: index.id, projectId, kind: 'unclaim', detail: {}, now });
    await publisher.publishOnce();
    expect(await client.read('packages/flask/flask-1.0.tar.gz')).toBe('flask 1.0');
    await clean();
    await fixture.upload('flask', '2.0');
    await publisher.publishOnce();
    expect(await client.read('packages/flask/flask-2.0.tar.gz')).toBe('flask 2.0');
    await claim('flask', { owners: [newSigner()] });
    expect((await rows()).get('project-flask')).toBe(2);
    expect(await client.read('packages/flask/flask-2.0.tar.gz')).toBe('flask 2.0');
    await clean();
    expect((await findClaim(fixture.db, projectId))?.state).toBe('recently-claimed');
  });
});

describe('recently-claimed', () => {
  it('is parted when it grows, each part is renewed, and every project is found', async () => {
    const names = Array.from({ length: 90 }, (_, number) => `${'abc'[number % 3]}${number}`);
    for (const name of [...names, 'a']) {
      await fixture.upload(name, '1');
      await signProject(fixture, name, { owners: [newSigner()] });
    }
    // Not claimed, and their names begin like a part: a client goes on to the bins.
    for (const name of ['afree', 'b', 'c1free']) await fixture.upload(name, '1');
    await publisher.publishOnce();
    expect(publisher.heldBack).toEqual([]);
    const parts = [...(await rows()).keys()].filter((role) => role.startsWith('recently-claimed-'));
    expect(parts.length).toBeGreaterThanOrEqual(3);
    for (const name of ['a', 'a0', 'b1', 'c89', 'afree', 'b', 'c1free'])
      expect(await client.read(`packages/${name}/${name}-1.tar.gz`)).toBe(`${name} 1`);
    await clean();
    const before = await rows();
    fixture.advance(24 * 6);
    while ((await publisher.publishOnce()) !== undefined);
    const after = await rows();
    for (const role of [...parts, 'recently-claimed'])
      expect(after.get(role), role).toBe((before.get(role) ?? 0) + 1);
    expect(after.get('project-a')).toBe(1);
    // A change signs the part that it is in, and no other.
    await claim('b1', { owners: [owner] });
    const last = await rows();
    const signed = [...parts, 'recently-claimed'].filter((role) => last.get(role) !== after.get(role));
    expect(signed).toEqual([expect.stringMatching(/^recently-claimed-b/)]);
  });
});

describe('a publisher that dies at any step of a claim', () => {
  it('goes on: the project is wholly in the bins or wholly claimed, and no version has two contents', async () => {
    let id = 0;
    const crashes = await dieAtEachStep({
      begin: async (options) => {
        await end();
        await begin(options);
        id = await signProject(fixture, 'flask', { owners: [owner] });
      },
      act: () => publisher.publishOnce(),
      goOn: async (k) => {
        expect(await client.read('packages/flask/flask-1.0.tar.gz')).toBe('flask 1.0');
        publisher = await fixture.startedPublisher();
        await publisher.publishOnce();
        expect(await journalState(fixture.db, id), `died at ${k}`).toBe('published');
        expect((await rows()).get('project-flask')).toBe(1);
        expect(await client.read('packages/flask/flask-1.0.tar.gz')).toBe('flask 1.0');
        await clean();
      },
    });
    expect(crashes).toBeGreaterThan(5);
  });
});
