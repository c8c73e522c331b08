import { spawn } from 'node:child_process';
import { appendFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { timeText } from '../../src/testing/repository-simulator.ts';
import { SimulatedIndex } from '../support/simulated-index.ts';
import { makeSdist, makeWheel } from '../tools/distribution.ts';
import { cleanEnvironment, run, succeed } from '../tools/process.ts';
import { createVirtualEnvironment, pythonTools } from '../tools/python-tools.ts';
import { buildRind, rindMain, scratchFolder } from '../tools/rind-program.ts';
import { whenAvailable } from '../tools/unavailable.ts';
import { CleanClient, fingerprintOf, served } from './clean-client.ts';

const tools = whenAvailable(pythonTools);
let scratch: Awaited<ReturnType<typeof scratchFolder>>;
let index: SimulatedIndex;
let counter = 0;

beforeAll(async () => {
  await buildRind();
  scratch = await scratchFolder('client');
  index = await SimulatedIndex.start();
  for (const name of ['demo', 'dep']) {
    const requires = name === 'demo' ? ['dep'] : [];
    const wheels = ['1.0', '2.0'].map((version) => makeWheel({ name, version, requires, padding: 2_000 }));
    index.addProject(
      name,
      wheels.map((wheel) => served(wheel, requires)),
    );
  }
  index.addProject('built', [served(makeSdist({ name: 'built', version: '1.0' }))]);
});

afterAll(async () => {
  await index?.close();
  await scratch?.remove();
});

afterEach(() => index.behave());

async function newClient(): Promise<CleanClient> {
  counter += 1;
  const client = await CleanClient.create(join(scratch.path, `home-${counter}`), tools.value.bin);
  expect(await client.trust(index)).toMatchObject({ code: 0 });
  return client;
}

async function newPython(): Promise<string> {
  counter += 1;
  const bin = await createVirtualEnvironment(join(scratch.path, `venv-${counter}`), { withPip: false });
  return join(bin, 'python');
}

async function installed(python: string): Promise<string[]> {
  const libraries = join(dirname(dirname(python)), 'lib');
  const [version = ''] = await readdir(libraries);
  const names = await readdir(join(libraries, version, 'site-packages'));
  return names.filter((name) => name.endsWith('.dist-info')).toSorted();
}

const installers: [string, (python: string, ...args: string[]) => string[]][] = [
  ['pip', (python, ...args) => ['pip', '--python', python, 'install', '--no-cache-dir', ...args]],
  [
    'uv',
    (python, ...args) => ['run', '--', 'uv', 'pip', 'install', '--no-cache', '--python', python, ...args],
  ],
];

describe.each(installers)('rind in front of %s', (tool, command) => {
  it('installs what verifies, with the dependencies', async () => {
    const [client, python] = [await newClient(), await newPython()];
    const finished = await client.run(command(python, 'demo'));
    expect(finished.code, finished.output).toBe(0);
    expect(await installed(python)).toEqual(['demo-2.0.dist-info', 'dep-2.0.dist-info']);
  });

  it.each([
    ['page', /^simple\/dep\//],
    ['file', /^packages\/dep\/.*dep-2\.0.*whl$/],
    ['core metadata', /dep-2\.0.*metadata$/],
    ['snapshot', /snapshot\.json$/],
  ])('falls back to nothing when the %s of a dependency was changed', async (_name, paths) => {
    const [client, python] = [await newClient(), await newPython()];
    // Something new, so that nothing of the metadata is on this machine already.
    index.repository.publish(['snapshot', 'timestamp']);
    index.tamper(paths);
    const finished = await client.run(command(python, 'demo'));
    expect(finished.code, finished.output).toBe(3);
    expect(finished.stderr).toMatch(/^error: .* did not verify \(tampered|wrongly-signed|malformed\)$/m);
    expect(finished.stderr).toMatch(/what it may mean: .*\n {2}what to do: /);
    expect(await installed(python)).toEqual([]);
  });

  it('takes nothing but what the trusted index signed, whatever the environment names', async () => {
    const [client, python] = [await newClient(), await newPython()];
    const wheels = join(scratch.path, `wheels-${counter}`);
    await mkdir(wheels);
    const evil = makeWheel({ name: 'demo', version: '9.0' });
    await writeFile(join(wheels, evil.filename), evil.bytes);
    await writeFile(join(client.home, 'pip.conf'), `[global]\nfind-links = ${wheels}\n`);
    await writeFile(join(client.home, 'uv.toml'), `find-links = ["${wheels}"]\n`);
    const finished = await client.run(command(python, 'demo'), {
      PIP_FIND_LINKS: wheels,
      PIP_EXTRA_INDEX_URL: 'http://127.0.0.1:9/simple/',
      PIP_CONFIG_FILE: join(client.home, 'pip.conf'),
      UV_FIND_LINKS: wheels,
      UV_CONFIG_FILE: join(client.home, 'uv.toml'),
      HTTP_PROXY: 'http://127.0.0.1:9',
      NO_PROXY: '*',
    });
    expect(finished.code, finished.output).toBe(0);
    expect(await installed(python)).toEqual(['demo-2.0.dist-info', 'dep-2.0.dist-info']);
    if (tool === 'pip') expect(finished.stderr).toContain('to http://127.0.0.1:9 refused');
  });

  it('ends with the code of the installer and says what the index does not have', async () => {
    const [client, python] = [await newClient(), await newPython()];
    const finished = await client.run(command(python, 'nowhere'));
    expect(finished.code).toBe(1);
    expect(finished.stderr).toContain(`hint: ${index.url} has no project named nowhere`);
  });

  it('says that the clock or the index is behind when the signatures expired', async () => {
    const [client, python] = [await newClient(), await newPython()];
    const { timestamp } = index.repository;
    const expires = timestamp.expires;
    try {
      timestamp.expires = timeText(new Date(Date.now() - 60_000));
      index.repository.publish(['timestamp']);
      const finished = await client.run(command(python, 'demo'));
      expect(finished.code, finished.output).toBe(3);
      expect(finished.stderr).toContain('did not verify (expired)');
      expect(finished.stderr).toContain('Check the clock');
      expect(await installed(python)).toEqual([]);
    } finally {
      timestamp.expires = expires;
      index.repository.publish(['timestamp']);
    }
  });
});

describe('rind in front of a uv project', () => {
  it.each([
    ['an index of its own', '[[tool.uv.index]]\nname = "evil"\nurl = "WHEELS"\nformat = "flat"\n'],
    [
      'an index for one project',
      '[[tool.uv.index]]\nname = "evil"\nurl = "WHEELS"\nformat = "flat"\n[tool.uv.sources]\ndemo = { index = "evil" }\n',
    ],
    ['a place for wheels', '[tool.uv]\nfind-links = ["WHEELS"]\n'],
    ['a URL for one project', '[tool.uv.sources]\ndemo = { url = "WHEELS/demo-9.0-py3-none-any.whl" }\n'],
  ])('does not start while pyproject.toml names %s on this machine', async (_what, settings) => {
    const client = await newClient();
    const wheels = join(client.home, 'wheels');
    const project = join(client.home, 'project');
    await mkdir(project, { recursive: true });
    const head = '[project]\nname = "x"\nversion = "0"\nrequires-python = ">=3.9"\ndependencies = ["demo"]\n';
    await writeFile(
      join(project, 'pyproject.toml'),
      head + settings.replaceAll('WHEELS', `file://${wheels}`),
    );
    const finished = await client.run(['run', '--', 'uv', '--directory', project, 'sync']);
    expect(finished).toMatchObject({ code: 2, stdout: '' });
    expect(finished.stderr).toContain('which is on this machine and which nobody signed');
    expect(existsSync(join(project, '.venv'))).toBe(false);
  });

  it.each([
    ['uv.toml', 'https-proxy = "http://127.0.0.1:9"\n', ['uv', 'sync']],
    ['pyproject.toml', '[tool.uv]\nhttp-proxy = "http://127.0.0.1:9"\n', ['uv', 'lock']],
    ['uv.toml', 'no-proxy = ["*"]\n', ['sh', '-c', 'uv sync']],
  ])('does not start while %s chooses the proxy (%s)', async (name, setting, command) => {
    const client = await newClient();
    const project = join(client.home, 'project');
    await mkdir(project);
    const head = '[project]\nname = "x"\nversion = "0"\nrequires-python = ">=3.9"\ndependencies = ["demo"]\n';
    await writeFile(join(project, 'pyproject.toml'), head);
    await appendFile(join(project, name), setting);
    // Wherever it is started.
    const finished = await client.run(['run', '--', ...command], { UV_PROJECT: 'project' });
    expect(finished).toMatchObject({ code: 2, stdout: '' });
    expect(finished.stderr).toContain('which uv takes before the proxy of this run');
    expect(existsSync(join(project, 'uv.lock'))).toBe(false);
  });

  it('ends at an index that nobody trusts', async () => {
    const client = await newClient();
    const project = join(client.home, 'project');
    await mkdir(project);
    await writeFile(
      join(project, 'pyproject.toml'),
      '[project]\nname = "x"\nversion = "0"\nrequires-python = ">=3.9"\ndependencies = ["demo"]\n' +
        '[[tool.uv.index]]\nname = "evil"\nurl = "http://127.0.0.1:9/simple/"\n',
    );
    const args = ['run', '--', 'uv', '--directory', project, 'sync'];
    const finished = await client.run(args, { UV_NO_CONFIG: '0' });
    expect(finished.code, finished.output).not.toBe(0);
    expect(finished.stderr).toContain('to http://127.0.0.1:9 refused');
    expect(existsSync(join(project, 'uv.lock'))).toBe(false);
  });
});

describe('rind pip', () => {
  it('starts nothing when the arguments go around the proxy', async () => {
    const client = await newClient();
    const asked = index.requests.length;
    for (const args of [
      ['install', '--find-links', '/srv/wheels', 'demo'],
      ['install', 'demo @ git+ssh://evil.example/demo'],
      ['install', '-r', join(client.home, 'requirements.txt')],
    ]) {
      await writeFile(join(client.home, 'requirements.txt'), 'dep\n--find-links /srv/wheels\n');
      const finished = await client.run(['pip', ...args]);
      expect(finished.code, finished.output).toBe(2);
      expect(finished.stderr).toMatch(/^error: .+\.\nhint: .+\n$/);
    }
    expect(index.requests).toHaveLength(asked);
  });

  it('builds an sdist once and keeps the wheel apart from caches of unverified things', async () => {
    const client = await newClient();
    const poisoned = join(client.home, 'users-own-cache');
    for (const expected of ['Building wheel for built', 'Using cached built']) {
      const python = await newPython();
      const finished = await client.run(
        ['pip', '--python', python, 'install', '--no-build-isolation', 'built'],
        {
          PIP_CACHE_DIR: poisoned,
        },
      );
      expect(finished.code, finished.output).toBe(0);
      expect(await installed(python)).toEqual(['built-1.0.dist-info']);
      if (expected.startsWith('Using')) expect(finished.output).not.toContain('Building wheel');
      else expect(finished.output).toContain(expected);
    }
    expect(existsSync(poisoned)).toBe(false);
  });

  it('uses the active virtual environment, also when that has no pip of its own', async () => {
    const client = await newClient();
    for (const withPip of [false, true]) {
      counter += 1;
      const venv = join(scratch.path, `venv-${counter}`);
      const bin = await createVirtualEnvironment(venv, { withPip });
      const finished = await client.run(['pip', 'install', 'dep'], { VIRTUAL_ENV: venv });
      expect(finished.code, finished.output).toBe(0);
      expect(await installed(join(bin, 'python'))).toContain('dep-2.0.dist-info');
    }
  });
});

describe('rind run', () => {
  /** Asks for a page as any program could, with a grandchild that would outlive its parent. */
  const program = `
import os, subprocess, sys, time, urllib.request
grandchild = subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"])
print(grandchild.pid, flush=True)
urllib.request.urlopen(os.environ["PIP_INDEX_URL"] + "dep/")
time.sleep(600)
`;

  function isRunning(pid: number): Promise<boolean> {
    return readFile(`/proc/${pid}/stat`, 'utf8').then(
      (stat) => !/\) [ZX] /.test(stat),
      () => false,
    );
  }

  it.runIf(process.platform === 'linux')(
    'ends the command and all it started when something does not verify',
    async () => {
      const client = await newClient();
      index.tamper(/^simple\/dep\//);
      const finished = await client.run(['run', '--', tools.value.python, '-c', program]);
      expect(finished.code, finished.output).toBe(3);
      const grandchild = Number(finished.stdout.trim());
      expect(grandchild).toBeGreaterThan(1);
      expect(await isRunning(grandchild)).toBe(false);
    },
  );

  it('hands on exit codes, signals, arguments, input and output untouched', async () => {
    const client = await newClient();
    const echo = await client.run([
      'run',
      'sh',
      '-c',
      'echo "$@" >&2; printf %s "$0"; exit 41',
      '--index',
      '-x',
      '--',
      '--help',
    ]);
    expect(echo).toMatchObject({ code: 41, stdout: '--index', stderr: '-x -- --help\n' });
    expect(await client.run(['run', '--', 'sh', '-c', 'kill -TERM $$'])).toMatchObject({
      code: null,
      signal: 'SIGTERM',
    });
  });

  it('sends an interrupt on to the command and ends by it', async () => {
    const client = await newClient();
    const script =
      'trap "echo cleaned; trap - INT; kill -INT $$" INT; echo ready; while :; do sleep 0.05; done';
    const child = spawn(process.execPath, [rindMain, 'run', '--', 'sh', '-c', script], {
      env: cleanEnvironment(client.environment),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    while (!output.includes('ready')) await delay(20);
    const ended = new Promise<NodeJS.Signals | null>((resolve) =>
      child.once('exit', (_code, signal) => resolve(signal)),
    );
    child.kill('SIGINT');
    expect(await ended).toBe('SIGINT');
    expect(output).toBe('ready\ncleaned\n');
  });

  it('says so when there is no such program, no trust, or no index', async () => {
    const client = await newClient();
    expect(await client.run(['run', '--', 'no-such-installer'])).toMatchObject({
      code: 1,
      stderr: 'error: no-such-installer could not be started: there is no such program.\n',
    });
    const stranger = await CleanClient.create(join(scratch.path, 'stranger'), tools.value.bin);
    const finished = await stranger.run(['pip', 'install', 'demo']);
    expect(finished).toMatchObject({ code: 1, stdout: '' });
    expect(finished.stderr).toMatch(/^error: No index is trusted .*\nhint: rind trust add URL/);
  });

  it('ends with 1, not 3, when the index cannot be reached', async () => {
    const gone = await SimulatedIndex.start();
    const client = await CleanClient.create(join(scratch.path, 'cut-off'), tools.value.bin);
    expect(await client.trust(gone)).toMatchObject({ code: 0 });
    await gone.close();
    const python = await newPython();
    const finished = await client.run(['pip', '--python', python, 'install', 'demo']);
    expect(finished.code, finished.output).toBe(1);
    expect(finished.stderr).toContain('could not be verified (unreachable)');
    expect(await installed(python)).toEqual([]);
  });

  it('leaves nothing behind but what it keeps on purpose', async () => {
    const client = await newClient();
    const python = await newPython();
    expect(await client.run(['pip', '--python', python, 'install', 'dep'])).toMatchObject({ code: 0 });
    const [id = ''] = await readdir(join(client.home, 'rind', 'trust'));
    expect(await readdir(join(client.home, 'rind', 'cache', id, 'files'))).toEqual(['store']);
  });
});

describe('rind proxy', () => {
  async function startProxy(client: CleanClient): Promise<{ url: string; stop: () => Promise<string> }> {
    const child = spawn(process.execPath, [rindMain, 'proxy'], {
      env: cleanEnvironment(client.environment),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let url = '';
    let talk = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (url += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (talk += text));
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    while (!url.endsWith('\n')) await delay(20);
    return {
      url: url.trim(),
      stop: async () => {
        child.kill('SIGTERM');
        expect(await ended).toBe(0);
        return talk;
      },
    };
  }

  const clients: [string, (python: string, url: string, ...args: string[]) => [string, string[]]][] = [
    [
      'pip',
      (python, url, ...args) => [
        tools.value.pip,
        ['--python', python, 'install', '--no-cache-dir', '-i', url, ...args],
      ],
    ],
    [
      'uv',
      (python, url, ...args) => [
        tools.value.uv,
        ['pip', 'install', '--no-cache', '--python', python, '--default-index', url, ...args],
      ],
    ],
  ];

  it.each(clients)('serves what verifies to %s, and fails closed by its answers', async (tool, command) => {
    const client = await newClient();
    const proxy = await startProxy(client);
    // A healthy index with the same versions, which no installer may quietly turn to.
    const wheel = makeWheel({ name: 'dep', version: '2.0' });
    const healthy = createServer((request, response) => {
      if (request.url?.endsWith('.whl')) return void response.end(wheel.bytes);
      response
        .writeHead(200, { 'content-type': 'text/html' })
        .end(`<a href="/${wheel.filename}">${wheel.filename}</a>`);
    });
    await new Promise<void>((resolve) => healthy.listen(0, '127.0.0.1', resolve));
    const other = `http://127.0.0.1:${(healthy.address() as AddressInfo).port}/simple/`;
    try {
      for (const [paths, wanted] of [
        [/^simple\/dep\//, ['dep']],
        [/^simple\/dep\//, ['dep==2.0']],
        [/^simple\/dep\//, ['dep==1.0', '--no-deps']],
        [/^simple\/dep\//, ['dep', '--extra-index-url', other]],
        [/^simple\/dep\//, ['dep==2.0', '--extra-index-url', other]],
        [/^packages\/dep\/.*2\.0.*whl$/, ['dep']],
        [/^packages\/dep\/.*1\.0.*metadata$/, ['dep==1.0', '--pre']],
      ] as const) {
        // uv asks its extra index first by its own rule ("first index"): there the proxy is never asked.
        if (tool === 'uv' && wanted.some((word) => word === '--extra-index-url')) continue;
        const python = await newPython();
        index.tamper(paths);
        const [program, args] = command(python, proxy.url, ...wanted);
        const finished = await run(program, args, { env: cleanEnvironment() });
        expect(finished.code, `${wanted.join(' ')}\n${finished.output}`).not.toBe(0);
        expect(finished.output, wanted.join(' ')).toContain('rind refuses');
        expect(await installed(python)).toEqual([]);
        index.behave();
      }
      const python = await newPython();
      const [program, args] = command(python, proxy.url, 'demo');
      await succeed(program, args, { env: cleanEnvironment() });
      expect(await installed(python)).toEqual(['demo-2.0.dist-info', 'dep-2.0.dist-info']);
    } finally {
      healthy.close();
      expect(await proxy.stop()).toContain('did not verify (tampered)');
    }
  });

  it('has the same URL again on the same port, and says so when the port is taken', async () => {
    const client = await newClient();
    const first = await startProxy(client);
    const { port } = new URL(first.url);
    const refused = await client.run(['proxy', '--port', port]);
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toBe(
      `error: Port ${port} on 127.0.0.1 is in use.\nhint: leave --port out to take any that is free\n`,
    );
    const second = await startProxy(client);
    expect(new URL(second.url).pathname).toBe(new URL(first.url).pathname);
    expect(second.url).not.toBe(first.url);
    await first.stop();
    await second.stop();
  });
});

describe('rind trust', () => {
  let client: CleanClient;
  beforeAll(async () => {
    client = await CleanClient.create(join(scratch.path, 'truster'), dirname(process.execPath));
  });

  it('adds, lists, shows and removes, with data on stdout and talk on stderr', async () => {
    const fingerprint = await fingerprintOf(index);
    const added = await client.run([
      'trust',
      'add',
      `${index.url}simple/`,
      '--fingerprint',
      fingerprint.toUpperCase(),
    ]);
    expect(added).toMatchObject({ code: 0, stdout: '' });
    expect(added.stderr).toContain(`${index.url} is trusted from now on\n`);
    expect(await client.trust(index)).toMatchObject({
      code: 0,
      stderr: `${index.url} is trusted already, with this root\n`,
    });
    expect(await client.run(['trust', 'list'])).toMatchObject({
      stdout: `${index.url}  root 1  ${fingerprint}  by its fingerprint\n`,
      stderr: '',
    });
    const shown = await client.run(['trust', 'show']);
    expect(shown.stdout).toMatch(/newest root +root 1, [0-9a-f]{64}, expires 20/);
    expect(shown.stdout).toMatch(/last seen +timestamp \d+, expires 20/);
    const json = JSON.parse((await client.run(['trust', 'show', index.url, '--json'])).stdout) as object;
    expect(json).toMatchObject({ url: index.url, fingerprint, newestRoot: { version: 1 } });
    expect(await client.run(['trust', 'remove', index.url])).toMatchObject({
      code: 0,
      stderr: `${index.url} is no longer trusted\n`,
    });
    expect(await client.run(['trust', 'list', '--json'])).toMatchObject({ stdout: '[]\n' });
    expect(await client.run(['trust', 'remove', index.url])).toMatchObject({ code: 1 });
  });

  it('wants exactly one reason to trust', async () => {
    const none = await client.run(['trust', 'add', index.url]);
    expect(none.code).toBe(2);
    expect(none.stderr).toContain('--trust-on-first-use');
    const both = await client.run([
      'trust',
      'add',
      index.url,
      '--trust-on-first-use',
      '--fingerprint',
      '0'.repeat(64),
    ]);
    expect(both.code).toBe(2);
    expect(await client.run(['trust', 'add', index.url, '--fingerprint', 'abc'])).toMatchObject({ code: 2 });
    expect(
      await client.run(['trust', 'add', 'http://packages.example/', '--trust-on-first-use']),
    ).toMatchObject({
      code: 2,
    });
  });

  it('trusts nothing when the root is another one, is signed by others, or does not lead to the index', async () => {
    const wrong = await client.run(['trust', 'add', index.url, '--fingerprint', '0'.repeat(64)]);
    expect(wrong.code).toBe(3);
    expect(wrong.stderr).toContain(`has the fingerprint ${await fingerprintOf(index)}`);

    const file = join(client.home, 'root.json');
    await writeFile(file, index.repository.sign('root', index.repository.signers('timestamp')));
    expect(await client.run(['trust', 'add', index.url, '--root', file])).toMatchObject({ code: 3 });

    const stranger = await SimulatedIndex.start();
    await writeFile(file, stranger.repository.initialRoot);
    const misled = await client.run(['trust', 'add', index.url, '--root', file]);
    expect(misled.code, misled.output).toBe(3);
    expect(misled.stderr).toContain('did not verify (wrongly-signed)');
    expect(misled.stderr).toContain('hint: nothing was trusted');

    expect(
      await client.run(['trust', 'add', stranger.url, '--root', join(client.home, 'no-such.json')]),
    ).toMatchObject({
      code: 1,
    });
    await stranger.close();
    expect(await client.run(['trust', 'add', stranger.url, '--trust-on-first-use'])).toMatchObject({
      code: 1,
    });
    expect(await client.run(['trust', 'list'])).toMatchObject({ stdout: '' });

    // A root from a file is enough while the index is away: an image may be built without network.
    const offline = await client.run(['trust', 'add', stranger.url, '--root', file]);
    expect(offline.code, offline.output).toBe(0);
    expect(offline.stderr).toContain('warning: the index could not be asked');
    await client.run(['trust', 'remove', stranger.url]);
  });

  it('says what trust on first use is worth', async () => {
    const finished = await client.run(['trust', 'add', index.url, '--trust-on-first-use']);
    expect(finished.code).toBe(0);
    expect(finished.stderr).toContain('warning: nobody vouched for this root');
    expect(finished.stderr).toContain(await fingerprintOf(index));
    await client.run(['trust', 'remove', index.url]);
  });

  it('follows the root through any number of rotations', async () => {
    const rotating = await SimulatedIndex.start();
    for (let version = 2; version <= 5; version += 1) {
      rotating.repository.rotateKeys('timestamp');
      rotating.repository.publish(['root', 'timestamp']);
    }
    const finished = await client.trust(rotating);
    expect(finished.code, finished.output).toBe(0);
    expect((await client.run(['trust', 'show', rotating.url])).stdout).toMatch(
      /began with +root 1, .*\nnewest root +root 5,/,
    );
    await rotating.close();
  });
});
