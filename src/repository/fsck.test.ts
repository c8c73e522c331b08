import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IndexFixture, newSigner, sha256 } from '../../test/support/index-fixture.ts';
import { findProject, setProjectStatus } from '../db/projects.ts';
import { Metadata, signMetadata } from '../tuf/metadata.ts';
import { ROLE_NAME_FIELD } from '../tuf/targets.ts';
import { fsck } from './fsck.ts';

let fixture: IndexFixture;
beforeEach(async () => {
  fixture = await IndexFixture.create();
  const publisher = await fixture.startedPublisher();
  await fixture.upload('flask', '1.0');
  await fixture.upload('flask', '2.0');
  await fixture.upload('jinja2', '3.0');
  await publisher.publishOnce();
});
afterEach(() => fixture.close());

const FILE = 'packages/flask/flask-1.0.tar.gz';
const PAGE = 'simple/flask/index.json';
const check = () => fsck(fixture);
const found = async () => {
  const report = await check();
  expect(report.clean).toBe(report.findings.every(({ severity }) => severity === 'notice'));
  return report.findings.map(({ code, path, role }) => `${code} ${path ?? role ?? ''}`.trim());
};
const edit = async (key: string, change: (text: string) => string) => {
  const text = new TextDecoder().decode(await fixture.store.read(key));
  const changed = change(text);
  expect(changed).not.toBe(text);
  await fixture.store.put(key, new TextEncoder().encode(changed));
};
/** The public bin that lists a path. */
const binOf = async (path: string) => {
  for (const [key, text] of await fixture.objects('metadata/2.bin-'))
    if (text.includes(`"${path}"`)) return key;
  throw new Error(`${path} is in no bin`);
};
const roleOf = (key: string) => /\.(.+)\.json$/.exec(key)?.[1];

