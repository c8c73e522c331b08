import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { flipByte } from '../support/simulated-index.ts';
import { makeWheel } from '../tools/distribution.ts';
import { installers } from '../tools/installers.ts';
import type { Finished } from '../tools/process.ts';
import { createVirtualEnvironment } from '../tools/python-tools.ts';
import { buildRind, scratchFolder } from '../tools/rind-program.ts';
import { whenAvailable } from '../tools/unavailable.ts';
import { CleanClient, fingerprintOf, served } from './clean-client.ts';
import { HiddenIndex } from './intercept-world.ts';

const found = whenAvailable(installers);
const WHEEL = 'dep-2.0-py3-none-any.whl';
let scratch: Awaited<ReturnType<typeof scratchFolder>>;
let hidden: HiddenIndex;
let client: CleanClient;
let stranger: Server;
let strangerUrl: string;
let strangerAsked = 0;
let counter = 0;

beforeAll(async () => {
  await buildRind();
  scratch = await scratchFolder('intercept');
  hidden = await HiddenIndex.start(join(scratch.path, 'authority.pem'));
  for (const name of ['demo', 'dep']) {
    const requires = name === 'demo' ? ['dep'] : [];
    const wheels = ['1.0', '2.0'].map((version) => makeWheel({ name, version, requires, padding: 2_000 }));
    hidden.index.addProject(
      name,
      wheels.map((wheel) => served(wheel, requires)),
    );
  }
  const newer = makeWheel({ name: 'dep', version: '9.0' });
  stranger = createServer((request, response) => {
    strangerAsked += 1;
    if (request.url?.endsWith('.whl')) return void response.end(newer.bytes);
    const link = `<a href="/${newer.filename}">${newer.filename}</a>`;
    response.writeHead(200, { 'content-type': 'text/html' }).end(link);
  });
  await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve));
  strangerUrl = `http://127.0.0.1:${(stranger.address() as AddressInfo).port}/simple/`;
  client = await CleanClient.create(join(scratch.path, 'home'), found.value.bin);
  const fingerprint = await fingerprintOf(hidden.index);
  expect(await rind(['trust', 'add', hidden.url, '--fingerprint', fingerprint])).toMatchObject({ code: 0 });
});

afterAll(async () => {
  await hidden?.close();
  stranger?.closeAllConnections();
  stranger?.close();
  await scratch?.remove();
});

afterEach(() => {
  hidden.index.behave();
  strangerAsked = 0;
});

function rind(args: readonly string[], env: Record<string, string> = {}): Promise<Finished> {
  const { tools, bin, pdm } = found.value;
  const path = [dirname(pdm), bin, tools.bin, dirname(process.execPath), process.env['PATH'] ?? ''];
  return client.run(args, {
    ...hidden.environment,
    PATH: path.join(delimiter),
    POETRY_VIRTUALENVS_CREATE: 'false',
    PIPENV_IGNORE_VIRTUALENVS: '1',
    PIPENV_VENV_IN_PROJECT: '1',
    PIPENV_PYTHON: tools.python,
    ...env,
  });
}

async function newPython(): Promise<string> {
  counter += 1;
  return join(
    await createVirtualEnvironment(join(scratch.path, `v-${counter}`), { withPip: false }),
    'python',
  );
}

async function installed(python: string): Promise<string[]> {
  const libraries = join(dirname(dirname(python)), 'lib');
  const [version = ''] = await readdir(libraries);
  const names = await readdir(join(libraries, version, 'site-packages'));
  return names.filter((name) => name.endsWith('.dist-info')).toSorted();
}

const pipInstall = (python: string, ...args: string[]): string[] => ['--python', python, 'install', ...args];

