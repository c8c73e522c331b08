import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Distribution, makeSdist, makeWheel } from '../tools/distribution.ts';
import { cleanEnvironment, run, succeed } from '../tools/process.ts';
import { pythonTools } from '../tools/python-tools.ts';
import { buildRind, rind, RindServer, scratchFolder } from '../tools/rind-program.ts';
import { whenAvailable } from '../tools/unavailable.ts';
import { Uploader } from '../tools/upload.ts';

const first = [
  makeWheel({ name: 'Brie.Cheese', version: '1.0', requires: ['rennet'] }),
  makeSdist({ name: 'brie-cheese', version: '1.0' }),
  makeWheel({ name: 'brie-cheese', version: '1.1+local.1' }),
  makeWheel({ name: 'rennet', version: '2.0', padding: 50_000 }),
];
const later = makeWheel({ name: 'rennet', version: '2.1' });

/** A line of a log that tells of something wrong. */
const COMPLAINT = /\b(?:ERROR|WARNING|CRITICAL|Traceback)\b/;

/** Serves the folder of a mirror as any web server would. */
function serveFolder(folder: string): Promise<Server> {
  const server = createServer((request, response) => {
    const path = decodeURIComponent((request.url ?? '/').split('?', 1)[0] ?? '/');
    readFile(join(folder, path.endsWith('/') ? `${path}index.html` : path)).then(
      (bytes) => {
        const type = path.endsWith('/') ? 'text/html' : 'application/octet-stream';
        response.writeHead(200, { 'Content-Type': type }).end(bytes);
      },
      () => response.writeHead(404).end(),
    );
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

describe('bandersnatch', () => {
  const tools = whenAvailable(pythonTools);
  let scratch: Awaited<ReturnType<typeof scratchFolder>>;
  let server: RindServer;
  let uploader: Uploader;
  let web: string;

  beforeAll(async () => {
    await buildRind();
    scratch = await scratchFolder('mirror');
    server = await RindServer.start({ folder: join(scratch.path, 'data') });
    uploader = new Uploader(server.uploadUrl, server.token);
    for (const distribution of first) await upload(distribution);
    web = join(scratch.path, 'mirror', 'web');
    const settings = [
      '[mirror]',
      `directory = ${join(scratch.path, 'mirror')}`,
      `master = ${server.url.replace(/\/$/, '')}`,
      'allow-non-https = true',
      'api-method = simple',
      'json = true',
      'workers = 2',
      'timeout = 60',
      'stop-on-error = true',
    ];
    await mkdir(join(scratch.path, 'mirror'));
    await writeFile(join(scratch.path, 'bandersnatch.conf'), `${settings.join('\n')}\n`);
  });

  afterAll(async () => {
    uploader?.close();
    await server?.stop();
    await scratch?.remove();
  });

  async function upload(distribution: Distribution): Promise<void> {
    expect(await uploader.upload(distribution)).toMatchObject({ status: 200 });
  }

  /** Runs it, expects no complaint, gives the names of the files it fetched. */
  async function bandersnatch(...args: readonly string[]): Promise<string[]> {
    const program = join(tools.value.bin, 'bandersnatch');
    const { code, stdout, stderr } = await run(
      program,
      ['-c', join(scratch.path, 'bandersnatch.conf'), ...args],
      { env: cleanEnvironment({ HOME: scratch.path }), cwd: scratch.path, timeout: 120_000 },
    );
    const lines = `${stdout}\n${stderr}`.split('\n');
    expect([lines.filter((line) => COMPLAINT.test(line)), code]).toEqual([[], 0]);
    return lines
      .flatMap((line) => /Downloading: \S+\/([^/\s]+)/.exec(line)?.[1] ?? [])
      .map(decodeURIComponent)
      .toSorted();
  }

  async function mirrored(): Promise<Map<string, { bytes: Buffer; modified: number }>> {
    const files = new Map<string, { bytes: Buffer; modified: number }>();
    for (const entry of await readdir(join(web, 'packages'), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      files.set(entry.name, { bytes: await readFile(path), modified: (await stat(path)).mtimeMs });
    }
    return files;
  }

  it('mirrors the whole index without a complaint', async () => {
    expect(await bandersnatch('mirror')).toEqual(first.map(({ filename }) => filename).toSorted());
    const files = await mirrored();
    for (const { filename, bytes } of first) expect(files.get(filename)?.bytes.equals(bytes)).toBe(true);
    expect(files.size).toBe(first.length);
  });

  it('fetches nothing a second time, and of a new upload only that', async () => {
    const before = await mirrored();
    expect(await bandersnatch('mirror')).toEqual([]);
    expect(await mirrored()).toEqual(before);
    await upload(later);
    expect(await bandersnatch('mirror')).toEqual([later.filename]);
    const after = await mirrored();
    expect([...after.keys()].toSorted()).toEqual([...before.keys(), later.filename].toSorted());
    for (const [name, { modified }] of before)
      expect([name, after.get(name)?.modified]).toEqual([name, modified]);
  });

  it('makes a mirror that pip installs from', async () => {
    const mirror = await serveFolder(web);
    try {
      const index = `http://127.0.0.1:${(mirror.address() as AddressInfo).port}/simple/`;
      const folder = join(scratch.path, 'downloaded');
      await succeed(
        tools.value.pip,
        [
          'download',
          '--isolated',
          '--no-cache-dir',
          '--index-url',
          index,
          '--dest',
          folder,
          'brie-cheese==1.0',
          '--only-binary',
          ':all:',
        ],
        { env: cleanEnvironment({ PIP_DISABLE_PIP_VERSION_CHECK: '1' }), cwd: scratch.path },
      );
      expect((await readdir(folder)).toSorted()).toEqual([first[0]!.filename, later.filename].toSorted());
    } finally {
      mirror.closeAllConnections();
      mirror.close();
    }
  });

  it('learns of a yank, fetching nothing', async () => {
    const { code, stderr } = await rind([
      'release',
      'yank',
      'rennet',
      '2.0',
      '--reason',
      'mouldy',
      '--data',
      server.folder,
    ]);
    expect([code, stderr]).toEqual([0, expect.any(String)]);
    expect(await bandersnatch('mirror')).toEqual([]);
    const page = await readFile(join(web, 'simple', 'rennet', 'index.html'), 'utf8');
    expect(page.match(/data-yanked="mouldy"/g)).toHaveLength(1);
  });
});
