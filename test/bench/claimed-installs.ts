import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { projectRoleName } from '../../src/claims/names.ts';
import { DownloadHttpError, Updater, type Fetcher } from '../../src/updater/index.ts';
import { claimedWorld } from './claimed-world.ts';
import { isQuick, type Table } from './report.ts';

const COUNTS = isQuick ? [10, 100] : [100, 10_000, 100_000];
/** Further packages of the install. */
const FURTHER = 20;

/** Metadata that claimed projects add to an install, in an index that has so many of them. */
export async function benchClaimedInstalls(folder: string): Promise<Table> {
  const rows: string[][] = [];
  for (const count of COUNTS) rows.push(await row(join(folder, String(count)), count));
  return {
    title: 'Metadata of claimed projects, for who installs',
    method: `Bytes (gzip) that a client fetches for claimed projects of 100 files, at first contact: what the snapshot lists of them, \`claimed\`, its part and the project's own role. Each project has a key of its own; names begin at random. Made up with the functions that the index uses.`,
    columns: ['claimed projects', 'parts of the list', 'largest part', 'first package', 'of it the snapshot', 'snapshot, unpacked', 'each further package', 'time'], // prettier-ignore
    rows,
    missing: [],
  };
}

async function row(folder: string, count: number): Promise<string[]> {
  const { world, bootstrapRoot, installed, sizes, snapshot, withoutProjects } = await claimedWorld(count, {
    installed: FURTHER + 1,
  });
  const added = gzipSync(snapshot).length - gzipSync(withoutProjects).length;
  const { first, further, time } = await install(folder, world, bootstrapRoot, installed);
  const kilobytes = (bytes: number) => `${(bytes / 1000).toFixed(1)} KB`;
  return [
    count.toLocaleString('en'),
    String(sizes.length - 1),
    kilobytes(Math.max(...sizes)),
    kilobytes(first + added),
    kilobytes(added),
    kilobytes(snapshot.length),
    kilobytes(further),
    `${time.toFixed(0)} ms`,
  ];
}

/** Bytes beside root, timestamp, snapshot and targets, which clients fetch anyway. */
async function install(
  folder: string,
  world: ReadonlyMap<string, Uint8Array>,
  bootstrapRoot: Uint8Array,
  projects: readonly string[],
): Promise<{ first: number; further: number; time: number }> {
  await mkdir(folder, { recursive: true });
  let sent = 0;
  const fetcher: Fetcher = {
    async *fetch(url) {
      const bytes = world.get(new URL(url).pathname);
      if (bytes === undefined) throw new DownloadHttpError('Not Found', 404, { url });
      sent += gzipSync(bytes).length;
      yield bytes;
    },
  };
  const base = 'http://rind.test/';
  const updater = new Updater({ metadataDir: join(folder, 'metadata'), metadataBaseUrl: `${base}metadata/`, targetBaseUrl: base, bootstrapRoot, fetcher }); // prettier-ignore
  const started = performance.now();
  await updater.refresh();
  sent = 0;
  let first = 0;
  for (const [position, project] of projects.entries()) {
    const found = await updater.getSignedTarget(`simple/${project}/index.json`);
    if (found?.role !== projectRoleName(project)) throw new Error(`${project} is not found where it is`);
    if (position === 0) first = sent;
  }
  const time = performance.now() - started;
  return { first, further: (sent - first) / (projects.length - 1), time };
}
