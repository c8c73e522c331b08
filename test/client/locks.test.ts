import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SimulatedIndex } from '../support/simulated-index.ts';
import { makeSdist, makeWheel } from '../tools/distribution.ts';
import { installers } from '../tools/installers.ts';
import { cleanEnvironment, type Finished, succeed } from '../tools/process.ts';
import { createVirtualEnvironment } from '../tools/python-tools.ts';
import { buildRind, scratchFolder } from '../tools/rind-program.ts';
import { whenAvailable } from '../tools/unavailable.ts';
import { CleanClient, served } from './clean-client.ts';

const found = whenAvailable(installers);
let scratch: Awaited<ReturnType<typeof scratchFolder>>;
let index: SimulatedIndex;
let client: CleanClient;
const distributions = [
  makeWheel({ name: 'demo', version: '1.0', requires: ['dep'] }),
  makeSdist({ name: 'demo', version: '1.0', requires: ['dep'] }),
  makeWheel({ name: 'dep', version: '2.0' }),
] as const;
/** A project with a lock of every tool. */
let project: string;

beforeAll(async () => {
  if (!found.present) return;
  await buildRind();
  scratch = await scratchFolder('locks');
  index = await SimulatedIndex.start();
  const [wheel, sdist, dependency] = distributions;
  index.addProject('demo', [served(wheel, ['dep']), served(sdist)]);
  index.addProject('dep', [served(dependency)]);
  client = await CleanClient.create(join(scratch.path, 'home'), found.value.tools.bin);
  await client.trust(index);
  project = join(client.home, 'project');
  await makeLocks();
});

afterAll(async () => {
  await index?.close();
  await scratch?.remove();
});

function rind(args: readonly string[], who: CleanClient = client): Promise<Finished> {
  const { tools, bin, pdm } = found.value;
  const path = [dirname(pdm), bin, tools.bin, dirname(process.execPath), process.env['PATH'] ?? ''];
  const settings = {
    PATH: path.join(delimiter),
    UV_NO_CONFIG: '0',
    PDM_USE_VENV: '0',
    POETRY_VIRTUALENVS_CREATE: 'false',
    PIPENV_IGNORE_VIRTUALENVS: '1',
    PIPENV_VENV_IN_PROJECT: '1',
    PIPENV_PYTHON: tools.python,
  };
  return who.run(args, settings, project);
}

/** The tools themselves make them, all of one project. */
async function makeLocks(): Promise<void> {
  await mkdir(project);
  const simple = `${index.url}simple/`;
  await writeFile(
    join(project, 'pyproject.toml'),
    '[project]\nname = "x"\nversion = "0"\nrequires-python = ">=3.9"\ndependencies = ["demo"]\n' +
      `[[tool.uv.index]]\nname = "here"\nurl = "${simple}"\ndefault = true\n` +
      `[tool.poetry]\npackage-mode = false\n[[tool.poetry.source]]\nname = "here"\nurl = "${simple}"\npriority = "primary"\n` +
      `[[tool.pdm.source]]\nname = "pypi"\nurl = "${simple}"\n`,
  );
  await writeFile(
    join(project, 'Pipfile'),
    `[[source]]\nname = "here"\nurl = "${simple}"\nverify_ssl = false\n[packages]\ndemo = "*"\n`,
  );
  await writeFile(join(project, 'requirements.in'), 'demo\n');
  for (const command of [
    ['uv', 'lock'],
    ['uv', 'export', '--quiet', '--format', 'pylock.toml', '--output-file', 'pylock.toml'],
    ['uv', 'pip', 'compile', '--quiet', '--generate-hashes', '-o', 'requirements.txt', 'requirements.in'],
    ['poetry', 'lock', '--no-interaction'],
    ['pdm', 'lock'],
    ['pipenv', 'lock'],
  ]) {
    const made = await rind(['run', '--', ...command]);
    expect(made.code, made.output).toBe(0);
  }
}

const digest = (algorithm: string, bytes: Uint8Array): string =>
  createHash(algorithm).update(bytes).digest('hex');

const LOCKS = ['uv.lock', 'poetry.lock', 'pdm.lock', 'Pipfile.lock', 'pylock.toml', 'requirements.txt'];

