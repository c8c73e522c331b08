import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeSdist, makeWheel } from '../tools/distribution.ts';
import { succeed, run } from '../tools/process.ts';
import { pythonTools } from '../tools/python-tools.ts';
import { buildRind, rind, RindServer, scratchFolder } from '../tools/rind-program.ts';
import { whenAvailable } from '../tools/unavailable.ts';
import { Uploader } from '../tools/upload.ts';

interface Downloaded {
  readonly targets: Readonly<
    Record<string, { file: string; length: number; hashes: Record<string, string> } | null>
  >;
  readonly metadata: Readonly<Record<string, { version: number; expires: string }>>;
}

describe("python-tuf's ngclient, the reference client", () => {
  const tools = whenAvailable(pythonTools);
  const wheel = makeWheel({ name: 'Demo.Wheel', version: '1.0', padding: 30_000 });
  const sdist = makeSdist({ name: 'demo-sdist', version: '2.0' });
  let scratch: Awaited<ReturnType<typeof scratchFolder>>;
  let server: RindServer;

  beforeAll(async () => {
    await buildRind();
    scratch = await scratchFolder('python-tuf');
    server = await RindServer.start({ folder: join(scratch.path, 'data') });
    const uploader = new Uploader(server.uploadUrl, server.token);
    for (const distribution of [wheel, sdist]) {
      expect(await uploader.upload(distribution)).toMatchObject({ status: 200 });
    }
    uploader.close();
    const root = await fetch(`${server.url}metadata/1.root.json`);
    await writeFile(join(scratch.path, 'root.json'), Buffer.from(await root.arrayBuffer()));
  });

  afterAll(async () => {
    await server?.stop();
    await scratch?.remove();
  });

  const script = join(import.meta.dirname, 'python_tuf_client.py');

  it('refreshes against /metadata/ and downloads pages and files as targets, byte for byte what the index serves', async () => {
    const page = 'simple/demo-wheel/index.json';
    const html = 'simple/demo-wheel/index.html';
    const file = `packages/demo-wheel/${wheel.filename}`;
    const source = `packages/demo-sdist/${sdist.filename}`;
    const absent = 'packages/demo-wheel/demo_wheel-9.9-py3-none-any.whl';
    const args = [script, join(scratch.path, 'client'), server.url, join(scratch.path, 'root.json')];
    const finished = await succeed(tools.value.python, [...args, page, html, file, source, absent]);
    const { targets, metadata } = JSON.parse(finished.stdout) as Downloaded;

    expect(targets[absent]).toBeNull();
    expect(await readFile(targets[file]!.file)).toEqual(wheel.bytes);
    expect(await readFile(targets[source]!.file)).toEqual(sdist.bytes);
    const served = await fetch(`${server.url}simple/demo-wheel/`, {
      headers: { accept: 'application/vnd.pypi.simple.v1+json' },
    });
    expect((await readFile(targets[page]!.file)).toString()).toBe(await served.text());
    const servedHtml = await fetch(`${server.url}simple/demo-wheel/`, { headers: { accept: 'text/html' } });
    expect((await readFile(targets[html]!.file)).toString()).toBe(await servedHtml.text());
    expect(targets[file]!.hashes['sha256']).toBe(createHash('sha256').update(wheel.bytes).digest('hex'));

    const roles = Object.keys(metadata).join(' ');
    for (const role of ['root.json', 'timestamp.json', 'snapshot.json', 'targets.json', 'bins.json'])
      expect(roles).toContain(role);
    expect(roles).toMatch(/bin-[0-9a-f]{2,}\.json/);
  });

  it('verifies files that are listed with sha512 beside sha256, and the index serves both copies', async () => {
    expect(await rind(['hashes', '--data', server.folder, '--list', 'sha512'])).toMatchObject({ code: 0 });
    const later = makeWheel({ name: 'demo-later', version: '1.0' });
    const uploader = new Uploader(server.uploadUrl, server.token);
    expect(await uploader.upload(later)).toMatchObject({ status: 200 });
    uploader.close();
    const file = `packages/demo-later/${later.filename}`;
    const args = [script, join(scratch.path, 'two-hashes'), server.url, join(scratch.path, 'root.json')];
    const finished = await succeed(tools.value.python, [...args, file, 'simple/demo-later/index.json']);
    const { targets } = JSON.parse(finished.stdout) as Downloaded;
    expect(await readFile(targets[file]!.file)).toEqual(later.bytes);
    const hashes = Object.entries(targets[file]!.hashes);
    expect(hashes.map(([algorithm]) => algorithm)).toEqual(['sha256', 'sha512']);
    for (const [algorithm, digest] of hashes) {
      expect(createHash(algorithm).update(later.bytes).digest('hex')).toBe(digest);
      const copy = await fetch(`${server.url}packages/demo-later/${digest}.${later.filename}`);
      expect(copy.status).toBe(200);
      expect(Buffer.from(await copy.arrayBuffer())).toEqual(later.bytes);
    }
    expect(await rind(['fsck', '--data', server.folder])).toMatchObject({ code: 0 });
  });

  it('refuses the same index with a root that is not its own', async () => {
    const other = await RindServer.start({ folder: join(scratch.path, 'other-data') });
    try {
      const args = [script, join(scratch.path, 'misled'), other.url, join(scratch.path, 'root.json')];
      const finished = await run(tools.value.python, args);
      expect(finished.code).not.toBe(0);
      expect(finished.stderr).toContain('UnsignedMetadataError');
    } finally {
      await other.stop();
    }
  });
});
