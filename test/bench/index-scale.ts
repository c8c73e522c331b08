import { mkdir, writeFile } from 'node:fs/promises';
import { Agent, get } from 'node:http';
import { join } from 'node:path';
import { sql } from 'kysely';
import { openDatabase } from '../../src/db/open.ts';
import { renderProjectHtml, renderProjectJson } from '../../src/pypi/simple.ts';
import { RindServer } from '../tools/rind-program.ts';
import { isQuick, percentile, type Table } from './report.ts';

const FILES = 5;
const SAMPLE = isQuick ? 200 : 2_000;
const SIZES = [10_000, isQuick ? 50_000 : 1_000_000] as const;
const SHA256 = 'ab'.repeat(32);
const TIME = '2026-01-01T00:00:00.000000Z';

/** Rows of so many files, and the pages of a sample of their projects: what a page of an index of that size is looked up in. */
async function fill(folder: string, files: number): Promise<readonly string[]> {
  const projects = files / FILES;
  const database = await openDatabase({ path: join(folder, 'rind.db') });
  const { db } = database;
  await db.transaction().execute(async (tx) => {
    const numbers = (most: number) =>
      sql`with recursive n(i) as (select 0 union all select i + 1 from n where i + 1 < ${most}) `;
    await sql`insert into projects (index_id, name, display_name, last_serial, look_alike, created_at)
      ${numbers(projects)} select 1, 'scale-' || i, 'scale-' || i, i, 'scale' || i, ${TIME} from n`.execute(
      tx,
    );
    await sql`insert into releases (index_id, project_id, version, core_metadata, created_at)
      select 1, id, '1.0', '{}', ${TIME} from projects where name like 'scale-%'`.execute(tx);
    await sql`insert into files (index_id, project_id, release_id, version, filename, packagetype, python_version, length,
        sha256, blake2b_256, uploaded_at)
      ${numbers(FILES)} select 1, releases.project_id, releases.id, '1.0', 'scale_' || releases.id || '-1.0-' || i || '-py3-none-any.whl',
        'bdist_wheel', 'py3', 1000, ${SHA256}, ${SHA256}, ${TIME} from releases, n where releases.version = '1.0'`.execute(
      tx,
    );
  });
  await database.close();
  const names = Array.from(
    { length: SAMPLE },
    (_, index) => `scale-${Math.floor((index * projects) / SAMPLE)}`,
  );
  for (const name of names) {
    const page = {
      name,
      files: Array.from({ length: FILES }, (_, number) => ({
        filename: `${name.replace('-', '_')}-1.0-${number}-py3-none-any.whl`,
        version: '1.0',
        sha256: SHA256,
        size: 1000,
        uploadTime: TIME,
      })),
    };
    const at = join(folder, 'tree', 'simple', name);
    await mkdir(at, { recursive: true });
    await writeFile(join(at, 'index.json'), renderProjectJson(page));
    await writeFile(join(at, 'index.html'), renderProjectHtml(page));
  }
  return names;
}

function fetchPage(agent: Agent, url: string): Promise<number> {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    get(url, { agent, headers: { accept: 'application/vnd.pypi.simple.v1+json' } }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`${url} was answered ${response.statusCode}`));
      response.resume().on('end', () => resolve(performance.now() - started));
    }).on('error', reject);
  });
}

/** The same page requests at two sizes of the index, in turns against two servers that run at the same time. */
export async function benchScale(folder: string): Promise<Table> {
  const servers: RindServer[] = [];
  const samples: (readonly string[])[] = [];
  for (const files of SIZES) {
    const data = join(folder, `scale-${files}`);
    await (await RindServer.start({ folder: data })).stop();
    samples.push(await fill(data, files));
    servers.push(await RindServer.start({ folder: data, patience: 300_000 }));
  }
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const taken = new Map<string, number[]>();
  try {
    for (const pass of ['first time', 'again'] as const) {
      for (let index = 0; index < SAMPLE; index += 1) {
        for (const [which, server] of servers.entries()) {
          const key = `${pass}\0${SIZES[which]}`;
          const milliseconds = await fetchPage(agent, `${server.url}simple/${samples[which]?.[index]}/`);
          const values = taken.get(key) ?? [];
          values.push(milliseconds);
          taken.set(key, values);
        }
      }
    }
  } finally {
    agent.destroy();
    for (const server of servers) await server.stop();
  }
  const rows = [...taken].map(([key, values]) => {
    const [pass = '', size = ''] = key.split('\0');
    const base = percentile(taken.get(`${pass}\0${SIZES[0]}`) ?? [], 0.5);
    const p50 = percentile(values, 0.5);
    return [
      `page, ${pass}`,
      size,
      `${p50.toFixed(2)} ms`,
      `${percentile(values, 0.99).toFixed(1)} ms`,
      (p50 / base).toFixed(2),
    ];
  });
  return {
    title: 'Pages of a large index',
    method: `${SAMPLE} different pages, one connection, in turns against two servers with rows of so many files (five a project; the page objects of the sample only). First time: the page comes from the disk, its serial from the database.`,
    columns: ['what', 'files', 'p50', 'p99', 'p50 of the smaller'],
    rows,
    missing: [],
  };
}