describe('rind run, intercepting an https index behind the proxy of the user', () => {
  it.each([
    ['pip', (python: string) => ['pip', ...pipInstall(python, 'demo')]],
    ['uv', (python: string) => ['uv', 'pip', 'install', '--python', python, 'demo']],
  ])(
    'installs with %s from the URL everybody knows, with the credentials of that proxy',
    async (_tool, args) => {
      hidden.asked.length = 0;
      const python = await newPython();
      const finished = await rind(args(python));
      expect(finished.code, finished.output).toBe(0);
      expect(finished.output).not.toContain('warning');
      expect(await installed(python)).toEqual(['demo-2.0.dist-info', 'dep-2.0.dist-info']);
      expect(hidden.asked.length).toBeGreaterThan(0);
      const credentials = Buffer.from('me:pass@word').toString('base64');
      for (const head of hidden.asked) {
        expect(head).toMatch(/^CONNECT packages\.test:443 /);
        expect(head.toLowerCase()).toContain(`proxy-authorization: basic ${credentials.toLowerCase()}`);
      }
      const left = (await readdir(tmpdir())).filter((name) => name.startsWith('rind-run-'));
      for (const name of left) expect((await stat(join(tmpdir(), name))).mode & 0o077).toBe(0);
    },
  );

  it('gives the command an authority that is useless for any other host, and takes it away at the end', async () => {
    const script = [
      'cp "$SSL_CERT_FILE" bundle.pem',
      'echo "$SSL_CERT_FILE"',
      'stat -c %a "$(dirname "$SSL_CERT_FILE")" "$SSL_CERT_FILE"',
    ].join(' && ');
    const finished = await rind(['run', '--', 'sh', '-c', script]);
    expect(finished.code, finished.output).toBe(0);
    const [path = '', ...modes] = finished.stdout.trim().split('\n');
    expect(modes).toEqual(['700', '600']);
    expect(existsSync(dirname(path))).toBe(false);
    const bundle = await readFile(join(client.home, 'bundle.pem'), 'utf8');
    expect(bundle).not.toContain('PRIVATE KEY');
    expect(bundle.split('BEGIN CERTIFICATE').length).toBeGreaterThan(2);
  });
});

const projects: [string, string, Record<string, string>, string[]][] = [
  [
    'uv',
    'uv.lock',
    {
      'pyproject.toml':
        '[project]\nname = "x"\nversion = "0"\nrequires-python = ">=3.9"\ndependencies = ["demo"]\n' +
        '[[tool.uv.index]]\nname = "acme"\nurl = "https://packages.test/simple/"\ndefault = true\n',
    },
    ['uv', 'lock'],
  ],
  [
    'poetry',
    'poetry.lock',
    {
      'pyproject.toml':
        '[project]\nname = "x"\nversion = "0"\nrequires-python = ">=3.9"\ndependencies = ["demo"]\n' +
        '[tool.poetry]\npackage-mode = false\n' +
        '[[tool.poetry.source]]\nname = "acme"\nurl = "https://packages.test/simple/"\npriority = "primary"\n',
    },
    ['poetry', 'lock', '--no-interaction'],
  ],
  [
    'pdm',
    'pdm.lock',
    {
      'pyproject.toml':
        '[project]\nname = "x"\nversion = "0"\nrequires-python = ">=3.9"\ndependencies = ["demo"]\n' +
        '[[tool.pdm.source]]\nname = "pypi"\nurl = "https://packages.test/simple/"\n',
    },
    ['pdm', 'lock', '--static-urls'],
  ],
  [
    'pipenv',
    'Pipfile.lock',
    {
      Pipfile:
        '[[source]]\nname = "acme"\nurl = "https://packages.test/simple/"\nverify_ssl = true\n[packages]\ndemo = "*"\n',
    },
    ['pipenv', 'lock'],
  ],
];

