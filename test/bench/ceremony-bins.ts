import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { putTargets, targetsOfRange } from '../../src/db/targets.ts';
import { BinLayout, encodeBin, type BinTarget } from '../../src/repository/bins.ts';
import { signEncoded } from '../../src/repository/signed-role.ts';
import { signInParts } from '../../src/repository/sign-in-parts.ts';
import { generatePrivateKey, KeySigner } from '../../src/keys/key-signer.ts';
import { PosixStore } from '../../src/storage/posix-store.ts';
import { IndexFixture } from '../support/index-fixture.ts';
import { succeed } from '../tools/process.ts';
import { pythonTools } from '../tools/python-tools.ts';
import { isQuick, type Table } from './report.ts';

const BINS = 16_384;
const TARGETS = 1221;
/** Full bins whose rows are made before the clock runs; of empty ones all. */
const ROWS_AT_ONCE = BINS / 16;
/** Taken away at the end of the run: a file system that has just forgotten thousands of files makes new ones slowly. */
const foldersOfRun: string[] = [];

/** A ceremony's online initialisation with 16,384 bins: empty, and with PyPI's number of targets, beside python-tuf signing the same bins. */
export async function benchCeremonyBins(): Promise<Table> {
  const full = isQuick ? 64 : Number(process.env['RIND_BENCH_BINS'] ?? BINS);
  const rows: string[][] = [];
  const missing: string[] = [];
  const row = (name: string, bins: number, { ms, cpu }: Timing, note: string) =>
    rows.push([
      name,
      bins.toLocaleString('en-US'),
      `${(ms / 1000).toFixed(2)} s`,
      `${(cpu / 1000).toFixed(2)} s`,
      `${(((ms / bins) * BINS) / 1000).toFixed(1)} s`,
      note,
    ]);
  const rounds = isQuick ? 1 : 3;
  const empty: Timing[] = [];
  for (let round = 0; round < rounds; round += 1)
    empty.push((await timeBins(new BinLayout(BINS).names, () => [])).signed);
  row('rind: empty bins, signed and written', BINS, fastest(empty), `best of ${rounds}: ${empty.map(({ ms }) => (ms / 1000).toFixed(2)).join(', ')} s`); // prettier-ignore
  const filled = await timeFilledBins(full);
  row(
    `rind: ${TARGETS} targets in each bin`,
    full,
    filled.signed,
    `rows made in ${(filled.made / 1000).toFixed(1)} s; ${(filled.bytes / 2 ** 20).toFixed(0)} MiB written`,
  );
  row('rind: whole repository, empty bins', BINS, await timeRepository(), 'with database, lists, checks');
  const read = await timeRowReading(isQuick ? 4 : 64);
  row('rind: reading the rows of such bins', isQuick ? 4 : 64, read, 'SQLite, apart');
  const python = await pythonTools().catch((error: unknown) => {
    missing.push(`python-tuf: ${String(error)}`);
    return undefined;
  });
  if (python !== undefined) {
    const folder = await mkdtemp(join(process.cwd(), 'node_modules', '.bench-'));
    for (const [targets, bins] of [
      [0, isQuick ? 64 : 2048],
      [TARGETS, isQuick ? 4 : 64],
    ] as const) {
      const script = join(import.meta.dirname, 'python_tuf_bins.py');
      const { stdout } = await succeed(python.python, [script, String(bins), String(targets), folder], {
        timeout: 600_000,
      });
      row(
        `python-tuf: ${targets === 0 ? 'empty bins' : `${targets} targets in each bin`}`,
        bins,
        fromSeconds(JSON.parse(stdout)),
        'not synced to the disk',
      );
    }
    foldersOfRun.push(folder);
  }
  for (const folder of foldersOfRun.splice(0)) await rm(folder, { recursive: true });
  return {
    title: 'A ceremony with 16,384 bins',
    method: `The one-time online initialisation. Everything of rind is durable (synced) when its time ends; python-tuf signs and writes the same bins in the same run. "measured" is by the clock, "processor" all threads together, the fifth column the clock for all ${BINS.toLocaleString('en-US')} bins.`,
    columns: ['what', 'bins', 'measured', 'processor', `for ${BINS.toLocaleString('en-US')}`, 'note'],
    rows,
    missing,
  };
}

