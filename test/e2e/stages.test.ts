import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HttpFetcher, Updater } from '../../src/updater/index.ts';
import { makeWheel } from '../tools/distribution.ts';
import { buildRind, rind, RindServer, scratchFolder } from '../tools/rind-program.ts';
import { Uploader } from '../tools/upload.ts';

const wheel = makeWheel({ name: 'demo', version: '1.0' });
const FILE = `packages/demo/${wheel.filename}`;

describe('stages of one server, changed by commands while it runs', () => {
  let scratch: Awaited<ReturnType<typeof scratchFolder>>;
  let server: RindServer;
  const fetcher = new HttpFetcher({ userAgent: 'rind-tests' });

  beforeAll(async () => {
    await buildRind();
    scratch = await scratchFolder('stages');
    server = await RindServer.start({ folder: join(scratch.path, 'data') });
  });

  afterAll(async () => {
    await fetcher.close();
    await server?.stop();
    await scratch?.remove();
  });

  async function command(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await rind([...args, '--data', server.folder]);
    expect([args, code, stderr]).toEqual([args, 0, expect.any(String)]);
    return stdout;
  }

  /** A session of the client that keeps its metadata from one to the next. */
  async function session(name: string, path: string): Promise<Updater> {
    const metadataDir = join(scratch.path, name);
    await mkdir(metadataDir, { recursive: true, mode: 0o700 });
    const base = server.url + path;
    const root = await fetch(`${base}metadata/1.root.json`);
    const updater = new Updater({
      metadataDir,
      metadataBaseUrl: `${base}metadata/`,
      targetBaseUrl: base,
      fetcher,
      bootstrapRoot: new Uint8Array(await root.arrayBuffer()),
    });
    await updater.refresh();
    return updater;
  }

  it('an index is made beside the server, has keys of its own, and is served without a restart', async () => {
    const created = JSON.parse(await command('index', 'create', 'stage', '--json')) as {
      fingerprint: string;
    };
    expect(created.fingerprint).not.toBe(server.fingerprint);
    await expect
      .poll(async () => (await fetch(`${server.url}index/stage/simple/`)).status, { timeout: 60_000 })
      .toBe(200);
    const roots = await Promise.all(
      ['', 'index/stage/'].map(async (path) =>
        (await fetch(`${server.url}${path}metadata/1.root.json`)).json(),
      ),
    );
    const keysOf = (root: unknown) => Object.keys((root as { signed: { keys: object } }).signed.keys);
    expect(keysOf(roots[0]).filter((keyId) => keysOf(roots[1]).includes(keyId))).toEqual([]);
    const token = (await readFile(join(server.folder, 'indexes', 'stage', 'upload-token'), 'utf8')).trim();
    const uploader = new Uploader(`${server.url}index/stage/legacy/`, token);
    expect(await uploader.upload(wheel)).toMatchObject({ status: 200 });
    uploader.close();
    expect((await fetch(`${server.url}simple/demo/`)).status).toBe(404);
  });

  it('a promotion goes by the rind.toml of the server', async () => {
    const file = join(server.folder, 'rind.toml');
    await writeFile(file, '[uploads]\nprohibited-names = ["demo"]\n');
    const refused = await rind(['promote', 'demo==1.0', 'stage', 'default', '--data', server.folder]);
    await rm(file);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/prohibited on this index/)]);
  });

  it('a release is promoted without another upload, and a client verifies it in the other index', async () => {
    const told = JSON.parse(await command('promote', 'demo==1.0', 'stage', 'default', '--json')) as object;
    expect(told).toMatchObject({ project: 'demo', version: '1.0', files: [wheel.filename] });
    const updater = await session('default', '');
    const target = await updater.getTargetInfo(FILE);
    expect(Buffer.from(await updater.targetBytes(target!, 1 << 20)).equals(wheel.bytes)).toBe(true);
  });

  it('a deletion by a command revokes it: a client that had it sees absence, and the page is new at once', async () => {
    expect((await fetch(`${server.url}simple/demo/`)).status).toBe(200);
    await command('release', 'delete', 'demo', '1.0', '--reason', 'stolen token');
    const updater = await session('default', '');
    expect(await updater.getTargetInfo(FILE)).toBeUndefined();
    expect((await fetch(server.url + FILE)).status).toBe(404);
    expect(await (await fetch(`${server.url}simple/demo/`)).text()).not.toContain(wheel.filename);
    expect((await fetch(`${server.url}index/stage/${FILE}`)).status).toBe(200);
    const again = await rind(['promote', 'demo==1.0', 'stage', 'default', '--data', server.folder]);
    expect([again.code, again.stderr]).toEqual([1, expect.stringMatching(/never used twice/)]);
  });

  it('an index is made over the API by who runs the server, and served with keys of its own', async () => {
    const post = (token: string) =>
      fetch(`${server.url}api/v1/indexes`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ name: 'by-api' }),
      });
    expect((await post(server.token)).status).toBe(403);
    const admin = (await command('token', 'create', 'robot', '--verb', 'admin', '--every-index')).trim();
    const made = await post(admin);
    expect([made.status, await made.json()]).toEqual([
      201,
      {
        name: 'by-api',
        path: 'index/by-api/',
        fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      },
    ]);
    await expect
      .poll(async () => (await fetch(`${server.url}index/by-api/simple/`)).status, { timeout: 60_000 })
      .toBe(200);
    expect((await post(admin)).status).toBe(409);
  });

  it('an index that is removed is served no longer, and both are clean to the last byte', async () => {
    await command('fsck');
    await command('index', 'remove', 'stage', '--yes');
    await expect
      .poll(async () => (await fetch(`${server.url}index/stage/simple/`)).status, { timeout: 60_000 })
      .toBe(404);
    expect((await fetch(`${server.url}simple/`)).status).toBe(200);
  });

  it('its files are deleted for ever when that is said, without a server, and those of others stay', async () => {
    const args = ['index', 'remove', 'stage', '--purge', '--data', server.folder];
    expect((await rind(args)).code).toBe(2);
    const running = await rind([...args, '--yes']);
    expect([running.code, running.stderr]).toEqual([1, expect.stringMatching(/A server runs/)]);
    await server.stop();
    await command('index', 'remove', 'stage', '--purge', '--yes');
    expect(await readdir(join(server.folder, 'tree', 'index'))).toEqual(['by-api']);
    await command('fsck');
  });
});
