import { afterAll, beforeAll, expect, it } from 'vitest';
import { Developer } from '../../test/support/developer.ts';
import { makeWheel } from '../../test/tools/distribution.ts';
import { ServerFixture } from '../../test/support/server-fixture.ts';
import { insertIndex } from '../db/indexes.ts';
import { changeIndex } from './indexes.ts';
import type { Principal } from './principal.ts';
import { promoteRelease } from './promote.ts';

const CLI: Principal = { kind: 'cli', name: 'admin' };
let server: ServerFixture;
beforeAll(async () => {
  server = await ServerFixture.start();
});
afterAll(() => server.close());

it('a promotion goes round no rule about commands: the stored wheel is read again', async () => {
  const { db, store, clock, index: from, now } = server.index;
  const to = await insertIndex(db, { name: 'production', profile: 'team', now });
  const entryPoints = '[console_scripts]\nsudo = demo:main\n';
  expect((await server.upload(makeWheel({ name: 'demo', version: '1.0', entryPoints }))).status).toBe(200);
  const promote = () => promoteRelease({ db, store, clock, from, to }, CLI, 'demo', '1.0');
  await changeIndex(server.index, CLI, 'production', { upload: { prohibitedScripts: ['sudo'] } });
  await expect(promote()).rejects.toMatchObject({
    code: 'AGAINST_POLICY',
    message: expect.stringContaining("installs the command 'sudo'") as string,
  });
  await changeIndex(server.index, CLI, 'production', { upload: { prohibitedScripts: null } });
  expect(await promote()).toMatchObject({ files: ['demo-1.0-py3-none-any.whl'] });
});

it('staging goes round no rule about commands either', async () => {
  const { name } = server.index.index;
  const developer = new Developer(server, await server.issue({ verbs: ['upload', 'own'] }));
  const wheel = makeWheel({ name: 'staged', version: '1.0', entryPoints: '[console_scripts]\nsudo = a:b\n' });
  await changeIndex(server.index, CLI, name, { upload: { prohibitedScripts: ['sudo'] } });
  const refused = await developer.stage(wheel);
  expect(refused.status).toBe(400);
  expect(refused.reason).toContain("installs the command 'sudo'");
  await changeIndex(server.index, CLI, name, { upload: { prohibitedScripts: null } });
  expect((await developer.stage(wheel)).status).toBe(202);
});