interface Timing {
  /** By the clock, milliseconds. */
  readonly ms: number;
  /** Processor time of all threads, milliseconds. */
  readonly cpu: number;
}

function fastest(timings: readonly Timing[]): Timing {
  return timings.reduce((best, timing) => (timing.ms < best.ms ? timing : best));
}

function startTimer(): () => Timing {
  const [clock, processor] = [performance.now(), process.cpuUsage()];
  return () => {
    const { user, system } = process.cpuUsage(processor);
    return { ms: performance.now() - clock, cpu: (user + system) / 1000 };
  };
}

function fromSeconds({
  seconds,
  processor,
}: {
  readonly seconds: number;
  readonly processor: number;
}): Timing {
  return { ms: seconds * 1000, cpu: processor * 1000 };
}

/** createRepository as the server does it: database, store on disk, recovery. */
async function timeRepository(): Promise<Timing> {
  const fixture = await IndexFixture.open({ profile: 'pypi', onDisk: true, online: await signer() });
  await fixture.signedOffline();
  const timer = startTimer();
  await fixture.createRepository();
  const total = timer();
  await fixture.close();
  return total;
}

export async function timeFilledBins(count: number) {
  return timeBins(new BinLayout(BINS).names.slice(0, count), madeUpTargets);
}

/** As the publisher does it, without the database. */
async function timeBins(names: readonly string[], targetsOf: (bin: number) => readonly BinTarget[]) {
  const folder = await mkdtemp(join(process.cwd(), 'node_modules', '.bench-'));
  foldersOfRun.push(folder);
  await mkdir(join(folder, 'temporary'));
  const store = await PosixStore.open({
    root: join(folder, 'tree'),
    temporaryFolder: join(folder, 'temporary'),
  });
  const online = await signer();
  const expires = new Date(Date.now() + 86_400_000);
  let [made, bytes] = [0, 0];
  const signed = { ms: 0, cpu: 0 };
  const atOnce = targetsOf(0).length === 0 ? names.length : ROWS_AT_ONCE;
  for (let start = 0; start < names.length; start += atOnce) {
    const began = performance.now();
    const part = names.slice(start, start + atOnce).map((role, index) => ({ role, targets: targetsOf(start + index) })); // prettier-ignore
    made += performance.now() - began;
    const timer = startTimer();
    const sign = ({ role, targets }: (typeof part)[number]) => {
      const next = { role, version: 1, expires };
      return signEncoded(next, encodeBin({ ...next, targets }), [online]);
    };
    const roles = await signInParts(part, sign, async (written) => {
      await store.createMany(
        written.map(({ role, bytes: body }) => ({ key: `metadata/1.${role}.json`, bytes: body })),
      );
    });
    const { ms, cpu } = timer();
    signed.ms += ms;
    signed.cpu += cpu;
    for (const { length } of roles) bytes += length;
  }
  return { made, signed, bytes };
}

async function timeRowReading(bins: number): Promise<Timing> {
  const fixture = await IndexFixture.open();
  // As many bins as are read, so that each has as many rows as one of 16,384 bins of a large index.
  const layout = new BinLayout(bins);
  const { db, index } = fixture;
  const targets = Array.from({ length: bins * TARGETS }, (_, number) => madeUpTarget(0, number));
  await putTargets(db, index.id, targets);
  const timer = startTimer();
  let rows = 0;
  for (const name of layout.names) {
    const { first, last } = layout.rangeOf(name);
    rows += (await targetsOfRange(db, index.id, first, last)).length;
  }
  const time = timer();
  await fixture.close();
  if (rows !== bins * TARGETS) throw new Error(`${rows} rows were read`);
  return time;
}

function madeUpTargets(bin: number): readonly BinTarget[] {
  return Array.from({ length: TARGETS }, (_, index) => madeUpTarget(bin, index));
}

function madeUpTarget(bin: number, index: number): BinTarget {
  const sha256 = createHash('sha256').update(`target ${bin} ${index}`).digest('hex');
  const project = `project-${sha256.slice(0, 6)}`;
  return {
    path: `packages/${project}/project_${sha256.slice(0, 6)}-1.${index}.0-py3-none-any.whl`,
    length: 10_000 + index,
    sha256,
  };
}

async function signer(): Promise<KeySigner> {
  return KeySigner.fromPrivateKey(await generatePrivateKey('ed25519'));
}
