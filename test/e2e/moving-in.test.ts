import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { createServer as createSocket, type AddressInfo } from 'node:net';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Distribution, makeSdist, makeWheel } from '../tools/distribution.ts';
import { installers, type Installers } from '../tools/installers.ts';
import { cleanEnvironment, killProcess, startProcess, succeed } from '../tools/process.ts';
import { buildRind, rind, RindServer, scratchFolder } from '../tools/rind-program.ts';
import { whenAvailable } from '../tools/unavailable.ts';
import { Uploader } from '../tools/upload.ts';

/** What the index to leave has: two projects, whose names begin with that of the test. */
function distributionsOf(test: string): readonly Distribution[] {
  const tool = `${test}-tool`;
  return [
    makeWheel({ name: tool, version: '1.0' }),
    makeWheel({ name: tool, version: '2.0' }),
    makeSdist({ name: tool, version: '2.0' }),
    makeWheel({ name: tool, version: '3.0rc1' }),
    makeWheel({ name: `${test}-other`, version: '1.0' }),
  ];
}

interface Summary {
  readonly projects: number;
  readonly stored: number;
  readonly 'already-stored': number;
  readonly refused: number;
  readonly unhashed: number;
  readonly refusals: readonly { project: string; filename?: string; reason: string }[];
}

interface Listed {
  readonly filename: string;
  readonly hashes: { readonly sha256: string };
  readonly yanked?: boolean | string;
  readonly 'upload-time': string;
}

