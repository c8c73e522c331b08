import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeSdist, makeWheel } from '../tools/distribution.ts';
import { installers, type Installers } from '../tools/installers.ts';
import { cleanEnvironment, type Finished, run, succeed } from '../tools/process.ts';
import { createVirtualEnvironment } from '../tools/python-tools.ts';
import { buildRind, RindServer, scratchFolder } from '../tools/rind-program.ts';
import { whenAvailable } from '../tools/unavailable.ts';
import { Uploader } from '../tools/upload.ts';

const JSON_PAGE = 'application/vnd.pypi.simple.v1+json';
/** Bytes of a wheel that is worth not fetching. */
const LARGE = 3_000_000;

const distributions = [
  makeWheel({ name: 'cheese', version: '1.0' }),
  makeWheel({ name: 'cheese', version: '2.0', requires: ['rennet>=1'], padding: LARGE }),
  makeSdist({ name: 'cheese', version: '2.0', requires: ['rennet>=1'] }),
  makeWheel({ name: 'rennet', version: '1.5' }),
  makeSdist({ name: 'quark', version: '1.0', builtRequires: ['rennet>=1'] }),
];

/** The index with the metadata beside files not mentioned, as older ones are: whoever wants it must look into the wheel. */
class OlderIndex {
  readonly ranges: string[] = [];
  readonly #server: Server;
  readonly #url: string;
  sent = 0;

  private constructor(server: Server, url: string) {
    this.#server = server;
    this.#url = url;
  }

