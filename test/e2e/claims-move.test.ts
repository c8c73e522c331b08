import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DownloadHttpError, Updater } from '../../src/updater/index.ts';
import { makeWheel } from '../tools/distribution.ts';
import { cleanEnvironment, run, type Finished } from '../tools/process.ts';
import { createVirtualEnvironment, pythonTools } from '../tools/python-tools.ts';
import { buildRind, rindMain, RindServer, scratchFolder } from '../tools/rind-program.ts';
import { whenAvailable } from '../tools/unavailable.ts';
import { Uploader } from '../tools/upload.ts';

const wheel = makeWheel({ name: 'demo', version: '1.0' });
const FILE = `packages/demo/${wheel.filename}`;

describe('administrators and a claimed project', () => {
  const available = whenAvailable(pythonTools);
  let scratch: Awaited<ReturnType<typeof scratchFolder>>;
  let server: RindServer;
  let environment: NodeJS.ProcessEnv;

  /** `rind …` in the folder of the test; must end well. */
  async function rind(...args: readonly string[]): Promise<Finished> {
    const finished = await run(process.execPath, [rindMain, ...args], {
      cwd: scratch.path,
      env: environment,
    });
    expect([args.join(' '), finished.code, finished.output]).toEqual([args.join(' '), 0, expect.any(String)]);
    return finished;
  }

  const signing = ['--token', 'file:token', '--secret', 'file:passphrase', '--yes'];

  async function secret(name: string, text: string): Promise<void> {
    await writeFile(join(scratch.path, name), text, { mode: 0o600 });
  }

  /** What the tree says, to a client with what it trusted before. */
  async function session(): Promise<Updater> {
    const tree = join(scratch.path, 'data', 'tree');
    const metadataDir = join(scratch.path, 'client');
    await mkdir(metadataDir, { recursive: true, mode: 0o700 });
    const updater = new Updater({
      metadataDir,
      metadataBaseUrl: 'http://rind.test/metadata/',
      targetBaseUrl: 'http://rind.test/',
      bootstrapRoot: await readFile(join(tree, 'metadata', '1.root.json')),
      fetcher: {
        async *fetch(url) {
          const bytes = await readFile(join(tree, decodeURIComponent(new URL(url).pathname))).catch(() => undefined); // prettier-ignore
          if (bytes === undefined) throw new DownloadHttpError('Not Found', 404, { url });
          yield bytes;
        },
      },
    });
    await updater.refresh();
    return updater;
  }

  /** Opens the event, signs it with the key of claimed, imports it. Returns what the signer was shown. */
  async function move(...args: readonly string[]): Promise<string> {
    const opened = await rind('claims', 'move', ...args, '--data', 'data', '--json');
    const { event, path } = JSON.parse(opened.stdout) as { event: string; path: string };
    // Said twice, the same event is open.
    expect((await rind('claims', 'move', ...args, '--data', 'data')).stderr).toContain(event);
    const key = `file2:${join('data', 'offline-keys', 'claimed.json')}`;
    const { stdout } = await rind('sign', path, '--key', key, '--secret', `file:${join('data', 'offline-keys', 'passphrase')}`, '--trusted', join('data', 'tree', 'metadata', '1.root.json'), '--event', event); // prettier-ignore
    expect((await rind('ceremony', 'import', path, '--data', 'data')).stderr).toContain(
      'the bundle is public',
    );
    return stdout;
  }

  async function listed(): Promise<{ state: string; ready: boolean; owners: { keyids: string[] } }> {
    const { stdout } = await rind('claims', 'list', '--data', 'data', '--json');
    const [only] = JSON.parse(stdout) as [Awaited<ReturnType<typeof listed>>];
    return only;
  }

  async function download(): Promise<Finished> {
    const pip = ['run', '--', 'pip', 'download', '--no-deps', '--no-cache-dir', '-d', 'wheels', 'demo'];
    return run(process.execPath, [rindMain, ...pip], { cwd: join(scratch.path, 'work'), env: environment });
  }

  async function newest(role: string): Promise<string> {
    const folder = join(scratch.path, 'data', 'tree', 'metadata');
    const versions = (await readdir(folder)).flatMap((name) => (name.endsWith(`.${role}.json`) ? [Number(name.split('.')[0])] : [])); // prettier-ignore
    return readFile(join(folder, `${Math.max(...versions)}.${role}.json`), 'utf8');
  }

  beforeAll(async () => {
    if (!available.present) return;
    await buildRind();
    scratch = await scratchFolder('claims-move');
    const bin = await createVirtualEnvironment(join(scratch.path, 'venv'), { withPip: true });
    environment = cleanEnvironment({ HOME: join(scratch.path, 'home'), PATH: `${bin}:${process.env['PATH'] ?? ''}` }); // prettier-ignore
    server = await RindServer.start({ folder: join(scratch.path, 'data') });
    const uploader = new Uploader(server.uploadUrl, server.token);
    expect(await uploader.upload(wheel)).toMatchObject({ status: 200 });
    uploader.close();
    await secret('passphrase', 'a passphrase of a developer');
    const token = await rind('token', 'create', '--data', 'data', '--verb', 'own', 'upload', '--project', 'demo', '--', 'laptop'); // prettier-ignore
    await secret('token', token.stdout.trim());
    await rind('trust', 'add', server.url, '--fingerprint', server.fingerprint);
    await rind('key', 'new', '--secret', 'file:passphrase');
    await rind('claim', 'demo', ...signing);
    await mkdir(join(scratch.path, 'work'));
    await writeFile(
      join(scratch.path, 'work', 'pyproject.toml'),
      '[[tool.rind.rule]]\nprojects = ["demo"]\nmust-be-claimed = true\n',
    );
  });

  afterAll(async () => {
    await server?.stop();
    await scratch?.remove();
  });

  it('move it to claimed by one signing event, and who insists on that can install it', async () => {
    const refused = await download();
    expect([refused.code, refused.stderr]).toEqual([3, expect.stringContaining('must be')]);
    expect((await (await session()).getSignedTarget(FILE))?.via).toEqual(['targets', 'recently-claimed', 'project-demo']); // prettier-ignore
    expect(await listed()).toMatchObject({ state: 'recently-claimed', ready: true });

    const [key = ''] = (await listed()).owners.keyids;
    const shown = await move('--all');
    expect(shown).toContain('project demo: added');
    expect(shown).toContain(`+ ${key}`);
    expect(await listed()).toMatchObject({ state: 'claimed', ready: false, owners: { keyids: [key] } });
    const found = await (await session()).getSignedTarget(FILE);
    expect(found).toMatchObject({ role: 'project-demo', via: ['targets', 'claimed', 'project-demo'] });
    expect(await newest('recently-claimed')).not.toContain('project-demo');
    const installed = await download();
    expect([installed.code, installed.output]).toEqual([0, expect.any(String)]);
    expect(await readFile(join(scratch.path, 'work', 'wheels', wheel.filename))).toEqual(Buffer.from(wheel.bytes)); // prettier-ignore
    expect((await rind('claims', 'move', '--all', '--data', 'data')).stderr).toContain('nothing to move');
  });

  it('give a claimed project the keys that its owners signed', async () => {
    const [old = ''] = (await listed()).owners.keyids;
    await secret('second', 'another passphrase of a developer');
    await rind('key', 'new', 'file2:second.json', '--secret', 'file:second');
    await rind('key', 'rotate', 'demo', 'file2:second.json', '--new-secret', 'file:second', ...signing);
    expect(await listed()).toMatchObject({ state: 'claimed', ready: true, owners: { keyids: [old] } });
    const shown = await move('demo');
    expect(shown).toContain('project demo: re-keyed');
    expect(shown).toContain(`- ${old}`);
    const [fresh = ''] = (await listed()).owners.keyids;
    expect(fresh).not.toBe(old);
    expect(await newest('claimed')).toContain(fresh);
    expect(await newest('claimed')).not.toContain(old);
    expect((await (await session()).getSignedTarget(FILE))?.via).toEqual(['targets', 'claimed', 'project-demo']); // prettier-ignore
  });

  it('undo a claim whose keys are lost, and its owner claims it with another key', async () => {
    const reset = ['claims', 'reset', 'demo', '--data', 'data'];
    const refused = await run(process.execPath, [rindMain, ...reset], { cwd: scratch.path, env: environment }); // prettier-ignore
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('rind claims move --remove demo')]); // prettier-ignore
    expect(await move('--remove', 'demo')).toContain('project demo: removed');
    const role = async () => (await (await session()).getSignedTarget(FILE))?.role;
    expect(await role()).toMatch(/^bin-/);
    await rind('claim', 'demo', ...signing);
    expect(await role()).toBe('project-demo');
    expect((await rind(...reset)).stderr).toContain('demo is claimed no more');
    expect(await role()).toMatch(/^bin-/);
  });
});
