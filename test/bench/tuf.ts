// `npm run bench:tuf [-- --write] [-- --rounds=N] [-- --only=reading,hashed,succinct,memory]`: what a client of an index
// with 20 million targets pays, beside python-tuf in the same run, in turns (A, B, A, B), and tuf-js where it finishes.
import type { ChildProcess } from 'node:child_process';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import {
  MetaFile,
  Metadata,
  Snapshot,
  TargetFile,
  Targets,
  signMetadata,
  verifySignatures,
} from '../../src/tuf/index.ts';
import type { Signed, SignedType } from '../../src/tuf/index.ts';
import { HttpFetcher, MetadataMemory, Updater } from '../../src/updater/index.ts';
import { cleanEnvironment, killProcess, run, startProcess } from '../tools/process.ts';
import { pythonTools } from '../tools/python-tools.ts';
import { checkout, scratchFolder } from '../tools/rind-program.ts';
import { generateSigner } from '../tools/tuf-signers.ts';
import { machine, milliseconds, percentile, renderTable, replaceSection } from './report.ts';
import type { Table } from './report.ts';
import { serveFolder } from './tuf-server.ts';
import { TufTree } from './tuf-tree.ts';
import type { BinLayout } from './tuf-tree.ts';

const rounds = Number(
  process.argv.find((argument) => argument.startsWith('--rounds='))?.slice('--rounds='.length) ?? 9,
);
const only = process.argv.find((argument) => argument.startsWith('--only='))?.slice('--only='.length);
const isWanted = (part: string): boolean => only === undefined || only.split(',').includes(part);
const WALKED_BINS = 1000;
/** tuf-js needs minutes for one refresh of such an index; nobody waits that long. */
const TUF_JS_LIMIT = 60_000;

const scratch = await scratchFolder('bench-tuf');
const rows: string[][] = [];
const missing: string[] = [];
let folders = 0;

/** A metadata folder that does not exist yet. */
const freshFolder = (): string => join(scratch.path, `client-${folders++}`);