  static async start(url: string): Promise<OlderIndex> {
    const server = createServer((request, response) => {
      index.#answer(request, response).catch((error: unknown) => response.destroy(error as Error));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const index: OlderIndex = new OlderIndex(server, url);
    return index;
  }

  get simple(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/simple/`;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { range } = request.headers;
    if (range !== undefined) this.ranges.push(range);
    const isPage = request.url?.startsWith('/simple/') === true;
    const answer = await fetch(new URL(request.url ?? '/', this.#url), {
      method: request.method ?? 'GET',
      headers: {
        'accept-encoding': 'identity',
        ...(isPage ? { accept: JSON_PAGE } : {}),
        ...(range === undefined ? {} : { range }),
      },
    });
    let body = Buffer.from(await answer.arrayBuffer());
    if (isPage) {
      body = Buffer.from(body.toString().replace(/"(data-dist-info|core)-metadata":\{[^}]*\},?/g, ''));
    } else this.sent += body.length;
    for (const name of ['content-type', 'content-range', 'accept-ranges', 'etag']) {
      const value = answer.headers.get(name);
      if (value !== null) response.setHeader(name, value);
    }
    const length = isPage ? body.length : (answer.headers.get('content-length') ?? body.length);
    response.writeHead(answer.status, { 'content-length': length }).end(body);
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

describe('the tools that install, unmodified, from the index itself', () => {
  const available = whenAvailable(installers);
  let scratch: Awaited<ReturnType<typeof scratchFolder>>;
  let server: RindServer;
  let simple: string;
  let installed: Installers;

  beforeAll(async () => {
    await buildRind();
    if (!available.present) return;
    installed = available.value;
    scratch = await scratchFolder('reading');
    server = await RindServer.start({ folder: join(scratch.path, 'data') });
    simple = `${server.url}simple/`;
    const uploader = new Uploader(server.uploadUrl, server.token);
    for (const distribution of distributions)
      expect(await uploader.upload(distribution)).toMatchObject({ status: 200 });
    uploader.close();
  });

  afterAll(async () => {
    await server?.stop();
    await scratch?.remove();
  });

  function environment(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
    return cleanEnvironment({
      HOME: join(scratch.path, 'home'),
      PYTHON_KEYRING_BACKEND: 'keyring.backends.null.Keyring',
      NO_COLOR: '1',
      ...extra,
    });
  }

  function tool(program: string, args: readonly string[], cwd = scratch.path): Promise<Finished> {
    return run(program, args, {
      cwd,
      env: environment({
        POETRY_VIRTUALENVS_IN_PROJECT: 'true',
        PIPENV_VENV_IN_PROJECT: '1',
        PDM_CHECK_UPDATE: '0',
      }),
    });
  }

  async function freshEnvironment(name: string): Promise<string> {
    return join(await createVirtualEnvironment(join(scratch.path, name), { withPip: false }), 'python');
  }

  /** The folder of an application that wants cheese. */
  async function application(name: string, file: string, text: string): Promise<string> {
    const folder = join(scratch.path, name);
    await mkdir(folder);
    await writeFile(join(folder, file), text);
    return folder;
  }

  async function expectCheese(python: string): Promise<void> {
    const lines = 'import cheese, rennet; print(cheese.version, rennet.version)';
    const shown = await succeed(python, ['-c', lines], { env: cleanEnvironment() });
    expect(shown.stdout.trim()).toBe('2.0 1.5');
  }

  it('newest pip', async () => {
    const python = await freshEnvironment('newest');
    const done = await tool(installed.tools.pip, ['--python', python, 'install', '-i', simple, 'cheese']);
    expect(done.code, done.output).toBe(0);
    expect(done.output).toContain('.whl.metadata');
    await expectCheese(python);
  });

  it('the oldest pip that runs on this Python: HTML only', async () => {
    const python = await freshEnvironment('oldest');
    const done = await run(python, ['-m', 'pip', 'install', '-i', simple, 'cheese'], {
      env: environment({ PYTHONPATH: installed.oldPip }),
    });
    expect(done.code, done.output).toBe(0);
    await expectCheese(python);
  });

  it('the pip of this system: that of Debian, or the one that Python brings along', async () => {
    const system = await run('/usr/bin/python3', ['-m', 'pip', '--version']).catch(() => undefined);
    const target = join(scratch.path, 'system');
    const program =
      system?.code === 0
        ? '/usr/bin/python3'
        : join(await createVirtualEnvironment(join(scratch.path, 'ensured'), { withPip: true }), 'python');
    const done = await tool(program, ['-m', 'pip', 'install', '--target', target, '-i', simple, 'cheese']);
    expect(done.code, done.output).toBe(0);
    expect(await readdir(target)).toEqual(expect.arrayContaining(['cheese', 'rennet']));
  });

  it('uv', async () => {
    const python = await freshEnvironment('uv');
    const options = ['--no-cache', '--python', python, '--default-index', simple];
    const done = await tool(installed.tools.uv, ['pip', 'install', ...options, 'cheese']);
    expect(done.code, done.output).toBe(0);
    await expectCheese(python);
  });

  it('poetry', async () => {
    const folder = await application(
      'by-poetry',
      'pyproject.toml',
      '[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.10"\ndependencies = ["cheese"]\n' +
        '[tool.poetry]\npackage-mode = false\n' +
        `[[tool.poetry.source]]\nname = "rind"\nurl = "${simple}"\npriority = "primary"\n`,
    );
    const done = await tool(join(installed.bin, 'poetry'), ['install', '--no-interaction'], folder);
    expect(done.code, done.output).toBe(0);
    await expectCheese(join(folder, '.venv', 'bin', 'python'));
  });

  it('pdm', async () => {
    const folder = await application(
      'by-pdm',
      'pyproject.toml',
      '[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.10"\ndependencies = ["cheese"]\n' +
        `[tool.pdm]\ndistribution = false\n[[tool.pdm.source]]\nname = "pypi"\nurl = "${simple}"\n`,
    );
    const done = await tool(installed.pdm, ['install'], folder);
    expect(done.code, done.output).toBe(0);
    await expectCheese(join(folder, '.venv', 'bin', 'python'));
  });

  it('pipenv', async () => {
    const folder = await application(
      'by-pipenv',
      'Pipfile',
      `[[source]]\nurl = "${simple}"\nverify_ssl = false\nname = "rind"\n[packages]\ncheese = "*"\n`,
    );
    const done = await tool(join(installed.bin, 'pipenv'), ['install'], folder);
    expect(done.code, done.output).toBe(0);
    await expectCheese(join(folder, '.venv', 'bin', 'python'));
  });

  it('pip installs what an sdist turns out to require when it is built', async () => {
    const python = await freshEnvironment('by-build');
    const args = ['--python', python, 'install', '-i', simple, 'quark'];
    const done = await tool(installed.tools.pip, args);
    expect(done.code, done.output).toBe(0);
    const shown = await succeed(python, ['-c', 'import quark, rennet; print(rennet.version)'], {
      env: cleanEnvironment(),
    });
    expect(shown.stdout.trim()).toBe('1.5');
  });

  it('pip download brings wheel and sdist, pip index versions lists what there is', async () => {
    const to = join(scratch.path, 'downloads');
    const { pip } = installed.tools;
    const wheels = await tool(pip, ['download', '-d', to, '-i', simple, 'cheese']);
    expect(wheels.code, wheels.output).toBe(0);
    const args = ['--no-deps', '--no-binary', ':all:', '-i', simple, 'cheese'];
    const sdist = await tool(pip, ['download', '-d', to, ...args]);
    expect(sdist.code, sdist.output).toBe(0);
    expect((await readdir(to)).sort()).toEqual([
      'cheese-2.0-py3-none-any.whl',
      'cheese-2.0.tar.gz',
      'rennet-1.5-py3-none-any.whl',
    ]);
    const versions = await tool(pip, ['index', 'versions', '-i', simple, 'cheese']);
    expect(versions.stdout).toContain('Available versions: 2.0, 1.0');
  });

  it('pip --uploaded-prior-to and uv exclude-newer know when a file came', async () => {
    const python = await freshEnvironment('dates');
    const { pip, uv } = installed.tools;
    const byPip = (day: string) =>
      tool(pip, [
        '--python',
        python,
        'install',
        '--dry-run',
        '-i',
        simple,
        '--uploaded-prior-to',
        day,
        'rennet',
      ]);
    const byUv = (day: string) =>
      tool(uv, [
        'pip',
        'install',
        '--dry-run',
        '--no-cache',
        '--python',
        python,
        '--default-index',
        simple,
        '--exclude-newer',
        day,
        'rennet',
      ]);
    for (const install of [byPip, byUv]) {
      const before = await install('2020-01-01');
      expect(before.code, before.output).toBe(1);
      expect(before.output).not.toMatch(/upload[-_]time/);
      const after = await install('2999-01-01');
      expect(after.code, after.output).toBe(0);
      expect(after.output).toContain('rennet');
    }
  });

  it.each(['pip', 'uv'])('%s looks into a large wheel by Range instead of fetching it', async (name) => {
    const python = await freshEnvironment(`lazy-${name}`);
    const older = await OlderIndex.start(server.url);
    try {
      const done =
        name === 'pip'
          ? await tool(installed.tools.pip, [
              '--python',
              python,
              'install',
              '--dry-run',
              '--no-cache-dir',
              '--use-feature=fast-deps',
              '-i',
              older.simple,
              'cheese',
              'rennet<1',
            ])
          : await tool(installed.tools.uv, [
              'pip',
              'compile',
              '--no-cache',
              '--python',
              python,
              '--default-index',
              older.simple,
              await application('lazy', 'requirements.in', 'cheese\n').then((folder) =>
                join(folder, 'requirements.in'),
              ),
            ]);
      if (name === 'uv') expect(done.stdout).toContain('rennet==1.5');
      else expect(done.output).toContain('rennet');
      expect(older.ranges).not.toHaveLength(0);
      expect(older.sent).toBeLessThan(LARGE / 2);
    } finally {
      older.close();
    }
  });

  it('mousebender and pypi-simple, which read strictly, take every kind of page', async () => {
    const read = join(import.meta.dirname, 'strict_readers.py');
    const done = await succeed(join(installed.bin, 'python'), [read, server.url], { env: environment() });
    expect(JSON.parse(done.stdout)).toEqual({
      projects: Array.from({ length: 4 }, () => ['cheese', 'quark', 'rennet']),
      files: Array.from({ length: 4 }, () => [
        'cheese-1.0-py3-none-any.whl',
        'cheese-2.0-py3-none-any.whl',
        'cheese-2.0.tar.gz',
      ]),
      metadata: 'Requires-Dist: rennet>=1',
      version: '1.4',
    });
  });
});
