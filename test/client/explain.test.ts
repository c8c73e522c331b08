import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { appendFile, copyFile, mkdir, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { flipByte, SimulatedIndex } from '../support/simulated-index.ts';
import { makeWheel } from '../tools/distribution.ts';
import { cleanEnvironment } from '../tools/process.ts';
import { createVirtualEnvironment, pythonTools } from '../tools/python-tools.ts';
import { buildRind, scratchFolder } from '../tools/rind-program.ts';
import { whenAvailable } from '../tools/unavailable.ts';
import { CleanClient, fingerprintOf, served } from './clean-client.ts';

const tools = whenAvailable(pythonTools);
const DEMO = makeWheel({ name: 'demo', version: '1.0', requires: ['acme-core'] });
const CORE = makeWheel({ name: 'acme-core', version: '1.0' });

let scratch: Awaited<ReturnType<typeof scratchFolder>>;
let index: SimulatedIndex;
let counter = 0;
const servers: ChildProcess[] = [];

beforeAll(async () => {
  await buildRind();
  scratch = await scratchFolder('explain');
  index = await SimulatedIndex.start();
  index.addProject('demo', [served(DEMO, ['acme-core'])]);
  index.addProject('acme-core', [served(CORE)]);
  index.addClaimedProject('claimed', [served(makeWheel({ name: 'claimed', version: '1.0' }))]);
});

afterEach(() => {
  index.behave();
  for (const server of servers.splice(0)) server.kill();
});

afterAll(async () => {
  await index?.close();
  await scratch?.remove();
});

async function trustingClient(): Promise<CleanClient> {
  counter += 1;
  const client = await CleanClient.create(join(scratch.path, `home-${counter}`), tools.value.bin);
  expect((await client.trust(index)).code).toBe(0);
  return client;
}

/** Any static server: Python's own. Its base URL. */
async function serve(folder: string): Promise<string> {
  const args = ['-u', '-m', 'http.server', '--bind', '127.0.0.1', '--directory', folder, '0'];
  const server = spawn(tools.value.python, args, {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: cleanEnvironment(),
  });
  servers.push(server);
  for await (const line of createInterface({ input: server.stdout })) {
    const port = /port ([0-9]+)/.exec(line)?.[1];
    if (port !== undefined) return `http://127.0.0.1:${port}/`;
  }
  throw new Error('http.server did not start');
}

describe('rind mirror', () => {
  it('makes a copy that any static server serves and pip installs from, verified', async () => {
    const [client, folder] = [await trustingClient(), join(scratch.path, 'mirror')];
    const first = await client.run(['mirror', index.url, folder, '--json']);
    expect(first).toMatchObject({ code: 0 });
    expect(JSON.parse(first.stdout)).toMatchObject({ targets: 9, fetched: 12 });
    const again = await client.run(['mirror', index.url, folder, '--json']);
    expect(JSON.parse(again.stdout)).toMatchObject({ targets: 9, fetched: 0 });
    expect(await readFile(join(folder, 'simple/demo/index.html'), 'utf8')).toContain('demo-1.0');

    const [reader, url] = [
      await CleanClient.create(join(scratch.path, 'reader'), tools.value.bin),
      await serve(folder),
    ];
    const root = join(folder, 'metadata', '1.root.json');
    expect((await reader.run(['trust', 'add', url, '--root', root])).code).toBe(0);
    const bin = await createVirtualEnvironment(join(reader.home, 'venv'), { withPip: false });
    const pip = ['pip', '--python', join(bin, 'python'), 'install', 'demo'];
    expect(await reader.run(pip)).toMatchObject({ code: 0 });

    const [damaged = ''] = (await readdir(join(folder, 'packages/acme-core'))).filter((name) =>
      /^[0-9a-f]{64}\..*whl$/.test(name),
    );
    const path = join(folder, 'packages/acme-core', damaged);
    await writeFile(path, flipByte(await readFile(path)));
    await rm(join(reader.home, 'rind', 'cache'), { recursive: true });
    const forced = await reader.run([...pip, '--force-reinstall']);
    expect(forced).toMatchObject({ code: 3 });
    expect(forced.stderr).toContain('tampered');
    expect((await client.run(['mirror', index.url, folder, '--recheck'])).code).toBe(0);
    expect((await reader.run([...pip, '--force-reinstall'])).code).toBe(0);
  });

  it('stands in for an index that is away, and what it gave once is there without any network', async () => {
    const [client, folder] = [await trustingClient(), join(scratch.path, 'stand-in')];
    expect((await client.run(['mirror', index.url, folder])).code).toBe(0);
    const reader = await CleanClient.create(join(scratch.path, 'away'), tools.value.bin);
    const url = await serve(folder);
    await writeFile(
      join(reader.home, 'pyproject.toml'),
      `[[tool.rind.index]]\nname = "away"\nurl = "http://127.0.0.1:9/"\nmirrors = ["${url}"]\nroot-sha256 = "${await fingerprintOf(index)}"\n`,
    );
    const bin = await createVirtualEnvironment(join(reader.home, 'venv'), { withPip: false });
    const pip = [
      'pip',
      '--python',
      join(bin, 'python'),
      'install',
      '--force-reinstall',
      '--no-cache-dir',
      'demo',
    ];
    expect(await reader.run(pip)).toMatchObject({ code: 0 });
    for (const server of servers.splice(0)) server.kill();
    const offline = await reader.run(pip);
    expect(offline).toMatchObject({ code: 0, stderr: expect.stringContaining('cannot be reached') });
    const asked = await reader.run(['pip', '--offline', ...pip.slice(1)]);
    expect(asked).toMatchObject({ code: 0, stderr: expect.stringContaining('is not asked') });
    expect((await reader.run([...pip.slice(0, -1), 'claimed'])).code).toBe(1);
  });

  it('leaves the snapshot before when the index shows something forged, and goes on later', async () => {
    const [client, folder] = [await trustingClient(), join(scratch.path, 'cut')];
    const timestamp = (): Promise<string> => readFile(join(folder, 'metadata/timestamp.json'), 'utf8');
    index.tamper(/demo-1\.0-py3-none-any\.whl$/);
    expect(await client.run(['mirror', index.url, folder])).toMatchObject({ code: 3 });
    await expect(timestamp()).rejects.toThrow('ENOENT');
    index.behave();
    expect(await client.run(['mirror', index.url, folder])).toMatchObject({ code: 0 });
    const before = await timestamp();
    index.addProject('later', [served(makeWheel({ name: 'later', version: '1.0' }))]);
    index.tamper(/later/);
    expect(await client.run(['mirror', index.url, folder])).toMatchObject({ code: 3 });
    expect(await timestamp()).toBe(before);
    index.behave();
    const after = await client.run(['mirror', index.url, folder, '--json']);
    expect(JSON.parse(after.stdout)).toMatchObject({ fetched: 4 });
  });

  it('copies the projects that are named and all metadata', async () => {
    const [client, folder] = [await trustingClient(), join(scratch.path, 'some')];
    expect((await client.run(['mirror', index.url, folder, '--projects', 'acme-*'])).code).toBe(0);
    expect(await readdir(join(folder, 'simple'))).toEqual(['acme-core']);
    expect(
      (await readdir(join(folder, 'metadata'))).filter((name) => /bin-.\.json$/.test(name)),
    ).toHaveLength(16);
    expect((await client.run(['mirror', index.url, folder, '--projects', 'a*b'])).code).toBe(2);
  });
});

describe('rind verify', () => {
  it('tells the signed file from a changed one, an unknown one and one that is none', async () => {
    const client = await trustingClient();
    const folder = join(client.home, 'dist');
    await mkdir(join(folder, 'changed'), { recursive: true });
    const [good, changed] = [join(folder, DEMO.filename), join(folder, 'changed', DEMO.filename)];
    await writeFile(good, DEMO.bytes);
    await writeFile(changed, flipByte(DEMO.bytes));
    await copyFile(good, join(folder, 'demo-9.0-py3-none-any.whl'));
    await copyFile(good, join(folder, 'nothing.txt'));
    expect(await client.run(['verify', good])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('verified'),
    });
    const mixed = await client.run(['verify', good, changed]);
    expect(mixed).toMatchObject({
      code: 3,
      stdout: expect.stringMatching(/^verified .*\nrefused .*tampered\n$/),
    });
    const unknown = await client.run([
      'verify',
      '--json',
      join(folder, 'demo-9.0-py3-none-any.whl'),
      join(folder, 'nothing.txt'),
    ]);
    expect(unknown.code).toBe(3);
    expect(JSON.parse(unknown.stdout)).toMatchObject([
      { verdict: { code: 'unknown' } },
      { verdict: { code: 'unknown' } },
    ]);
    expect((await client.run(['verify', join(folder, 'missing.whl')])).code).toBe(1);
    expect((await client.run(['verify'])).code).toBe(2);
  });

  it('finds what was changed, removed or added in an environment after the installation', async () => {
    const client = await trustingClient();
    const venv = join(client.home, 'venv');
    const bin = await createVirtualEnvironment(venv, { withPip: false });
    const python = join(bin, 'python');
    expect((await client.run(['pip', '--python', python, 'install', 'demo'])).code).toBe(0);
    const whole = await client.run(['verify', '--installed', '--python', python]);
    expect(whole).toMatchObject({ code: 0, stderr: expect.stringContaining('2 verified, 0 changed') });

    const [site = ''] = execFileSync(
      python,
      ['-c', 'import sysconfig; print(sysconfig.get_path("purelib"))'],
      { encoding: 'utf8' },
    ).split('\n');
    await writeFile(join(site, 'evil.pth'), 'import os\n');
    const stray = await client.run(['verify', '--installed'], { VIRTUAL_ENV: venv });
    expect(stray).toMatchObject({ code: 1, stdout: expect.stringContaining('evil.pth') });
    await rm(join(site, 'evil.pth'));

    const source =
      (await readdir(site, { recursive: true })).find(
        (name) => name.startsWith('demo') && name.endsWith('.py'),
      ) ?? '';
    await appendFile(join(site, source), '\nimport os\n');
    const changed = await client.run(['verify', '--installed', '--json'], { VIRTUAL_ENV: venv });
    expect(changed.code).toBe(3);
    const { results } = JSON.parse(changed.stdout) as {
      results: { name: string; outcome: string; files?: { changed: string[] } }[];
    };
    expect(results.find(({ name }) => name === 'demo')).toMatchObject({
      outcome: 'changed',
      files: { changed: [join(site, source)] },
    });
    expect(results.find(({ name }) => name === 'acme-core')).toMatchObject({ outcome: 'verified' });

    // A record that was made to fit the change fools nobody.
    const record = join(site, 'demo-1.0.dist-info', 'RECORD');
    await appendFile(record, 'hidden.py,,\n');
    await writeFile(join(site, 'hidden.py'), '');
    const added = await client.run(['verify', '--installed'], { VIRTUAL_ENV: venv });
    expect(added).toMatchObject({ code: 3, stdout: expect.stringContaining('added: ') });
  });
});

