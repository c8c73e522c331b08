/** Repositories made with python-tuf become indexes of Rind, and clients that knew them follow with the folders that they have. */
import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Metadata } from '../../src/tuf/metadata.ts';
import { DownloadHttpError, Updater } from '../../src/updater/index.ts';
import { succeed } from '../tools/process.ts';
import { pythonTools } from '../tools/python-tools.ts';
import { buildRind, rind, scratchFolder } from '../tools/rind-program.ts';
import { whenAvailable } from '../tools/unavailable.ts';

const FILES = [
  'top.txt',
  'demo/demo-1.0.tar.gz',
  'packages/demo/demo-1.0-py3-none-any.whl',
  'blake/only.bin',
];
const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');

describe('rind adopt', () => {
  const tools = whenAvailable(pythonTools);
  let scratch: Awaited<ReturnType<typeof scratchFolder>>;
  let site: Server;
  /** What the web server shows now. */
  let shown: string;
  let url: string;
  beforeAll(() => buildRind());
  beforeEach(async () => {
    scratch = await scratchFolder('adopt');
    site = createServer((request, response) => {
      const path = decodeURIComponent(new URL(request.url ?? '', 'http://x').pathname);
      readFile(join(scratch.path, shown, path)).then(
        (bytes) => response.end(bytes),
        () => response.writeHead(404).end(),
      );
    });
    await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(site.address() as AddressInfo).port}/`;
  });
  afterEach(async () => {
    await new Promise((resolve) => site.close(resolve));
    await scratch.remove();
  });

  async function python(script: string, ...args: readonly string[]): Promise<string> {
    const path = join(import.meta.dirname, script);
    return (await succeed(tools.value.python, [path, ...args], { cwd: scratch.path })).stdout;
  }

  async function pythonClient(root: string, ...targets: readonly string[]): Promise<unknown> {
    return JSON.parse(await python('python_tuf_follower.py', 'python-client', url, root, ...targets));
  }

  /** The sha256 of what the one client of ours reads, with the folder that it has. */
  async function ownClient(bootstrapRoot: Uint8Array, path: string): Promise<string | undefined> {
    const metadataDir = join(scratch.path, 'own-client');
    await mkdir(metadataDir, { recursive: true, mode: 0o700 });
    const updater = new Updater({
      metadataDir,
      metadataBaseUrl: `${url}metadata/`,
      targetBaseUrl: url,
      bootstrapRoot,
      fetcher: {
        async *fetch(address) {
          const response = await fetch(address);
          if (!response.ok) throw new DownloadHttpError('Not Found', response.status, { url: address });
          yield new Uint8Array(await response.arrayBuffer());
        },
      },
    });
    await updater.refresh();
    const target = await updater.getTargetInfo(path);
    return target === undefined ? undefined : sha256(await updater.targetBytes(target, 1 << 20));
  }

  async function run(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await rind(args, { cwd: scratch.path });
    expect(`${code}\n${code === 0 ? '' : stderr}`).toBe('0\n');
    return stdout + stderr;
  }

  it.each([
    { layout: 'bins', roots: 1 },
    { layout: 'flat', roots: 2 },
  ])('$layout: python-tuf and our client come along from root $roots', async ({ layout, roots }) => {
    await python('foreign_repository.py', 'old', layout);
    shown = 'old/site';
    const rootFile = join(scratch.path, 'old', 'site', 'metadata', '1.root.json');
    const firstRoot = await readFile(rootFile);
    const digests = Object.fromEntries(FILES.map((path) => [path, sha256(`the bytes of ${path}`)]));
    // The client of python-tuf does not know blake2b-256 under that name everywhere; sha256 is what both share.
    const shared = FILES.filter((path) => !path.startsWith('blake/'));
    expect(await pythonClient(rootFile, ...shared)).toEqual({
      root: roots,
      targets: Object.fromEntries(shared.map((path) => [path, digests[path]])),
    });
    expect(await ownClient(firstRoot, 'top.txt')).toBe(digests['top.txt']);

    const fingerprint = sha256(Metadata.fromBytes(firstRoot, 'root').signedBytes);
    // prettier-ignore
    const adopt = ['adopt', `${url}metadata/`, '--files', url, '--data', 'data', '--fingerprint', fingerprint];
    expect(await run(...adopt)).toContain(`root ${roots} verifies, 5 targets can be adopted`);
    await run('ceremony', 'renew', 'adoption/ceremony.toml', '--from', 'adoption/base', '--out', 'adoption/bundle'); // prettier-ignore
    const early = await rind(adopt, { cwd: scratch.path });
    expect(early.stderr).toContain('rind sign');
    const event = /[0-9a-f]{12}/.exec(await run('event', 'status', 'adoption/bundle'))?.[0] ?? '';
    for (const number of [1, 2])
      await run('sign', 'adoption/bundle', '--trusted', rootFile, '--key', `file2:old/root-${number}.pem`, '--event', event); // prettier-ignore
    const told = await run(...adopt);
    expect(told).toContain('left out: blake/lost.bin: it has no sha256');
    expect(told).toContain('4 targets, 4 of their files');

    shown = 'data/tree';
    expect(await pythonClient(rootFile, ...FILES, 'blake/lost.bin')).toEqual({
      root: roots + 1,
      targets: { ...digests, 'blake/lost.bin': null },
    });
    for (const path of FILES) expect(await ownClient(firstRoot, path)).toBe(digests[path]);
    // No number of the old repository is used again, and nobody who still has the old online key is believed.
    const names = await readdir(join(scratch.path, 'data', 'tree', 'metadata'));
    expect(names).toEqual(expect.arrayContaining(['6.targets.json', '42.snapshot.json']));
    const timestamp = await readFile(join(scratch.path, 'data', 'tree', 'metadata', 'timestamp.json'));
    expect(Metadata.fromBytes(timestamp, 'timestamp').signed.version).toBe(978);
    shown = 'old/site';
    await expect(ownClient(firstRoot, 'top.txt')).rejects.toThrow();
    const again = await rind(adopt, { cwd: scratch.path });
    expect(again.stderr).toContain('has a repository already');
  });
});
