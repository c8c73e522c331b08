import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IndexFixture, newSigner, sha256 } from '../../test/support/index-fixture.ts';
import { StoreClient } from '../../test/support/store-client.ts';
import { auditRows } from '../db/audit.ts';
import { findProject, setProjectStatus } from '../db/projects.ts';
import { fsck } from './fsck.ts';
import { repair } from './fsck-repair.ts';

let fixture: IndexFixture;
beforeEach(async () => {
  fixture = await IndexFixture.create();
  const publisher = await fixture.startedPublisher();
  for (const [project, version] of [
    ['flask', '1.0'],
    ['flask', '2.0'],
    ['jinja2', '3.0'],
  ] as const)
    await fixture.upload(project, version);
  await publisher.publishOnce();
});
afterEach(() => fixture.close());

const FILE = 'packages/flask/flask-1.0.tar.gz';
const PAGE = 'simple/flask/index.json';
const findings = async () => (await fsck(fixture)).findings;
const mend = async () => {
  const { db, store, index, online, clock } = fixture;
  return repair({ db, store, index, signers: [online], clock, actor: 'cli:test' }, await findings());
};
const publishAll = async () => {
  const publisher = await fixture.startedPublisher();
  while ((await publisher.publishOnce()) !== undefined);
};
const repairs = async () => {
  const subjects: string[] = [];
  for await (const row of auditRows(fixture.db)) if (row.action === 'fsck.repair') subjects.push(row.subject);
  return subjects;
};
const hashed = fixtureKey(FILE, 'flask 1.0');
function fixtureKey(path: string, content: string): string {
  return path.replace(/([^/]+)$/, `${sha256(content)}.$1`);
}
const damage = async (key: string) => fixture.store.put(key, new TextEncoder().encode('damaged'));
const publicKey = async (role: string) => {
  const row = await fixture.db
    .selectFrom('roles')
    .selectAll()
    .where('role', '=', role)
    .executeTakeFirstOrThrow();
  return role === 'timestamp' ? 'metadata/timestamp.json' : `metadata/${row.version}.${role}.json`;
};