describe('rind why', () => {
  it('says what was refused last, to this user alone', async () => {
    const client = await trustingClient();
    expect((await client.run(['why'])).stderr).toContain('nothing has been refused');
    await writeFile(join(client.home, DEMO.filename), flipByte(DEMO.bytes));
    expect((await client.run(['verify', DEMO.filename])).code).toBe(3);
    const why = await client.run(['why']);
    expect(why).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/tampered[^]*what it may mean[^]*what to do/),
    });
    expect(JSON.parse((await client.run(['why', '--json'])).stdout)).toMatchObject({ code: 'tampered' });
    expect((await stat(join(client.home, 'rind', 'last-verdict.json'))).mode & 0o777).toBe(0o600);
  });
});

describe('rind doctor', () => {
  it('finds nothing where nothing is, and every way around where there are some', async () => {
    const client = await trustingClient();
    const folder = join(client.home, 'project');
    await mkdir(folder);
    expect(await client.run(['doctor'], {}, folder)).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/started by itself verifies nothing[^]*nothing goes around/),
    });
    const evil = 'https://evil.example/simple/';
    await mkdir(join(client.home, '.config', 'pip'), { recursive: true });
    await writeFile(
      join(client.home, '.config', 'pip', 'pip.conf'),
      `[global]\n--extra-index-url =\n   ${evil}pip/\n`,
    );
    await writeFile(
      join(folder, 'requirements.txt'),
      `demo\n-i ${index.url}simple/\n--find-links /srv\nx @ ${evil}x.whl\n`,
    );
    await mkdir(join(folder, 'requirements'));
    await writeFile(join(folder, 'requirements', 'dev.txt'), `--extra-index-url ${evil}dev/\n`);
    await writeFile(join(folder, 'own.txt'), `w @ ${evil}w.whl\n`);
    await writeFile(
      join(folder, 'uv.lock'),
      `source = { registry = "${evil}lock" }\nsource = { registry = "${index.url}simple" }\n`,
    );
    await writeFile(
      join(folder, 'pyproject.toml'),
      `[project]\nname = "x"\nversion = "1"\ndependencies = ["y @ ${evil}y.whl"]\n[[tool.uv.index]]\nurl = "${evil}uv/"\n[tool.poetry]\n`,
    );
    await writeFile(
      join(folder, 'Pipfile'),
      `[[source]]\nurl = "https://me:secret@evil.example/pipfile/"\n[packages]\nz = {git = "ssh://evil.example/z"}\n`,
    );
    const environment = {
      UV_FROZEN: '1',
      UV_HTTP_PROXY: 'http://127.0.0.1:1/',
      NO_PROXY: '127.0.0.1',
      PIP_FIND_LINKS: '/srv/wheels',
      UV_INDEX: `${index.url}simple/`,
      PIP_CONSTRAINT: `${evil}constraints.txt own.txt`,
    };
    const sick = await client.run(['doctor', '--json'], environment, folder);
    expect(sick.code).toBe(1);
    const { findings } = JSON.parse(sick.stdout) as { findings: { place: string; what: string }[] };
    const text = findings.map(({ place, what }) => `${place}: ${what}`).join('\n');
    for (const part of [
      'UV_FROZEN',
      'UV_HTTP_PROXY',
      'NO_PROXY',
      '/srv/wheels',
      'simple/pip/',
      'requirements.txt, line 3',
      'x.whl',
      'y.whl',
      'simple/uv/',
      'pypi.org',
      '***@evil.example/pipfile',
      'ssh://',
      'uv.lock',
      'simple/dev/',
      'w.whl',
      'constraints.txt',
    ])
      expect(text).toContain(part);
    expect(text).not.toContain('secret');
    expect(text).not.toContain(index.url);
    expect((await client.run(['doctor'], environment, folder)).stdout).toContain('rind run');
  });
});