/** python-tuf in one living process, as ours is. */
class Python {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(python: string) {
    const script = join(import.meta.dirname, 'python_tuf_bench.py');
    this.#child = startProcess(python, [script], {
      env: cleanEnvironment(),
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    if (this.#child.stdout === null) throw new Error('python has no output');
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  async ask(request: object): Promise<Time> {
    this.#child.stdin?.write(`${JSON.stringify(request)}\n`);
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error('python-tuf failed');
    const [elapsed = Number.NaN, processor = Number.NaN] = JSON.parse(String(value)) as number[];
    return { elapsed, processor };
  }

  end(): void {
    killProcess(this.#child);
  }
}

/** Milliseconds: on the clock, and of processors, which depends less on what else runs on the machine. */
interface Time {
  readonly elapsed: number;
  readonly processor: number;
}

async function timed(work: () => Promise<void>): Promise<Time> {
  const [started, before] = [performance.now(), process.cpuUsage()];
  await work();
  const { user, system } = process.cpuUsage(before);
  return { elapsed: performance.now() - started, processor: (user + system) / 1000 };
}

interface Client {
  readonly url: string;
  readonly root: string;
  readonly folder: string;
  readonly target: string;
}

/** One session of ours. */
async function session(client: Client, fetcher: HttpFetcher, memory?: MetadataMemory): Promise<Time> {
  const bootstrapRoot = await readFile(client.root);
  return timed(async () => {
    const updater = new Updater({
      metadataDir: client.folder,
      metadataBaseUrl: client.url,
      targetBaseUrl: client.url,
      fetcher,
      bootstrapRoot,
      ...(memory === undefined ? {} : { memory }),
    });
    await updater.refresh();
    const found = await updater.getTargetInfo(client.target);
    if (found === undefined) throw new Error('the target was not found');
  });
}

interface Measured {
  readonly name: string;
  readonly ours: readonly Time[];
  readonly python: readonly Time[];
  /** `>= 10x` of python-tuf, or `<= 3 ms`. */
  readonly goal?: { readonly times?: number; readonly milliseconds?: number } | undefined;
}

const best = (times: readonly Time[], of: keyof Time): number => Math.min(...times.map((time) => time[of]));
const median = (times: readonly Time[]): number =>
  percentile(
    times.map(({ elapsed }) => elapsed),
    0.5,
  );
const several = (times: readonly Time[]): string =>
  times.length === 0
    ? ''
    : `${milliseconds(best(times, 'elapsed'))} (${milliseconds(median(times))}; ${milliseconds(best(times, 'processor'))})`;

function addRow({ name, ours, python, goal }: Measured): void {
  const ratio = (theirs: number, mine: number): string => `${(theirs / mine).toFixed(1)}x`;
  const times = best(python, 'elapsed') / best(ours, 'elapsed');
  const ratios =
    python.length === 0
      ? ''
      : `${times.toFixed(1)}x (${ratio(median(python), median(ours))}; ${ratio(best(python, 'processor'), best(ours, 'processor'))})`;
  const isMet =
    goal?.times === undefined ? best(ours, 'elapsed') <= (goal?.milliseconds ?? 0) : times >= goal.times;
  const wanted = goal?.times === undefined ? `<= ${goal?.milliseconds} ms` : `>= ${goal.times}x`;
  rows.push([
    name,
    several(ours),
    several(python),
    ratios,
    goal === undefined ? '' : `${wanted}: ${isMet ? 'met' : 'missed'}`,
  ]);
}

async function benchSessions(layout: BinLayout, python: Python | undefined): Promise<void> {
  console.log(`writing an index with 16,384 bins by ${layout}`);
  const tree = await TufTree.create(join(scratch.path, layout), layout);
  const [target = '', other = ''] = tree.paths(2);
  await tree.writeBin(target);
  await tree.writeBin(other);
  const server = await serveFolder(tree.folder);
  const root = join(tree.folder, '1.root.json');
  const size = async (name: string): Promise<string> =>
    `${Math.round((await stat(join(tree.folder, name))).size / 1000)} KB`;
  console.log(
    `bins.json ${await size('1.bins.json')}, snapshot ${await size('1.snapshot.json')}, bin ${await size(`1.${tree.binOf(target)}.json`)}`,
  );
  const at = (folder: string): Client => ({ url: server.url, root, folder, target });
  const ask = (client: Client): Promise<Time> | undefined => python?.ask({ kind: 'session', ...client });
  const isMain = layout === 'path_hash_prefixes';
  try {
    const cold: [Time[], Time[]] = [[], []];
    for (let round = 0; round < rounds; round++) {
      const fetcher = new HttpFetcher();
      cold[0].push(await session(at(freshFolder()), fetcher));
      await fetcher.close();
      push(cold[1], await ask(at(freshFolder())));
    }
    addRow({
      name: `cold refresh and one target, ${layout}`,
      ours: cold[0],
      python: cold[1],
      goal: isMain ? { times: 10 } : undefined,
    });
    await benchWarm(tree, at, ask, isMain);
    await benchTufJs(layout, at(freshFolder()));
  } finally {
    server.stop();
  }
}

/** Long-lived clients that have been here before: with another snapshot, and with the same. */
async function benchWarm(
  tree: TufTree,
  at: (folder: string) => Client,
  ask: (client: Client) => Promise<Time> | undefined,
  isMain: boolean,
): Promise<void> {
  const fetcher = new HttpFetcher();
  const memory = new MetadataMemory();
  const [living, fresh, theirs] = [at(freshFolder()), at(freshFolder()), at(freshFolder())];
  await session(living, fetcher, memory);
  await session(fresh, fetcher);
  await ask(theirs);
  const other: [Time[], Time[], Time[]] = [[], [], []];
  const same: [Time[], Time[], Time[]] = [[], [], []];
  for (let round = 0; round < rounds; round++) {
    await tree.writeBin(living.target, round + 2);
    await tree.publish();
    // What a living process does most often is measured most often.
    for (const numbers of [other, same, same, same]) {
      numbers[0].push(await session(living, fetcher, memory));
      numbers[1].push(await session(fresh, fetcher));
      push(numbers[2], await ask(theirs));
    }
  }
  await fetcher.close();
  const { layout } = tree;
  addRow({
    name: `other snapshot, live process, ${layout}`,
    ours: other[0],
    python: other[2],
    goal: isMain ? { times: 20 } : undefined,
  });
  addRow({
    name: `other snapshot, nothing kept in memory, ${layout}`,
    ours: other[1],
    python: other[2],
    goal: undefined,
  });
  addRow({
    name: `same snapshot, live process, ${layout}`,
    ours: same[0],
    python: same[2],
    goal: { milliseconds: 3 },
  });
  addRow({
    name: `same snapshot, nothing kept in memory, ${layout}`,
    ours: same[1],
    python: same[2],
    goal: undefined,
  });
}

async function benchTufJs(layout: BinLayout, client: Client): Promise<void> {
  const script = join(import.meta.dirname, 'tuf-js-session.mjs');
  try {
    const { code, stdout, stderr } = await run(process.execPath, [script], {
      input: JSON.stringify(client),
      timeout: TUF_JS_LIMIT,
    });
    if (code !== 0) throw new Error(stderr.trim().split('\n').at(-1));
    rows.push([`cold refresh and one target, ${layout}, tuf-js`, milliseconds(Number(stdout)), '', '', '']);
  } catch (error) {
    const isTime = error instanceof Error && error.message.includes('did not end');
    missing.push(
      `tuf-js, cold refresh, ${layout}: ${isTime ? `not finished after ${TUF_JS_LIMIT / 1000} s` : String(error)}`,
    );
  }
}

/** Parse and verify, in memory. */
async function benchReading(python: Python | undefined): Promise<void> {
  const signer = generateSigner();
  const expires = new Date('2036-01-01T00:00:00Z');
  const keys = new Map([[signer.key.keyId, signer.key]]);
  const role = { keyIds: [signer.key.keyId], threshold: 1 };
  const root = join(scratch.path, 'reading-root.json');
  const { rootOf } = await import('../tools/tuf-signers.ts');
  await writeFile(root, (await signMetadata(rootOf([signer]), [signer])).toBytes());
  const bin = (count: number): Signed =>
    new Targets({
      version: 1,
      expires,
      targets: new Map(Array.from({ length: count }, (_, index) => targetEntry(index))),
    });
  const snapshot = (count: number): Signed =>
    new Snapshot({
      version: 1,
      expires,
      meta: new Map(
        Array.from({ length: count }, (_, index) => [
          `bin-${index.toString(16).padStart(4, '0')}.json`,
          new MetaFile({ version: 1 + (index % 900) }),
        ]),
      ),
    });
  const bins = async (count: number): Promise<Signed> => {
    const tree = await TufTree.create(join(scratch.path, `bins-${count}`), 'path_hash_prefixes', count, 1);
    return new Targets({ version: 1, expires, targets: new Map(), delegations: tree.binDelegations() });
  };
  const measure = async (signed: Signed): Promise<[Time[], Time[]]> => {
    const bytes = (await signMetadata(signed, [signer])).toBytes();
    const file = join(scratch.path, 'reading.json');
    await writeFile(file, bytes);
    const numbers: [Time[], Time[]] = [[], []];
    for (let round = 0; round < 2 * rounds; round++) {
      const time = await timed(async () => {
        const metadata = Metadata.fromBytes(bytes, signed.type as SignedType);
        const { verified } = await verifySignatures(role, keys, metadata);
        if (!verified) throw new Error('not verified');
      });
      numbers[0].push(time);
      if (python !== undefined) numbers[1].push(await python.ask({ kind: 'read', file, root }));
    }
    return numbers;
  };
  const [ours, theirs] = await measure(bin(1221));
  addRow({
    name: 'parse and verify a bin of 1,221 targets',
    ours,
    python: theirs,
    goal: { times: 4 },
  });
  const kinds: readonly (readonly [string, (count: number) => Signed | Promise<Signed>])[] = [
    ['snapshot', snapshot],
    ['bins, explicit prefixes', bins],
    ['bin', bin],
  ];
  for (const [name, make] of kinds) {
    const times: [number[], number[]] = [[], []];
    const sizes: number[] = [];
    for (const count of [4096, 8192, 16_384]) {
      const signed = await make(count);
      const [mine, python3] = await measure(signed);
      sizes.push((await stat(join(scratch.path, 'reading.json'))).size);
      times[0].push(best(mine, 'processor'));
      times[1].push(best(python3, 'processor'));
    }
    rows.push(growthRow(name, sizes, times));
  }
}

const growth = (numbers: readonly number[]): number[] =>
  numbers.slice(1).map((value, index) => value / (numbers[index] ?? Number.NaN));

/**
 * The goal is about twice the bytes, which twice the rows are in a snapshot and in a bin. 8,192 bins have 2.7 times the
 * bytes of 4,096: 13 bits of a hash are eight prefixes of four digits, 12 bits are one of three.
 */
function growthRow(
  name: string,
  sizes: readonly number[],
  [ours, theirs]: readonly [readonly number[], readonly number[]],
): string[] {
  const bytes = growth(sizes);
  const text = (numbers: readonly number[]): string =>
    numbers.some(Number.isFinite)
      ? `${numbers.map(milliseconds).join(', ')}: ${growth(numbers)
          .map((value) => value.toFixed(2))
          .join(', ')}`
      : '';
  const isMet = growth(ours).every((value, index) => value / (bytes[index] ?? Number.NaN) <= 2.3 / 2);
  const ratio = Number.isFinite(theirs[2]) ? `(${((theirs[2] ?? 0) / (ours[2] ?? 1)).toFixed(1)}x)` : '';
  return [
    `time(2n)/time(n), ${name} of 4k, 8k, 16k; bytes ${bytes.map((value) => value.toFixed(2)).join(', ')}`,
    text(ours),
    text(theirs),
    ratio,
    `<= 2.3 for twice the bytes: ${isMet ? 'met' : 'missed'}`,
  ];
}

function targetEntry(index: number): [string, TargetFile] {
  const name = String(index).padStart(6, '0');
  const path = `packages/project-${name}/project_${name}-1.2.3-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl`;
  return [
    path,
    new TargetFile({
      path,
      length: 1000 + index,
      hashes: new Map([['sha256', name.repeat(11).slice(0, 64)]]),
    }),
  ];
}

/** The peak memory of clients that looked into a thousand bins. */
async function benchMemory(python: string | undefined): Promise<void> {
  console.log(`writing ${WALKED_BINS} bins of 1,221 targets`);
  const tree = await TufTree.create(join(scratch.path, 'walk'), 'path_hash_prefixes');
  const targets = tree.paths(WALKED_BINS);
  for (const target of targets) await tree.writeBin(target);
  const server = await serveFolder(tree.folder);
  const input = (folder: string): string =>
    `${JSON.stringify({ kind: 'walk', folder, url: server.url, root: join(tree.folder, '1.root.json'), targets })}\n`;
  try {
    const ours = await peak(
      process.execPath,
      join(import.meta.dirname, 'tuf-walk.mjs'),
      input(freshFolder()),
    );
    const theirs =
      python === undefined
        ? undefined
        : await peak(python, join(import.meta.dirname, 'python_tuf_bench.py'), input(freshFolder()));
    const isMet = ours * 1.048576 <= 150;
    const mebibytes = (value: number): string => `${value.toFixed(0)} MiB`;
    rows.push([
      `peak memory after ${WALKED_BINS} bins`,
      mebibytes(ours),
      theirs === undefined ? '' : mebibytes(theirs),
      theirs === undefined ? '' : `${(theirs / ours).toFixed(1)}x`,
      `<= 150 MB: ${isMet ? 'met' : 'missed'}`,
    ]);
  } finally {
    server.stop();
  }
}

async function peak(program: string, script: string, input: string): Promise<number> {
  const { code, stdout, output } = await run(program, [script], { input, timeout: 900_000 });
  if (code !== 0) throw new Error(output);
  return Number(stdout);
}

function push(times: Time[], time: Time | undefined): void {
  if (time !== undefined) times.push(time);
}

const tools = await pythonTools().catch((error: unknown) => {
  missing.push(`python-tuf: ${error instanceof Error ? error.message : String(error)}`);
  return undefined;
});
const python = tools === undefined ? undefined : new Python(tools.python);
console.log(`Node.js ${process.version}, ${machine()}, ${rounds} rounds`);
try {
  if (isWanted('reading')) await benchReading(python);
  if (isWanted('hashed')) await benchSessions('path_hash_prefixes', python);
  if (isWanted('succinct')) await benchSessions('succinct_roles', python);
  if (isWanted('memory')) await benchMemory(tools?.python);
} finally {
  python?.end();
  await rm(scratch.path, { recursive: true, force: true });
}
const table: Table = {
  title: 'A TUF client of 20 million targets',
  method: `16,384 bins with 1,221 targets each, served over HTTP on the loopback; both clients in turns in the same run, ${rounds} rounds. Each cell: the best time, by which the goals are judged, in brackets the median and the least processor time, which depends less on what else the machine does; growth is that of processor time.`,
  columns: ['', 'Rind', 'python-tuf', 'ratio', 'goal'],
  rows,
  missing,
};
console.log(`\n${table.title}\n${table.method}\n\n${renderTable(table)}`);
for (const reason of missing) console.log(`not measured here: ${reason}`);
if (process.argv.includes('--write')) {
  const file = join(checkout, 'docs', 'benchmarks.md');
  const before = await readFile(file, 'utf8').catch(() => '');
  await writeFile(file, replaceSection(before, table, 'npm run bench:tuf -- --write'));
  console.log(`written to ${file}`);
}
