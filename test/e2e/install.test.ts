import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { corpus, type CorpusFile } from '../tools/corpus.ts';
import { cleanEnvironment, run, succeed } from '../tools/process.ts';
import { createVirtualEnvironment, pythonTools } from '../tools/python-tools.ts';
import { buildRind, rind, RindClient, RindServer, scratchFolder } from '../tools/rind-program.ts';
import { whenAvailable } from '../tools/unavailable.ts';

const jsonPage = 'application/vnd.pypi.simple.v1+json';

interface Page {
  readonly files: readonly {
    filename: string;
    url: string;
    hashes: { sha256: string };
    size: number;
    'core-metadata'?: { sha256: string };
  }[];
}

interface InstallReport {
  readonly install: readonly {
    metadata: { name: string; version: string };
    download_info: { url: string };
  }[];
}

function projectOf(file: CorpusFile): string {
  const stem = file.filename.endsWith('.whl')
    ? file.filename.split('-')[0]
    : file.filename.replace(/-[^-]+\.tar\.gz$/, '');
  return (stem ?? '').toLowerCase().replace(/[-_.]+/g, '-');
}

describe('real distributions, uploaded and installed with real tools', () => {
  const tools = whenAvailable(pythonTools);
  const files = whenAvailable(corpus);
  let scratch: Awaited<ReturnType<typeof scratchFolder>>;
  let server: RindServer;
  let client: RindClient;
  let environments = 0;

  /** A fresh virtual environment that the newest pip installs into from outside. */
  async function freshEnvironment(): Promise<string> {
    environments += 1;
    const folder = join(scratch.path, `venv-${environments}`);
    await createVirtualEnvironment(folder, { withPip: false });
    return join(folder, 'bin', 'python');
  }

  /** `rind pip install ARGS` into a fresh environment; returns its python and what came from where. */
  async function install(...args: string[]): Promise<{ python: string; report: InstallReport }> {
    const python = await freshEnvironment();
    const reportFile = `${python}-report.json`;
    const finished = await client.run([
      'pip',
      '--python',
      python,
      'install',
      '--report',
      reportFile,
      ...args,
    ]);
    expect(finished.output).toContain('Successfully installed');
    expect(finished.code).toBe(0);
    return { python, report: JSON.parse(await readFile(reportFile, 'utf8')) as InstallReport };
  }

  function twine(...args: string[]) {
    return run(
      tools.value.twine,
      [
        'upload',
        '--non-interactive',
        '--disable-progress-bar',
        '--repository-url',
        server.uploadUrl,
        ...args,
      ],
      {
        env: cleanEnvironment({
          TWINE_USERNAME: '__token__',
          TWINE_PASSWORD: server.token,
          HOME: scratch.path,
        }),
      },
    );
  }

  function uvPublish(...args: string[]) {
    return run(tools.value.uv, ['publish', '--publish-url', server.uploadUrl, ...args], {
      env: cleanEnvironment({ UV_PUBLISH_TOKEN: server.token, HOME: scratch.path }),
    });
  }

  async function page(project: string): Promise<Page> {
    const answer = await fetch(`${server.url}simple/${project}/`, { headers: { accept: jsonPage } });
    expect(answer.status).toBe(200);
    return (await answer.json()) as Page;
  }

  beforeAll(async () => {
    await buildRind();
    if (!tools.present || !files.present) return;
    scratch = await scratchFolder('install');
    server = await RindServer.start({ folder: join(scratch.path, 'data') });
    const state = join(scratch.path, 'state');
    await mkdir(state);
    client = new RindClient(state, tools.value.bin);
    expect(await client.trust(server)).toMatchObject({ code: 0 });
    const paths = files.value.map((file) => file.path);
    const byTwine = await twine(...paths.filter((_, index) => index % 2 === 0));
    expect(byTwine.output).not.toContain('ERROR');
    expect(byTwine.code).toBe(0);
    const byUv = await uvPublish(...paths.filter((_, index) => index % 2 === 1));
    expect(byUv.output).not.toContain('error');
    expect(byUv.code).toBe(0);
  });

  afterAll(async () => {
    await server?.stop();
    await scratch?.remove();
  });

  it('lists at least 40 of them, each with the length and sha256 it has on PyPI, and serves those bytes', async () => {
    expect(files.value.length).toBeGreaterThanOrEqual(40);
    for (const file of files.value) {
      const listed = (await page(projectOf(file))).files.find(({ filename }) => filename === file.filename);
      expect(listed, file.filename).toMatchObject({ size: file.length, hashes: { sha256: file.sha256 } });
      const answer = await fetch(new URL(listed!.url, `${server.url}simple/${projectOf(file)}/`));
      expect(
        createHash('sha256')
          .update(Buffer.from(await answer.arrayBuffer()))
          .digest('hex'),
      ).toBe(file.sha256);
    }
  });

  it('serves the metadata that stands in the wheel (PEP 658)', async () => {
    const wheel = files.value.find(({ filename }) => filename.startsWith('flask-'))!;
    const listed = (await page('flask')).files.find(({ filename }) => filename === wheel.filename)!;
    const answer = await fetch(new URL(`${listed.url}.metadata`, `${server.url}simple/flask/`));
    const metadata = Buffer.from(await answer.arrayBuffer());
    expect(listed['core-metadata']).toEqual({ sha256: createHash('sha256').update(metadata).digest('hex') });
    const read =
      'import sys, zipfile; sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]))';
    const member = await succeed(tools.value.python, [
      '-c',
      read,
      wheel.path,
      'flask-3.1.3.dist-info/METADATA',
    ]);
    expect(metadata.toString()).toBe(member.stdout);
  });

  it('takes the same file again without complaint', async () => {
    const [first, second] = files.value.slice(0, 2).map(({ path }) => path);
    expect(await twine(first!, second!)).toMatchObject({ code: 0 });
    expect(await uvPublish(first!, second!)).toMatchObject({ code: 0 });
  });

  it('refuses other content under the name of a file, in words that twine and uv show', async () => {
    const { filename, path } = files.value.find(
      (file) => file.list === 'wheels' && file.filename.startsWith('six-'),
    )!;
    const other = join(scratch.path, filename);
    // The same archive with another comment-free byte: a member's content changed by Python itself.
    const change =
      'import sys, zipfile\n' +
      'source, target = zipfile.ZipFile(sys.argv[1]), zipfile.ZipFile(sys.argv[2], "w")\n' +
      'for name in source.namelist():\n' +
      '    target.writestr(name, source.read(name) + (b"# changed\\n" if name == "six.py" else b""))\n' +
      'target.close()\n';
    await succeed(tools.value.python, ['-c', change, path, other]);
    const byTwine = await twine(other);
    expect(byTwine.code).not.toBe(0);
    expect(byTwine.output).toMatch(/400.*File already exists/s);
    const byUv = await uvPublish(other);
    expect(byUv.code).not.toBe(0);
    expect(byUv.output).toContain('File already exists');
  });

  it('installs the trees of flask and requests with the newest pip', async () => {
    const { python, report } = await install('flask', 'requests');
    expect(report.install.length).toBeGreaterThanOrEqual(11);
    for (const { download_info: from } of report.install) expect(from.url).toMatch(/^http:\/\/127\.0\.0\.1:/);
    const shown = await succeed(python, [
      '-c',
      'import flask, requests, importlib.metadata as m; print(m.version("flask"), m.version("requests"))',
    ]);
    expect(shown.stdout.trim()).toBe('3.1.3 2.34.2');
    expect(await run(tools.value.pip, ['--python', python, 'check'])).toMatchObject({ code: 0 });
  });

  it('installs a tree with --require-hashes, and pip refuses what is not among the hashes', async () => {
    const wanted = ['requests', 'urllib3', 'idna', 'certifi', 'charset-normalizer'];
    const lines = wanted.map((name) => {
      const file = files.value.find(
        (candidate) => candidate.list === 'wheels' && projectOf(candidate) === name,
      )!;
      return `${name}==${file.filename.split('-')[1]} --hash=sha256:${file.sha256}`;
    });
    const requirements = join(scratch.path, 'requirements.txt');
    await writeFile(requirements, lines.join('\n'));
    const { report } = await install('--require-hashes', '-r', requirements);
    expect(report.install.map(({ metadata }) => metadata.name).sort()).toEqual([...wanted].sort());

    await writeFile(requirements, lines.join('\n').replace(/[0-9a-f]{64}/, '0'.repeat(64)));
    const python = await freshEnvironment();
    const refused = await client.run([
      'pip',
      '--python',
      python,
      'install',
      '--require-hashes',
      '-r',
      requirements,
    ]);
    expect(refused.code).toBe(1);
    expect(refused.output).toMatch(/hash/i);
  });

  it('installs a numpy wheel that computes', async () => {
    const { python } = await install('numpy');
    expect((await succeed(python, ['-c', 'import numpy; print(numpy.arange(5).sum())'])).stdout.trim()).toBe(
      '10',
    );
  });

  it('builds sdists with build backends that come through the same road', async () => {
    const { report, python } = await install(
      '--no-binary=:all:',
      '--no-cache-dir',
      '--only-binary=flit-core,setuptools,wheel,packaging',
      'mdurl',
      'six',
      'docopt',
    );
    for (const { download_info: from } of report.install) expect(from.url).toMatch(/\.tar\.gz$/);
    expect(
      (await succeed(python, ['-c', 'import mdurl, six, docopt; print(docopt.__version__)'])).stdout.trim(),
    ).toBe('0.6.2');
  });

  it('installs with the pip that Python brings along, in an ordinary fresh virtual environment', async () => {
    const bin = await createVirtualEnvironment(join(scratch.path, 'venv-plain'), { withPip: true });
    const finished = await client.run(['pip', 'install', 'rich'], { bin });
    expect(finished.code, finished.output).toBe(0);
    expect(
      (
        await succeed(join(bin, 'python'), ['-c', 'import rich, pygments; print(pygments.__version__)'])
      ).stdout.trim(),
    ).toBe('2.21.0');
  });

  it('installs with uv, unmodified, through `rind run`', async () => {
    const python = await freshEnvironment();
    const finished = await client.run([
      'run',
      '--',
      'uv',
      'pip',
      'install',
      '--no-cache',
      '--python',
      python,
      'httpx',
    ]);
    expect(finished.code, finished.output).toBe(0);
    expect((await succeed(python, ['-c', 'import httpx; print(httpx.__version__)'])).stdout.trim()).toBe(
      '0.28.1',
    );
  });

  it("ends with pip's own exit code when the index has no such project", async () => {
    const python = await freshEnvironment();
    const finished = await client.run(['pip', '--python', python, 'install', 'rind-has-no-such-project']);
    expect(finished.code).toBe(1);
    expect(finished.output).toContain('No matching distribution found');
  });

  it('finds everything again after a restart, and fsck finds nothing wrong', async () => {
    const { fingerprint, token } = server;
    const port = Number(new URL(server.url).port);
    expect(await server.stop()).toMatchObject({ code: 0 });
    const checked = await rind(['fsck', '--data', server.folder]);
    expect(checked.code, checked.output).toBe(0);
    server = await RindServer.start({ folder: server.folder, port });
    expect(server.fingerprint).toBe(fingerprint);
    expect(server.token).toBe(token);
    await install('click');
  });
});