describe('rind inspect', () => {
  it('shows who signs for whom as a table, a tree, JSON and a drawing', async () => {
    const client = await trustingClient();
    const shown = await client.run(['inspect', index.url, '--svg', 'tree.svg']);
    expect(shown).toMatchObject({ code: 0 });
    expect(shown.stdout).toMatch(/^role +version +expires +keys +signs for +targets\nroot +1 /);
    expect(shown.stdout).toMatch(/├── claimed {2}1 of 1 key.*\n {4}│ {3}└── project-claimed {2}1 of 1 key/);
    expect(shown.stdout).toMatch(/└── bin-0 … bin-f/);
    const drawing = await readFile(join(client.home, 'tree.svg'), 'utf8');
    for (const name of ['root', 'timestamp', 'snapshot', 'targets', 'project-claimed', 'bin-0 … bin-f'])
      expect(drawing).toContain(`>${name}</text>`);
    const { roles } = JSON.parse((await client.run(['inspect', index.url, '--json'])).stdout) as {
      roles: { name: string }[];
    };
    expect(roles.find(({ name }) => name === 'bin-0 … bin-f')).toMatchObject({
      count: 16,
      delegatedBy: 'targets',
      threshold: 1,
    });
    const stranger = await CleanClient.create(join(scratch.path, 'stranger'), tools.value.bin);
    expect(await stranger.run(['inspect', index.url])).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('nobody vouches'),
    });
    index.tamper(/project-claimed\.json$/);
    const forged = await stranger.run(['inspect', index.url]);
    expect(forged).toMatchObject({ code: 3, stdout: expect.stringContaining('NOT VERIFIED') });
  });
});