describe.each(projects)('rind %s', (tool, lock, files, command) => {
  async function project(name: string): Promise<{ folder: string; args: string[] }> {
    const folder = join(client.home, `${tool}-${name}`);
    await mkdir(folder);
    for (const [path, text] of Object.entries(files)) await writeFile(join(folder, path), text);
    const script = `cd "$0" && exec "$@"`;
    return { folder, args: ['run', '--', 'sh', '-c', script, folder, ...command] };
  }

  it('locks with canonical URLs what verifies', async () => {
    const { folder, args } = await project('good');
    const finished = await rind(args, { UV_NO_CONFIG: '0', PDM_USE_VENV: '0' });
    expect(finished.code, finished.output).toBe(0);
    const text = await readFile(join(folder, lock), 'utf8');
    expect(text).toContain('https://packages.test/');
    expect(text).not.toContain('127.0.0.1');
    expect(text).toContain('dep');
  });

  // uv is refused in run.test.ts; pipenv runs the same pip.
  if (tool === 'poetry' || tool === 'pdm') {
    it('locks nothing when a page does not verify', async () => {
      const { folder, args } = await project('bad');
      hidden.index.tamper(/^simple\/dep\//);
      const finished = await rind(args, {
        UV_NO_CONFIG: '0',
        PDM_USE_VENV: '0',
        RIND_CACHE_DIR: join(folder, 'cache'),
      });
      expect(finished.code, finished.output).toBe(3);
      expect(finished.stderr).toContain('did not verify (tampered)');
      expect(existsSync(join(folder, lock))).toBe(false);
    });
  }
});

describe('rind run --instead-of-pypi', () => {
  it('serves poetry, which has the URL of PyPI built in, from the trusted index', async () => {
    const folder = join(client.home, 'pypi');
    await mkdir(folder);
    const text = '[project]\nname = "x"\nversion = "0"\nrequires-python = ">=3.9"\ndependencies = ["demo"]\n';
    await writeFile(join(folder, 'pyproject.toml'), `${text}[tool.poetry]\npackage-mode = false\n`);
    const lock = ['poetry', '--instead-of-pypi', '--directory', folder, 'lock', '--no-interaction'];
    const finished = await rind(lock);
    expect(finished.code, finished.output).toBe(0);
    const locked = await readFile(join(folder, 'poetry.lock'), 'utf8');
    expect(locked).toContain(WHEEL);
    expect(locked).not.toMatch(/127\.0\.0\.1|packages\.test/);
  });
});

describe('rind run, with what does not come from the list of the index', () => {
  it('verifies direct URLs and the files of a lock', async () => {
    const url = `${hidden.url}packages/dep/${WHEEL}`;
    const good = await newPython();
    const finished = await rind(['pip', ...pipInstall(good, `dep @ ${url}`)]);
    expect(finished.code, finished.output).toBe(0);
    expect(await installed(good)).toEqual(['dep-2.0.dist-info']);

    hidden.index.tamper(/^packages\/dep\/.*whl$/, flipByte);
    const bad = await newPython();
    // What was verified before is used, and rightly: here nothing was.
    const nothing = { RIND_CACHE_DIR: join(client.home, 'nothing-verified') };
    const refused = await rind(['pip', ...pipInstall(bad, '--no-cache-dir', url)], nothing);
    expect(refused.code, refused.output).toBe(3);
    expect(await installed(bad)).toEqual([]);
  });

  it('refuses an index nobody trusts, and says so', async () => {
    const python = await newPython();
    const finished = await rind(['pip', ...pipInstall(python, '--extra-index-url', strangerUrl, 'demo')]);
    expect(finished.code, finished.output).toBe(0);
    expect(await installed(python)).toEqual(['demo-2.0.dist-info', 'dep-2.0.dist-info']);
    expect(strangerAsked).toBe(0);
    expect(finished.stderr).toMatch(/warning: \d+ connections? to http:\/\/127\.0\.0\.1:\d+ refused/);
    const direct = await rind([
      'pip',
      ...pipInstall(await newPython(), `${strangerUrl}dep-9.0-py3-none-any.whl`),
    ]);
    expect(direct.code).not.toBe(0);
    const tls = await rind([
      'pip',
      ...pipInstall(await newPython(), 'https://evil.test/dep-9.0-py3-none-any.whl'),
    ]);
    expect(tls.code).not.toBe(0);
    expect(tls.stderr).toContain('to https://evil.test refused');
    expect(strangerAsked).toBe(0);
  });

  it('lets through what is allowed by name, and says that nothing there was verified', async () => {
    const python = await newPython();
    const { host } = new URL(strangerUrl);
    const args = [
      'pip',
      '--allow-host',
      host,
      ...pipInstall(python, '--extra-index-url', strangerUrl, 'dep'),
    ];
    const finished = await rind(args);
    expect(finished.code, finished.output).toBe(0);
    expect(await installed(python)).toEqual(['dep-9.0.dist-info']);
    expect(finished.stderr).toMatch(
      /let through to http:\/\/127\.0\.0\.1:\d+, and nothing from there was verified/,
    );
  });
});

describe('rind run --unsafely-disable-package-verification', () => {
  const hatch = '--unsafely-disable-package-verification';

  it('is loud, is logged, and does not open what a rule locks', async () => {
    hidden.index.repository.publish(['snapshot', 'timestamp']);
    hidden.index.tamper(/snapshot\.json$/);
    expect(await rind(['pip', ...pipInstall(await newPython(), 'dep')])).toMatchObject({ code: 3 });

    const python = await newPython();
    const open = await rind(['pip', hatch, ...pipInstall(python, 'dep')]);
    expect(open.code, open.output).toBe(0);
    expect(await installed(python)).toEqual(['dep-2.0.dist-info']);
    expect(open.stderr).toMatch(/^WARNING: PACKAGE VERIFICATION IS DISABLED/m);
    expect(open.stderr).toContain(`let through to ${hidden.url}, and nothing from there was verified`);
    const log = await readFile(join(client.home, 'rind', 'unverified.log'), 'utf8');
    expect(JSON.parse(log.trim().split('\n').at(-1) ?? '')).toMatchObject({ indexes: [hidden.url] });

    const settings = join(scratch.path, 'rind.toml');
    await writeFile(settings, '[[rule]]\nprojects = ["dep"]\nlocked = true\n', { mode: 0o600 });
    const locked = await rind(['pip', hatch, ...pipInstall(await newPython(), 'dep')], {
      RIND_CONFIG_FILE: settings,
    });
    expect(locked.code, locked.output).toBe(3);
  });
});