describe('fsck --repair', () => {
  it('has nothing to do in a sound store', async () => {
    expect(await mend()).toEqual({ repaired: [], left: [] });
    expect(await repairs()).toEqual([]);
  });

  it.each([
    ['a file under its plain name', FILE],
    ['a file under its hash name', hashed],
    ['core metadata under its plain name', `${FILE}.metadata`],
    ['core metadata under its hash name', `${hashed}.metadata`],
    ['a page under its plain name', PAGE],
  ])('restores %s, missing or changed, from its other name or the rows', async (_, key) => {
    const before = await fixture.objects();
    for (const hurt of [() => fixture.store.remove(key), () => damage(key)]) {
      await hurt();
      expect(await findings()).not.toEqual([]);
      expect((await mend()).left).toEqual([]);
      expect(await findings()).toEqual([]);
      expect(await fixture.objects()).toEqual(before);
    }
    expect(await repairs()).toHaveLength(2);
  });

  it('renders a page again that is lost under both names, with the same bytes', async () => {
    const before = await fixture.objects('simple/');
    for (const key of before.keys()) await fixture.store.remove(key);
    expect((await mend()).left).toEqual([]);
    expect(await fixture.objects('simple/')).toEqual(before);
    expect(await findings()).toEqual([]);
  });

  it('says the way out for a file that is lost under both names, and makes nothing up', async () => {
    for (const key of [FILE, hashed]) await damage(key);
    const before = await fixture.objects();
    const { repaired, left } = await mend();
    expect(repaired).toEqual([]);
    expect(new Set(left.map(({ finding }) => finding.path))).toEqual(new Set([FILE, hashed]));
    for (const { wayOut } of left) expect(wayOut).toContain('backup');
    expect(await fixture.objects()).toEqual(before);
  });

  it('signs lost or damaged online metadata again, byte for byte, all of it at once', async () => {
    const client = await StoreClient.pin(fixture);
    const before = await fixture.objects();
    const keys = await Promise.all(['bin-00', 'bin-7f', 'snapshot', 'timestamp'].map(publicKey));
    for (const [number, key] of keys.entries())
      await (number % 2 === 0 ? fixture.store.remove(key) : damage(key));
    // A walk ends at the first that is lost: it takes a round for each on the way.
    for (let round = 0; round < 4 && (await findings()).length > 0; round++) await mend();
    expect(await findings()).toEqual([]);
    expect(await fixture.objects()).toEqual(before);
    expect(await client.read(FILE)).toBe('flask 1.0');
  });

  it('signs nothing that would come out otherwise than it was published', async () => {
    const key = await publicKey('bin-00');
    await fixture.store.remove(key);
    const { db, store, index, clock } = fixture;
    const stranger = { db, store, index, clock, signers: [newSigner()], actor: 'cli:test' };
    expect((await repair(stranger, await findings())).repaired).toEqual([]);
    expect(await fixture.store.stat(key)).toBeUndefined();
    // Nor when the rows say something else than what was signed.
    const { path } = await db.selectFrom('targets').selectAll().executeTakeFirstOrThrow();
    await db.updateTable('targets').set({ length: 1 }).execute();
    for (const bin of (await fixture.objects('metadata/2.bin-')).keys()) await fixture.store.remove(bin);
    const { left } = await mend();
    expect(left.map(({ finding }) => finding.code)).toContain('METADATA_MISSING');
    expect(path).toBeDefined();
    expect((await fixture.objects('metadata/2.bin-')).size).toBe(0);
  });

  it('leaves offline metadata to backups and ceremonies', async () => {
    await fixture.store.remove('metadata/1.targets.json');
    const { repaired, left } = await mend();
    expect(repaired).toEqual([]);
    expect(left).toMatchObject([{ finding: { role: 'targets' }, wayOut: expect.stringContaining('backup') }]);
  });

  it('gives the publisher what the rows say and nobody signed', async () => {
    const { db, index } = fixture;
    await fixture.upload('flask', '3.0');
    const { id } = await db
      .selectFrom('publications')
      .select('id')
      .orderBy('id', 'desc')
      .executeTakeFirstOrThrow();
    await db.updateTable('journal').set({ publication_id: id }).where('publication_id', 'is', null).execute();
    const project = await findProject(db, index.id, 'jinja2');
    await setProjectStatus(db, project?.id ?? 0, 'archived', undefined);
    expect((await mend()).left).toEqual([]);
    await publishAll();
    expect(await findings()).toEqual([]);
    expect(await (await StoreClient.pin(fixture)).read('packages/flask/flask-3.0.tar.gz')).toBe('flask 3.0');
  });

  it('mends rows of roles and of targets that are behind what is public', async () => {
    const { db } = fixture;
    await db.deleteFrom('targets').where('path', 'in', [FILE, PAGE]).execute();
    await db
      .updateTable('roles')
      .set({ version: 1, sha256: '00' })
      .where('role', '=', 'recently-claimed')
      .execute();
    expect((await mend()).left).toEqual([]);
    expect((await fsck(fixture)).clean).toBe(true);
    await publishAll();
    expect(await findings()).toEqual([]);
  });

  it('takes a target out of the rows that nobody signed, and has the project looked at', async () => {
    const { db, index } = fixture;
    const path = 'packages/flask/flask-9.9.tar.gz';
    const { putTargets } = await import('../db/targets.ts');
    await putTargets(db, index.id, [{ path, length: 1, sha256: sha256('x') }]);
    expect((await findings()).map(({ code }) => code)).toEqual(['TARGET_DIFFERS']);
    expect((await mend()).left).toEqual([]);
    await publishAll();
    expect(await findings()).toEqual([]);
  });

  it('does not sign a file that nobody uploaded, nor revoke it by itself', async () => {
    const { db } = fixture;
    await db
      .updateTable('files')
      .set({ sha256: sha256('other') })
      .where('filename', '=', 'flask-1.0.tar.gz')
      .execute();
    const { left } = await mend();
    expect(left.map(({ finding }) => finding.code)).toContain('TARGET_DIFFERS');
    for (const { wayOut } of left) expect(wayOut.length).toBeGreaterThan(20);
  });
});
