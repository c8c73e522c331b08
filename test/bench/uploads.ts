import { setTimeout as sleep } from 'node:timers/promises';
import { makeWheel } from '../tools/distribution.ts';
import type { RindServer } from '../tools/rind-program.ts';
import { type UploadForm, Uploader, uploadForm } from '../tools/upload.ts';
import { isQuick, milliseconds, percentile, residentMemory, type Table } from './report.ts';

const jsonPage = 'application/vnd.pypi.simple.v1+json';
const projects = 40;

/** What an index holds: TUF targets are its files and two pages for each project. */
export interface Population {
  files: number;
  readonly projects: Set<string>;
}

export function targetsOf({ files, projects: names }: Population): number {
  return files + 2 * names.size;
}

function nextForm(population: Population): UploadForm {
  const name = `bench-${population.files % projects}`;
  population.projects.add(name);
  population.files += 1;
  return uploadForm(makeWheel({ name, version: `1.${population.files}`, padding: 20_000 }));
}

async function post(uploader: Uploader, form: UploadForm): Promise<number> {
  const { status, reason, milliseconds: taken } = await uploader.post(form);
  if (status !== 200) throw new Error(`an upload was answered ${status} ${reason}`);
  return taken;
}

/** A 200 must mean signed and visible, otherwise these figures mean nothing. */
async function checkVisible(server: RindServer, uploader: Uploader): Promise<void> {
  const distribution = makeWheel({ name: 'bench-visible', version: `1.${Date.now()}` });
  const before = await timestampVersion(server);
  await post(uploader, uploadForm(distribution));
  const page = await fetch(`${server.url}simple/bench-visible/`, { headers: { accept: jsonPage } });
  if (!(await page.text()).includes(distribution.filename))
    throw new Error('an upload answered 200 is not on its page');
  if ((await timestampVersion(server)) <= before)
    throw new Error('an upload answered 200 is in no new timestamp');
}

async function timestampVersion(server: RindServer): Promise<number> {
  const answer = await fetch(`${server.url}metadata/timestamp.json`);
  return ((await answer.json()) as { signed: { version: number } }).signed.version;
}

async function inParallel(
  uploader: Uploader,
  population: Population,
  connections: number,
  count: number,
): Promise<{ seconds: number; taken: number[] }> {
  const forms = Array.from({ length: count }, () => nextForm(population));
  const taken: number[] = [];
  const started = performance.now();
  const workers = Array.from({ length: connections }, async () => {
    for (let form = forms.pop(); form !== undefined; form = forms.pop())
      taken.push(await post(uploader, form));
  });
  await Promise.all(workers);
  return { seconds: (performance.now() - started) / 1000, taken };
}

async function atRate(
  uploader: Uploader,
  population: Population,
  perSecond: number,
  seconds: number,
): Promise<number[]> {
  const forms = Array.from({ length: perSecond * seconds }, () => nextForm(population));
  const started = performance.now();
  const posts: Promise<number>[] = [];
  for (const [index, form] of forms.entries()) {
    await sleep(Math.max(0, started + (index * 1000) / perSecond - performance.now()));
    posts.push(post(uploader, form));
  }
  return Promise.all(posts);
}

/** Upload to signed snapshot: a 200 is answered when the snapshot that lists the file is public. */
export async function benchUploads(server: RindServer, bins: number, population: Population): Promise<Table> {
  const uploader = new Uploader(server.uploadUrl, server.token, 128);
  await checkVisible(server, uploader);
  const rows: string[][] = [];
  const row = (what: string, taken: readonly number[], rate: string): void => {
    rows.push([
      what,
      String(taken.length),
      milliseconds(percentile(taken, 0.5)),
      milliseconds(percentile(taken, 0.99)),
      rate,
      String(targetsOf(population)),
    ]);
  };
  for (const connections of [64, 16]) {
    const { seconds, taken } = await inParallel(uploader, population, connections, isQuick ? 40 : 800);
    row(`in batches, ${connections} connections`, taken, `${(taken.length / seconds).toFixed(0)} /s`);
  }
  const oneByOne = await inParallel(uploader, population, 1, isQuick ? 10 : 150);
  row('one by one', oneByOne.taken, `${(oneByOne.taken.length / oneByOne.seconds).toFixed(1)} /s`);
  row('at 20 a second', await atRate(uploader, population, 20, isQuick ? 1 : 20), '20 /s');
  uploader.close();
  return {
    title: 'Upload to signed snapshot',
    method: `Wheels of 20 KB over ${projects} projects, posted as twine does; the time is that to the answer 200, which means durable, signed and visible (checked). ${bins} bins. Resident memory of the server afterwards: ${residentMemory(server.pid).toFixed(0)} MiB.`,
    columns: ['uploads', 'count', 'p50', 'p99', 'rate', 'targets afterwards'],
    rows,
    missing: [],
  };
}