describe('rind import from another index', () => {
  const available = whenAvailable(installers);
  const started: ChildProcess[] = [];
  let scratch: Awaited<ReturnType<typeof scratchFolder>>;
  let target: RindServer;
  let closing: (() => void)[] = [];
  let folders = 0;

  beforeAll(async () => {
    await buildRind();
    scratch = await scratchFolder('moving-in');
    target = await RindServer.start({ folder: join(scratch.path, 'target') });
  });

  afterEach(() => {
    for (const close of closing) close();
    closing = [];
  });

  afterAll(async () => {
    for (const child of started) killProcess(child);
    await target?.stop();
    await scratch?.remove();
  });

  async function importInto(
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<{ summary: Summary; code: number | null; output: string }> {
    const done = await rind(['import', '--data', target.folder, '--json', ...args], { env });
    expect(done.stdout, done.output).toMatch(/^\{/);
    return { summary: JSON.parse(done.stdout) as Summary, code: done.code, output: done.stderr };
  }

  async function listed(project: string): Promise<readonly Listed[]> {
    const format = '?format=application/vnd.pypi.simple.v1%2Bjson';
    const answer = await fetch(`${target.url}simple/${project}/${format}`);
    return answer.status === 200 ? ((await answer.json()) as { files: Listed[] }).files : [];
  }

  async function freePort(): Promise<number> {
    const probe = createSocket();
    await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
    const { port } = probe.address() as AddressInfo;
    await new Promise((resolve) => probe.close(resolve));
    return port;
  }

  async function startIndex(command: string, args: readonly string[], url: string): Promise<void> {
    const child = startProcess(command, args, {
      stdio: 'ignore',
      cwd: scratch.path,
      env: cleanEnvironment(),
    });
    started.push(child);
    for (let tries = 0; tries < 1200 && child.exitCode === null; tries += 1) {
      if (
        await fetch(url)
          .then(({ ok }) => ok)
          .catch(() => false)
      )
        return;
      await sleep(50);
    }
    throw new Error(`${command} did not start`);
  }

  async function folderOf(files: readonly Distribution[]): Promise<string> {
    folders += 1;
    const folder = join(scratch.path, `files-${folders}`);
    await mkdir(folder);
    for (const { filename, bytes } of files) await writeFile(join(folder, filename), bytes);
    return folder;
  }

  async function startPypiserver(
    { bin }: Installers,
    files: readonly Distribution[],
    args: readonly string[] = [],
  ) {
    const url = `http://127.0.0.1:${await freePort()}/simple/`;
    const options = ['run', '-p', new URL(url).port, '-i', '127.0.0.1', '--disable-fallback', ...args];
    await startIndex(join(bin, 'pypi-server'), [...options, await folderOf(files)], url);
    return url;
  }

  /** An index of fixed pages and files. */
  async function serveFixed(
    pages: Readonly<Record<string, string | Buffer>>,
  ): Promise<{ url: string; asked: string[] }> {
    const asked: string[] = [];
    const server: Server = createServer((request, response) => {
      asked.push(request.url ?? '');
      const body = pages[request.url ?? ''];
      response.writeHead(body === undefined ? 404 : 200, {
        'content-type': typeof body === 'string' ? 'text/html' : 'application/octet-stream',
      });
      response.end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closing.push(() => {
      server.closeAllConnections();
      server.close();
    });
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/simple/`, asked };
  }

  it('takes everything of a pypiserver, and fetches nothing again', async () => {
    const distributions = distributionsOf('pypiserver');
    const broken = {
      ...makeWheel({ name: 'inner', version: '1.0' }),
      filename: 'broken-1.0-py3-none-any.whl',
    };
    const url = await startPypiserver(available.value, [...distributions, broken]);
    const first = await importInto([url]);
    expect(first.summary).toMatchObject({
      projects: 3,
      stored: 5,
      'already-stored': 0,
      refused: 1,
      unhashed: 0,
    });
    expect(first.summary.refusals).toEqual([
      {
        project: 'broken',
        filename: broken.filename,
        reason: expect.stringContaining('dist-info') as string,
      },
    ]);
    expect(first.code).toBe(1);
    expect(first.output).toContain('projects: 100 %');
    for (const { filename, bytes, name } of distributions) {
      const file = (await listed(name)).find((each) => each.filename === filename);
      expect(file?.hashes.sha256).toBe(createHash('sha256').update(bytes).digest('hex'));
    }
    const again = await importInto(['--project', 'pypiserver-tool', '--index', url]);
    expect(again.summary).toMatchObject({ projects: 1, stored: 0, 'already-stored': 4, refused: 0 });
    expect(again.code).toBe(0);
  });

  it('takes the newest version only, of projects by the beginning of their name, checked by md5 where there is no more', async () => {
    const distributions = distributionsOf('md5');
    const url = await startPypiserver(available.value, distributions, ['--hash-algo', 'md5']);
    const { summary } = await importInto([url, '--project', 'md5-t*', '--newest', '1']);
    expect(summary).toMatchObject({ projects: 1, stored: 2, refused: 0, unhashed: 2 });
    expect((await listed('md5-tool')).map(({ filename }) => filename)).toEqual([
      'md5_tool-2.0-py3-none-any.whl',
      'md5_tool-2.0.tar.gz',
    ]);
    const again = await importInto([url, '--project', 'md5-t*', '--newest', '1']);
    expect(again.summary).toMatchObject({ stored: 0, 'already-stored': 2 });
  });

  it('takes everything of a devpi stage', async () => {
    const distributions = distributionsOf('devpi');
    const { bin, tools } = available.value;
    const folder = join(scratch.path, 'devpi');
    const base = `http://127.0.0.1:${await freePort()}/`;
    await succeed(join(bin, 'devpi-init'), [
      '--serverdir',
      folder,
      '--no-root-pypi',
      '--root-passwd',
      'secret',
    ]);
    // Its secret is derived at every start, for minutes on a busy machine unless told that little will do.
    const quick = ['--argon2-memory', '8', '--argon2-time-cost', '1', '--argon2-parallelism', '1'];
    const where = ['--serverdir', folder, '--host', '127.0.0.1', '--port', new URL(base).port];
    await startIndex(join(bin, 'devpi-server'), [...where, ...quick], `${base}+api`);
    const headers = { 'content-type': 'application/json' };
    const login = await fetch(`${base}+login`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ user: 'root', password: 'secret' }),
    });
    const { result } = (await login.json()) as { result: { password: string } };
    const auth = Buffer.from(`root:${result.password}`).toString('base64');
    const made = await fetch(`${base}root/prod`, {
      method: 'PUT',
      headers: { ...headers, 'x-devpi-auth': auth },
      body: JSON.stringify({ type: 'stage', volatile: false, bases: [] }),
    });
    expect(made.status).toBe(200);
    const files = await folderOf(distributions);
    const upload = [
      'upload',
      '--non-interactive',
      '--disable-progress-bar',
      '--repository-url',
      `${base}root/prod/`,
    ];
    await succeed(tools.twine, [...upload, ...distributions.map(({ filename }) => join(files, filename))], {
      env: cleanEnvironment({ TWINE_USERNAME: 'root', TWINE_PASSWORD: 'secret' }),
    });
    const { summary, code } = await importInto([`${base}root/prod/+simple/`]);
    expect(summary).toMatchObject({ projects: 2, stored: 5, refused: 0, unhashed: 0 });
    expect(code).toBe(0);
    expect(await listed('devpi-tool')).toHaveLength(4);
  });

  it('keeps yanks and upload times, and reads a closed index with the credentials of netrc or the environment', async () => {
    const distributions = distributionsOf('closed');
    const source = await RindServer.start({ folder: join(scratch.path, 'source') });
    closing.push(() => void source.stop());
    const uploader = new Uploader(source.uploadUrl, source.token);
    for (const distribution of distributions) expect((await uploader.upload(distribution)).status).toBe(200);
    uploader.close();
    const data = ['--data', source.folder];
    expect(
      await rind(['release', 'yank', 'closed-tool', '1.0', '--reason', 'too old', ...data]),
    ).toMatchObject({
      code: 0,
    });
    expect(await rind(['access', 'set', '--read', 'token', ...data])).toMatchObject({ code: 0 });
    const token = (await rind(['token', 'create', 'reader', '--verb', 'read', ...data])).stdout.trim();
    const url = `${source.url}simple/`;

    const refused = await rind(['import', '--data', target.folder, url], {
      env: { HOME: scratch.path },
    });
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/^error: .*answered 401; credentials come from ~\/\.netrc/m);

    await writeFile(join(scratch.path, '.netrc'), `machine 127.0.0.1 login __token__ password ${token}\n`);
    const first = await importInto([url, '--project', 'closed-tool'], { HOME: scratch.path });
    expect(first.summary).toMatchObject({ stored: 4, refused: 0 });
    const format = { accept: 'application/vnd.pypi.simple.v1+json', authorization: `Bearer ${token}` };
    const answer = await fetch(`${url}closed-tool/`, { headers: format });
    const before = ((await answer.json()) as { files: Listed[] }).files;
    const after = await listed('closed-tool');
    expect(after.map((file) => [file.filename, file.yanked, file['upload-time']])).toEqual(
      before.map((file) => [file.filename, file.yanked, file['upload-time']]),
    );
    expect(after[0]).toMatchObject({ yanked: 'too old' });

    const env = { HOME: '/nonexistent', RIND_IMPORT_USERNAME: '__token__', RIND_IMPORT_PASSWORD: token };
    const other = await importInto([url, '--project', 'closed-other', '--upload-times', 'now'], env);
    expect(other.summary).toMatchObject({ stored: 1 });
    expect(other.output).not.toContain(token);
  });

  it('refuses a file that is not the one listed, one of another project and one cut off, and takes the rest', async () => {
    const distributions = distributionsOf('wrong');
    const [first, second] = distributions as [Distribution, Distribution];
    const link = ({ filename }: Distribution, sha256: string) =>
      `<a href="/f/${filename}#sha256=${sha256}">${filename}</a>`;
    const sha256 = ({ bytes }: Distribution) => createHash('sha256').update(bytes).digest('hex');
    const stranger = distributions[4]!;
    const { url } = await serveFixed({
      '/simple/': '<a href="wrong-tool/">wrong-tool</a><a href="gone/">gone</a>',
      '/simple/wrong-tool/':
        link(first, sha256(first)) + link(second, '0'.repeat(64)) + link(stranger, sha256(stranger)),
      [`/f/${first.filename}`]: first.bytes,
      [`/f/${second.filename}`]: second.bytes,
      [`/f/${stranger.filename}`]: stranger.bytes,
    });
    const { summary, code } = await importInto([url]);
    expect(summary).toMatchObject({ stored: 1, refused: 3 });
    expect(code).toBe(1);
    const reasons = new Map(
      summary.refusals.map(({ project, filename, reason }) => [filename ?? project, reason]),
    );
    expect(reasons.get('gone')).toContain('answered 404');
    expect(reasons.get(second.filename)).toContain('its sha256 is another');
    expect(reasons.get(stranger.filename)).toContain('is no file of it');
    expect((await listed('wrong-tool')).map(({ filename }) => filename)).toEqual([first.filename]);
    expect(await listed('wrong-other')).toEqual([]);
  });

  it('asks the upload rules of the index, unless told to take everything as it is', async () => {
    const local = makeWheel({ name: 'local', version: '1.0+ours.1' });
    const { url } = await serveFixed({
      '/simple/': '<a href="local/">local</a>',
      '/simple/local/': `<a href="/f/${local.filename}">${local.filename}</a>`,
      [`/f/${local.filename}`]: local.bytes,
    });
    const set = await rind([
      'index',
      'set',
      'default',
      'upload.localVersions=false',
      '--data',
      target.folder,
    ]);
    expect(set.code, set.output).toBe(0);
    const folder = await folderOf([local]);
    for (const source of [url, folder]) {
      const refused = await importInto([source]);
      expect(refused.summary).toMatchObject({ stored: 0, refused: 1 });
      expect(refused.output).toMatch(/refused: .*local part/);
    }
    const taken = await importInto([url, '--as-is']);
    expect(taken.summary).toMatchObject({ stored: 1, unhashed: 1 });
  });

  it('goes on after kill -9 where it was', async () => {
    const many = Array.from({ length: 12 }, (_, index) =>
      makeWheel({ name: 'many', version: `1.${index}`, padding: 20_000 }),
    );
    const pages: Record<string, string | Buffer> = {
      '/simple/': '<a href="many/">many</a>',
      '/simple/many/': many
        .map(({ filename, bytes }) => {
          const hex = createHash('sha256').update(bytes).digest('hex');
          return `<a href="/f/${filename}#sha256=${hex}">${filename}</a>`;
        })
        .join(''),
    };
    for (const { filename, bytes } of many) pages[`/f/${filename}`] = bytes;
    const { url, asked } = await serveFixed(pages);
    const args = ['import', '--data', target.folder, url];
    // The process ends before its sixth durable write, as by kill -9.
    await rind(args, { env: { RIND_FAULT: '6' } });
    const before = (await listed('many')).length;
    expect(before).toBeLessThan(many.length);
    const fetchedBefore = asked.filter((address) => address.startsWith('/f/')).length;
    const { summary } = await importInto([url]);
    expect(summary.stored + summary['already-stored']).toBe(many.length);
    expect(summary.refused).toBe(0);
    expect(await listed('many')).toHaveLength(many.length);
    const fetchedAfter = asked.filter((address) => address.startsWith('/f/')).length - fetchedBefore;
    expect(fetchedAfter).toBe(summary.stored);
  });
});
