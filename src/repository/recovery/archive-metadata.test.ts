import { afterEach, beforeEach, expect, it } from 'vitest';
import { IndexFixture } from '../../../test/support/index-fixture.ts';
import { ServerFixture } from '../../../test/support/server-fixture.ts';
import { makeSdist } from '../../../test/tools/distribution.ts';
import { packagePath } from '../../pypi/layout.ts';
import { archiveMetadata } from './archive-metadata.ts';
import { storeSource } from './published-source.ts';
import { rebuildIndex } from './rebuild.ts';

const sdist = makeSdist({ name: 'By.Build', version: '1.0', builtRequires: ['rennet'] });
const FILE = packagePath('by-build', sdist.filename);

let server: ServerFixture;
let fresh: IndexFixture;
beforeEach(async () => {
  server = await ServerFixture.start();
  await server.upload(sdist);
  fresh = await IndexFixture.open({ online: server.index.online });
});
afterEach(async () => {
  await server.close();
  await fresh.close();
});

it('a rebuilt index knows what an sdist says of itself, although no core metadata is offered beside it', async () => {
  expect((await server.get(`/${FILE}.metadata`)).status).toBe(404);
  const { store } = server;
  const pinnedRoot = (await store.read('metadata/1.root.json'))!;
  const source = storeSource(store, '');
  const { db, index } = fresh;
  const report = await rebuildIndex({ db, store, index, source, pinnedRoot, now: server.index.now });
  expect(report).toMatchObject({ projects: 1, files: 1, problems: [] });
  const row = await db
    .selectFrom('releases')
    .innerJoin('projects', 'projects.id', 'releases.project_id')
    .innerJoin('files', 'files.release_id', 'releases.id')
    .select(['projects.display_name', 'releases.core_metadata', 'files.metadata_sha256'])
    .executeTakeFirstOrThrow();
  expect(row).toMatchObject({ display_name: 'By.Build', metadata_sha256: null });
  expect(JSON.parse(row.core_metadata)).toMatchObject({ summary: 'A distribution for the tests of Rind' });
});

it('a file that is gone or no archive says nothing of itself', async () => {
  expect(await archiveMetadata(server.store, `${FILE}.gone`, sdist.filename)).toBeUndefined();
  const plain = await archiveMetadata(server.store, 'metadata/1.root.json', sdist.filename);
  expect(plain).toBeUndefined();
});