async function changed(lock: string, change: (text: string) => string): Promise<string> {
  const folder = join(project, 'changed');
  await mkdir(folder, { recursive: true });
  const path = join(folder, lock);
  const before = await readFile(join(project, lock), 'utf8');
  const after = change(before);
  expect(after).not.toBe(before);
  await writeFile(path, after);
  return path;
}

/** Of a file, not of the lock's own input. */
const firstDigest = /(?<=(?:, hash = "|hashes = \{ sha256 = "|hash=|^ +")(?:sha256:)?)[0-9a-f]{64}/m;

describe('rind lock check', () => {
  it('finds every file of every lock signed, as the tools themselves wrote them', async () => {
    const checked = await rind(['lock', 'check', '--json', ...LOCKS]);
    expect(checked.code, checked.output).toBe(0);
    const { locks } = JSON.parse(checked.stdout) as {
      locks: { path: string; files: { project: string; filename: string; status: string }[] }[];
    };
    expect(locks.map(({ path }) => path)).toEqual(LOCKS);
    for (const { path, files } of locks) {
      const fetched = files.filter(({ status }) => status !== 'local');
      expect(fetched.map(({ filename, status }) => `${filename} ${status}`).toSorted(), path).toEqual([
        'demo-1.0-py3-none-any.whl verified',
        'demo-1.0.tar.gz verified',
        'dep-2.0-py3-none-any.whl verified',
      ]);
    }
  });

  it('takes the locks of the folder when none is named', async () => {
    const checked = await rind(['lock', 'check']);
    expect(checked.code, checked.output).toBe(0);
    expect(checked.stderr).toContain('Pipfile.lock: 3 verified');
    expect(checked.stdout).toBe('');
  });

  it('refuses one changed digit of a hash, in every kind of lock', async () => {
    const paths: string[] = [];
    for (const lock of LOCKS)
      paths.push(
        await changed(lock, (text) =>
          text.replace(firstDigest, (digest) => `${digest.startsWith('0') ? '1' : '0'}${digest.slice(1)}`),
        ),
      );
    const checked = await rind(['lock', 'check', ...paths]);
    expect(checked.code, checked.output).toBe(3);
    for (const path of paths) {
      expect(checked.stdout).toContain(`${path}: differing: `);
      expect(checked.stderr).toContain(`${path}: 2 verified, 1 differing`);
    }
  });

  it('refuses a file without a hash, one of another project, and one that nobody signs', async () => {
    const bare = await changed('uv.lock', (text) => text.replace(/, hash = "sha256:[0-9a-f]+"/, ''));
    expect((await rind(['lock', 'check', bare])).stdout).toContain('missing hash: ');
    const other = await changed('poetry.lock', (text) => text.replace('file = "dep-2.0', 'file = "demo-1.0'));
    expect((await rind(['lock', 'check', other])).stdout).toContain('is a file of demo');
    const unknown = await changed('uv.lock', (text) => text.replaceAll('dep-2.0', 'dep-2.0-1'));
    const checked = await rind(['lock', 'check', unknown]);
    expect([checked.code, checked.stdout]).toEqual([3, expect.stringContaining('not signed: dep-2.0-1-')]);
  });

  it('computes a hash that the index does not sign, and counts none that collisions are known of', async () => {
    const hashes = new Map(
      distributions.map(({ bytes }) => [digest('sha256', bytes), digest('sha512', bytes)]),
    );
    const toSha512 = (text: string): string =>
      text.replace(/sha256 = "([0-9a-f]{64})"/g, (_, sha256: string) => `sha512 = "${hashes.get(sha256)}"`);
    const other = await changed('pylock.toml', toSha512);
    expect((await rind(['lock', 'check', other])).stderr).toContain('3 verified');
    const wrong = await changed('pylock.toml', (text) =>
      toSha512(text).replace(/sha512 = "./, 'sha512 = "g'),
    );
    expect((await rind(['lock', 'check', wrong])).code).toBe(2);
    const weak = await changed('requirements.txt', (text) =>
      text.replace(/sha256:[0-9a-f]{64}/, `md5:${'0'.repeat(32)}`),
    );
    expect((await rind(['lock', 'check', weak])).stdout).toContain('missing hash: demo 1.0');
  });

  it('names what comes from another index, and takes the signed bytes from anywhere', async () => {
    const mirrored = await changed('uv.lock', (text) =>
      text.replaceAll(index.url, 'https://mirror.example.org/'),
    );
    expect((await rind(['lock', 'check', mirrored])).code).toBe(0);
    const foreign = await changed('uv.lock', (text) =>
      text.replaceAll(index.url, 'https://mirror.example.org/').replaceAll('dep-2.0', 'dep-2.0-1'),
    );
    const checked = await rind(['lock', 'check', foreign]);
    expect(checked.code).toBe(3);
    expect(checked.stdout).toContain(
      'from another index: dep-2.0-1-py3-none-any.whl: it comes from https://mirror',
    );
  });

  it('ends with 2 where there is no lock, or none that can be read', async () => {
    const torn = await changed('uv.lock', (text) => text.slice(0, -20));
    for (const path of [torn, 'nothing.lock', 'pyproject.toml', 'nothing/uv.lock']) {
      const checked = await rind(['lock', 'check', path]);
      expect([checked.code, checked.stdout], checked.output).toEqual([2, '']);
      expect(checked.stderr).toMatch(/^error: /);
    }
  });

  it('says nothing about a lock when the index itself does not verify', async () => {
    index.tamper(/timestamp\.json$/);
    try {
      const checked = await rind(['lock', 'check', 'uv.lock']);
      expect([checked.code, checked.stdout], checked.output).toEqual([3, '']);
    } finally {
      index.behave();
    }
  });
});

describe('rind download', () => {
  let bin: string;

  beforeAll(async () => {
    if (found.present) bin = await createVirtualEnvironment(join(client.home, 'venv'), { withPip: true });
  });

  async function installsFrom(wheelhouse: string): Promise<void> {
    const args = [
      'install',
      '--quiet',
      '--force-reinstall',
      '--no-index',
      '--find-links',
      wheelhouse,
      'demo',
    ];
    await succeed(join(bin, 'pip'), args, { env: cleanEnvironment() });
    await succeed(join(bin, 'python'), ['-c', 'import demo, dep'], { env: cleanEnvironment() });
  }

  it('of requirements gives what pip installs from where there is no network', async () => {
    const wheelhouse = join(client.home, 'wheels-of-names');
    const fetched = await rind(['download', '-d', wheelhouse, 'demo']);
    expect(fetched.code, fetched.output).toBe(0);
    expect((await readdir(wheelhouse)).toSorted()).toEqual([
      'demo-1.0-py3-none-any.whl',
      'dep-2.0-py3-none-any.whl',
    ]);
    await installsFrom(wheelhouse);
  });

  it('of a lock gives every file of it', async () => {
    const wheelhouse = join(client.home, 'wheels-of-lock');
    const fetched = await rind(['download', '-d', wheelhouse, '--lock', 'uv.lock', '--lock', 'Pipfile.lock']);
    expect(fetched.code, fetched.output).toBe(0);
    expect(await readdir(wheelhouse)).toHaveLength(3);
    await installsFrom(wheelhouse);
  });

  it('leaves an empty folder when one file does not verify', async () => {
    const wheelhouse = join(client.home, 'wheels-refused');
    // Somebody who has none of the files yet.
    const newcomer = await CleanClient.create(join(scratch.path, 'newcomer'), found.value.tools.bin);
    await newcomer.trust(index);
    index.tamper(/dep-2\.0-py3-none-any\.whl$/);
    try {
      for (const what of [['demo'], ['--lock', 'uv.lock'], ['-r', 'requirements.txt']]) {
        const fetched = await rind(['download', '-d', wheelhouse, ...what], newcomer);
        expect(fetched.code, fetched.output).toBe(3);
        expect(await readdir(wheelhouse)).toEqual([]);
      }
    } finally {
      index.behave();
    }
    const wrong = await changed('uv.lock', (text) => text.replace(firstDigest, '0'.repeat(64)));
    expect((await rind(['download', '-d', wheelhouse, '--lock', wrong])).code).toBe(3);
    expect(await readdir(wheelhouse)).toEqual([]);
    expect((await rind(['download', '-d', wheelhouse])).code).toBe(2);
  });
});