describe('fsck', () => {
  it('finds nothing in a sound store, and says how much it looked at', async () => {
    const report = await check();
    expect(report).toEqual({ findings: [], count: 0, clean: true, roles: 263, targets: 7 });
  });

  it('finds nothing in the index of another name either', async () => {
    const other = await IndexFixture.create({ indexName: 'team-a' });
    await other.upload('flask', '1.0');
    await (await other.startedPublisher()).publishOnce();
    expect((await fsck(other)).findings).toEqual([]);
    await other.close();
  });

  it('says that there is no repository yet', async () => {
    const empty = await IndexFixture.open();
    const report = await fsck(empty);
    expect(report.findings.map(({ code }) => code)).toEqual(['NO_REPOSITORY']);
    expect(report.clean).toBe(false);
    await empty.close();
  });

  it('changes nothing', async () => {
    const before = await fixture.objects();
    await check();
    expect(await fixture.objects()).toEqual(before);
  });

  it.each([
    ['timestamp', 'metadata/timestamp.json'],
    ['root', 'metadata/1.root.json'],
    ['snapshot', 'metadata/2.snapshot.json'],
    ['targets', 'metadata/1.targets.json'],
    ['claimed', 'metadata/1.claimed.json'],
    ['recently-claimed', 'metadata/1.recently-claimed.json'],
    ['bins', 'metadata/1.bins.json'],
  ])('finds %s missing', async (role, key) => {
    await fixture.store.remove(key);
    const findings = (await check()).findings.filter(({ code }) => code === 'METADATA_MISSING');
    expect(findings).toMatchObject([{ severity: 'error', role, path: key }]);
  });

  it.each(['1.root', '2.snapshot', '1.targets', '1.bins', '1.claimed', '1.bin-00', 'timestamp'])(
    'finds one changed digit of a signature or of content in %s',
    async (name) => {
      const key = `metadata/${name}.json`;
      await edit(key, (text) =>
        text.replace(
          /("sig":")(.)/,
          (_, start: string, digit: string) => start + (digit === '0' ? '1' : '0'),
        ),
      );
      const codes = (await check()).findings.map(({ code }) => code);
      expect(codes).toContain('METADATA_INVALID');
    },
  );

  it('finds expired metadata and still looks at the rest', async () => {
    fixture.advance(8 * 24);
    const report = await check();
    const expired = report.findings.filter(({ code }) => code === 'METADATA_EXPIRED');
    expect(expired).toHaveLength(report.findings.length);
    expect(expired.map(({ role }) => role)).toEqual(
      expect.arrayContaining(['timestamp', 'snapshot', 'bin-00']),
    );
    expect(report.roles).toBe(263);
    expect(report.targets).toBe(7);
  });

  it('finds a file, a page or core metadata changed or missing, under either name', async () => {
    const hashed = fixture.tree.hashed(FILE, sha256('flask 1.0'));
    const page = new TextDecoder().decode(await fixture.store.read(PAGE));
    const cases: readonly (readonly [key: string, missing: string, changed: string])[] = [
      [hashed, 'TARGET_MISSING', 'TARGET_CHANGED'],
      [FILE, 'COPY_MISSING', 'COPY_CHANGED'],
      [PAGE, 'COPY_MISSING', 'COPY_CHANGED'],
      [fixture.tree.hashed(PAGE, sha256(page)), 'TARGET_MISSING', 'TARGET_CHANGED'],
      [`${FILE}.metadata`, 'COPY_MISSING', 'COPY_CHANGED'],
      [`${hashed}.metadata`, 'COPY_MISSING', 'COPY_CHANGED'],
    ];
    for (const [key, missing, changed] of cases) {
      const own = (await fixture.store.read(key)) ?? new Uint8Array();
      await edit(key, (text) => text.replace(/.$/s, '\u0001'));
      expect(await found(), key).toEqual([`${changed} ${key}`]);
      await fixture.store.remove(key);
      expect(await found(), key).toEqual([`${missing} ${key}`]);
      await fixture.store.put(key, own);
    }
    expect(await found()).toEqual([]);
  });

  it('finds a file that was recorded and never signed', async () => {
    const { db, index } = fixture;
    await fixture.upload('flask', '3.0');
    // As if the publisher had taken the change and lost it.
    const { id } = (await db
      .selectFrom('publications')
      .select('id')
      .orderBy('id', 'desc')
      .executeTakeFirst()) ?? { id: 0 };
    await db.updateTable('journal').set({ publication_id: id }).where('publication_id', 'is', null).execute();
    expect(await found()).toEqual([
      `FILE_NOT_SIGNED packages/flask/flask-3.0.tar.gz`,
      'PAGE_DIFFERS simple/flask/index.json',
      'PAGE_DIFFERS simple/flask/index.html',
    ]);
    expect((await findProject(db, index.id, 'flask'))?.name).toBe('flask');
  });

  it('notes changes that wait, and takes them for no error', async () => {
    await fixture.upload('flask', '3.0');
    const report = await check();
    expect(report.clean).toBe(true);
    expect(report.findings).toMatchObject([{ code: 'CHANGES_WAITING', severity: 'notice' }]);
  });

  it('finds a page that no longer says what the project is', async () => {
    const project = await findProject(fixture.db, fixture.index.id, 'jinja2');
    await setProjectStatus(fixture.db, project?.id ?? 0, 'archived', undefined);
    expect(await found()).toEqual([
      'PAGE_DIFFERS simple/jinja2/index.json',
      'PAGE_DIFFERS simple/jinja2/index.html',
    ]);
  });

  it('finds a signed file that nobody uploaded, and one that was uploaded with other bytes', async () => {
    const { db, index } = fixture;
    await db
      .updateTable('files')
      .set({ sha256: sha256('other') })
      .where('filename', '=', 'flask-1.0.tar.gz')
      .execute();
    const codes = await found();
    expect(codes).toContain(`TARGET_DIFFERS ${FILE}`);
    await db
      .updateTable('files')
      .set({ filename: 'flask-9.0.tar.gz' })
      .where('filename', '=', 'flask-1.0.tar.gz')
      .execute();
    expect(await found()).toContain(`TARGET_UNKNOWN ${FILE}`);
    expect(index.name).toBe('');
  });

  it('finds targets of the database that are not those that are signed', async () => {
    const { db } = fixture;
    await db.deleteFrom('targets').where('path', '=', FILE).execute();
    expect(await found()).toContain(`TARGET_DIFFERS ${FILE}`);
  });

  it('finds a stored version whose bytes are not those that were reserved: equivocation', async () => {
    // An unlisted, older version, which no client walk would meet.
    const key = (await binOf(FILE)).replace('/2.', '/1.');
    await edit(key, (text) => text.replace('"version":1', '"version":1 '));
    expect(await found()).toEqual([`EQUIVOCATION ${key}`]);
  });

  it('finds a stored version that was never reserved', async () => {
    await fixture.store.create('metadata/9.bin-00.json', new TextEncoder().encode('{}'));
    expect(await found()).toEqual(['VERSION_NOT_RESERVED metadata/9.bin-00.json']);
  });

  it('finds a bin of another key, and one that is older than listed', async () => {
    const key = await binOf(FILE);
    const own = (await fixture.store.read(key)) ?? new Uint8Array();
    const forged = await signMetadata(Metadata.fromBytes(own, 'targets').signed, [newSigner()]);
    await fixture.store.put(key, forged.toBytes());
    expect(await found()).toEqual(
      expect.arrayContaining([`METADATA_INVALID ${roleOf(key)}`, `EQUIVOCATION ${key}`]),
    );
    await fixture.store.put(key, (await fixture.store.read(key.replace('/2.', '/1.'))) ?? new Uint8Array());
    expect(await found()).toContain(`METADATA_INVALID ${roleOf(key)}`);
  });

  it('finds a target in a bin where no client looks for it, though the online key signed it', async () => {
    const { db, index, online } = fixture;
    const wrong = (await binOf(FILE)) === 'metadata/2.bin-00.json' ? 'bin-01' : 'bin-00';
    const content = Metadata.fromBytes(
      (await fixture.store.read(await binOf(FILE))) ?? new Uint8Array(),
      'targets',
    ).signed;
    const row = await db.selectFrom('roles').selectAll().where('role', '=', wrong).executeTakeFirstOrThrow();
    const serve = async (roleName: string): Promise<readonly string[]> => {
      const unrecognizedFields = new Map([[ROLE_NAME_FIELD, roleName]]);
      const forged = await signMetadata(content.with({ version: row.version, unrecognizedFields }), [online]);
      await fixture.store.put(fixture.tree.metadata(wrong, row.version), forged.toBytes());
      return found();
    };
    const codes = await serve(wrong);
    expect(codes).toContain(`TARGET_MISPLACED ${FILE}`);
    expect(codes).toContain(`METADATA_DIFFERS ${wrong}`);
    expect(index.id).toBe(row.index_id);
    // A mirror's swap of two bins of the same version and key: the bin says whose it is (ADR 12).
    expect(await serve('bin-77')).toContain(`METADATA_INVALID ${wrong}`);
  });

  it('notes an interrupted publication', async () => {
    const { db, index } = fixture;
    await db
      .insertInto('publications')
      .values({
        index_id: index.id,
        epoch: 1,
        state: 'reserved',
        snapshot_version: 3,
        timestamp_version: 3,
        timestamp_sha256: sha256('never written'),
        created_at: fixture.now.toISOString(),
        finished_at: null,
      })
      .execute();
    expect(await found()).toEqual(['PUBLICATION_OPEN']);
  });
});
