import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { simpleJsonPath } from '../../src/pypi/layout.ts';
import { succeed } from '../tools/process.ts';
import { pythonTools } from '../tools/python-tools.ts';
import { UnavailableError } from '../tools/unavailable-error.ts';
import { claimedWorld, UNCLAIMED, type ClaimedWorld } from './claimed-world.ts';
import { isQuick, type Table } from './report.ts';

/** Claimed projects, bins, clients. tuf-js takes minutes with 16,384 bins alone, whatever is claimed. */
const CASES: readonly (readonly [claimed: number, bins: number, clients: readonly string[]])[] = isQuick
  ? [[100, 256, ['python-tuf', 'tuf-js']]]
  : [
      [1000, 256, ['python-tuf', 'tuf-js']],
      [10_000, 256, ['python-tuf', 'tuf-js']],
      [10_000, 16_384, ['python-tuf']],
    ];
const FURTHER = 20;

interface TufJsUpdater {
  refresh(): Promise<void>;
  getTargetInfo(path: string): Promise<{ readonly length: number } | undefined>;
  downloadTarget(target: object): Promise<string>;
}
const { Updater: TufJs } = createRequire(import.meta.url)('tuf-js') as {
  Updater: new (options: object) => TufJsUpdater;
};

/** Milliseconds of processor time until the pages were verified and stored, one after the other. */
type Times = readonly number[];
type Client = (folder: string, url: string, world: ClaimedWorld, paths: readonly string[]) => Promise<Times>;

/** That python-tuf and tuf-js, as they come, find claimed and unclaimed projects in an index with this many claimed ones. */
export async function benchClaimedClients(folder: string): Promise<Table> {
  const rows: string[][] = [];
  const missing: string[] = [];
  for (const [count, bins, clients] of CASES) {
    const world = await claimedWorld(count, { installed: FURTHER + 1, bins });
    const paths = [...world.installed.map((project) => simpleJsonPath(project)), UNCLAIMED];
    await serving(world, async (url) => {
      for (const [name, client] of Object.entries({ 'python-tuf': pythonTuf, 'tuf-js': tufJs })) {
        if (!clients.includes(name)) continue;
        const own = join(folder, `${name}-${count}-${bins}`);
        const size = [count, bins].map((number) => number.toLocaleString('en'));
        await mkdir(own);
        await writeFile(join(own, 'root.json'), world.bootstrapRoot);
        try {
          rows.push([...size, name, ...cells(await client(own, url, world, paths))]);
        } catch (error) {
          if (!(error instanceof UnavailableError)) throw error;
          missing.push(error.message);
        }
      }
    });
  }
  return {
    title: 'Claimed projects and other TUF clients',
    method: `Processor time of python-tuf and tuf-js as they come, from a server on this machine, with nothing stored: the verified page of a first claimed project of 100 files, of ${FURTHER} further ones in the same session, and of one that nobody claimed. The snapshot lists bins and claimed projects; tuf-js needs time with the square of their number.`,
    columns: [
      'claimed projects',
      'bins',
      'client',
      'first page',
      'each further page',
      'page of an unclaimed project',
    ],
    rows,
    missing,
  };
}

function cells(times: Times): readonly string[] {
  const [first = Number.NaN, ...others] = times;
  const further = others.slice(0, -1).reduce((sum, time) => sum + time, 0) / FURTHER;
  return [first, further, others.at(-1) ?? Number.NaN].map((time) => `${time.toFixed(0)} ms`);
}

async function serving({ world }: ClaimedWorld, use: (url: string) => Promise<void>): Promise<void> {
  const server = createServer((request, response) => {
    const bytes = world.get(decodeURIComponent(request.url ?? '/'));
    response.writeHead(bytes === undefined ? 404 : 200).end(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const pythonTuf: Client = async (folder, url, _, paths) => {
  const { python } = await pythonTools();
  const script = join(import.meta.dirname, '..', 'e2e', 'python_tuf_client.py');
  const { stdout } = await succeed(python, [
    script,
    join(folder, 'state'),
    url,
    join(folder, 'root.json'),
    ...paths,
  ]);
  const { targets, milliseconds } = JSON.parse(stdout) as {
    targets: Record<string, { file: string } | null>;
    milliseconds: Record<string, number>;
  };
  return paths.map((path) => {
    if ((targets[path] ?? null) === null) throw new Error(`python-tuf does not find ${path}`);
    return milliseconds[path] ?? Number.NaN;
  });
};

const tufJs: Client = async (folder, url, { bootstrapRoot }, paths) => {
  for (const name of ['metadata', 'targets']) await mkdir(join(folder, name));
  await writeFile(join(folder, 'metadata', 'root.json'), bootstrapRoot);
  let started = process.cpuUsage();
  const updater = new TufJs({
    metadataDir: join(folder, 'metadata'),
    targetDir: join(folder, 'targets'),
    metadataBaseUrl: `${url}metadata`,
    targetBaseUrl: url,
  });
  await updater.refresh();
  const times: number[] = [];
  for (const path of paths) {
    const target = await updater.getTargetInfo(path);
    if (target === undefined) throw new Error(`tuf-js does not find ${path}`);
    await updater.downloadTarget(target);
    const { user, system } = process.cpuUsage(started);
    times.push((user + system) / 1000);
    started = process.cpuUsage();
  }
  return times;
};
