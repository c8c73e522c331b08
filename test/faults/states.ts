// One state: an operation, a kind of fault and the call that it strikes; made on a disk, judged, thrown away.
import { fork } from 'node:child_process';
import { mkdir, readFile } from 'node:fs/promises';
import { once } from 'node:events';
import { appendFileSync, cpSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { folderReader, metadataDigests, session } from './client.ts';
import { DiskHistory, isChange, readLog, type LoggedCall } from './disk-image.ts';
import { judge, remembered } from './judge.ts';
import { counted, endWatch, logTo, mark, watch } from './layer.ts';
import { makeBase, type Operation, operationNamed, type Tell } from './operations.ts';
import { at, Place, type SignerFault } from './world.ts';

export const KINDS = ['kill', 'EIO', 'ENOSPC', 'power cut', 'signer killed', 'signer fails'] as const;
export type Kind = (typeof KINDS)[number];

/** `k` counts from 1; a power cut is after so many calls, and `seed` says what of the unsynced is left. */
export interface StateName {
  readonly operation: string;
  readonly kind: Kind;
  readonly k: number;
  readonly seed?: number | undefined;
}

export const printState = ({ operation, kind, k, seed }: StateName): string =>
  [operation, kind, k, ...(seed === undefined ? [] : [seed])].join(':');

export function parseState(text: string): StateName {
  const [operation = '', kind = '', k = '', seed] = text.split(':');
  const found = KINDS.find((one) => one === kind);
  if (found === undefined || !(Number(k) >= 0))
    throw new Error(`"${text}" is no state: operation:kind:k[:seed]`);
  return {
    operation: operationNamed(operation).name,
    kind: found,
    k: Number(k),
    seed: seed === undefined ? undefined : Number(seed),
  };
}

/** How many points each kind has. */
export type Points = Readonly<Record<Kind, number>>;

/** The folder in which everything happens. */
export class Scratch {
  readonly path: string;
  constructor(path: string) {
    this.path = path;
  }
  base(operation: Operation): Place {
    return new Place(join(this.path, 'bases', operation.name));
  }
  /** Where the operation ran once from its beginning to its end, its calls written down. */
  whole(operation: Operation): Place {
    return new Place(join(this.path, 'whole', operation.name));
  }
  log(operation: Operation): string {
    return join(this.path, `${operation.name}.log`);
  }
  get common(): Place {
    return new Place(join(this.path, 'common'));
  }
}

/** Makes the base that all operations begin with. */
export async function prepareCommon(scratch: Scratch): Promise<void> {
  await makeBase(scratch.common);
  await see(scratch.common, 0);
}

async function see(place: Place, hours: number): Promise<void> {
  const root = await readFile(join(place.data, 'tree', 'metadata', '1.root.json'));
  await session({
    folder: place.client,
    root,
    read: folderReader(join(place.data, 'tree')),
    clock: at(hours),
  });
}

/** Makes an operation's base, runs it once without faults and counts its points. In a process with the layer. */
export async function prepareOperation(scratch: Scratch, operation: Operation): Promise<Points> {
  const base = await scratch.common.copyTo(scratch.base(operation).path);
  await operation.prepare?.(base);
  if (operation.before === undefined) await see(base, operation.hours > 40 ? operation.hours : 1);
  const calls = await run(await copyOf(scratch, operation, 'counted'), operation, 'count', 0);
  const space = await run(await copyOf(scratch, operation, 'space'), operation, 'enospc', 1_000_000_000);
  const whole = await base.copyTo(scratch.whole(operation).path);
  watch('count', 0, whole.box);
  logTo(scratch.log(operation));
  let signatures = 0;
  await operation.run(
    whole,
    (what) => mark(what),
    () => (signatures += 1),
  );
  endWatch();
  const changes = readLog(await readFile(scratch.log(operation))).filter(isChange).length;
  return {
    kill: calls.seen,
    EIO: calls.seen,
    ENOSPC: space.seen,
    'power cut': changes,
    'signer killed': signatures,
    'signer fails': signatures,
  };
}

let places = 0;
async function copyOf(scratch: Scratch, operation: Operation, name: string): Promise<Place> {
  const path = join(scratch.path, `${name}-${process.pid}-${(places += 1)}`);
  return scratch.base(operation).copyTo(path);
}

/** Runs an operation with a fault in this process. */
async function run(
  place: Place,
  operation: Operation,
  kind: 'count' | 'eio' | 'enospc' | 'kill',
  k: number,
  fault?: SignerFault,
): Promise<{ readonly seen: number; readonly failed: number; readonly told: readonly string[] }> {
  const told: string[] = [];
  watch(kind, k, place.box);
  try {
    await operation.run(place, (what) => told.push(what), fault);
  } catch (error) {
    if (kind === 'count') throw error;
  }
  const result = counted(join(place.path, 'counted'));
  endWatch();
  return { ...result, told };
}

const signerFault = (k: number, strike: () => void): SignerFault => {
  let count = 0;
  return () => {
    count += 1;
    if (count === k) strike();
  };
};

/** Makes and judges one state. Each string is a broken promise. */
export async function tryState(scratch: Scratch, name: StateName): Promise<readonly string[]> {
  const operation = operationNamed(name.operation);
  const place = name.kind === 'power cut' ? await powerCut(scratch, operation, name) : undefined;
  const struck = place ?? (await strike(scratch, operation, name));
  const root = readFileSync(join(scratch.common.data, 'tree', 'metadata', '1.root.json'));
  const first = metadataDigests(join(scratch.base(operation).data, 'tree'));
  const { seen, problem } = remembered(first, struck.written);
  const problems = await judge({ ...struck, operation, root, seen });
  rmSync(struck.place.path, { recursive: true, force: true });
  return problem === undefined ? problems : [problem, ...problems];
}

interface Struck {
  readonly place: Place;
  readonly told: readonly string[];
  readonly written: readonly { readonly name: string; readonly bytes: Uint8Array }[];
  readonly lastServed?: ReturnType<typeof folderReader>;
}

async function strike(scratch: Scratch, operation: Operation, { kind, k }: StateName): Promise<Struck> {
  const place = await copyOf(scratch, operation, 'state');
  if (kind === 'kill' || kind === 'signer killed')
    return { place, told: await killed(place, operation, kind, k), written: [] };
  const fails = signerFault(k, () => {
    throw new Error('the signer is broken');
  });
  const { told } =
    kind === 'signer fails'
      ? await run(place, operation, 'enospc', 1_000_000_000, fails)
      : await run(place, operation, kind === 'EIO' ? 'eio' : 'enospc', k);
  return { place, told, written: [] };
}

/** Runs the operation in a process of its own, which dies. */
async function killed(place: Place, operation: Operation, kind: Kind, k: number): Promise<readonly string[]> {
  const child = fork(
    fileURLToPath(import.meta.url),
    ['doomed', place.path, operation.name, kind, String(k)],
    {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    },
  );
  await once(child, 'exit');
  const told = join(place.path, 'told');
  return existsSync(told) ? readFileSync(told, 'utf8').split('\n').filter(Boolean) : [];
}

/** The process that dies. */
export async function doomed([path = '', name = '', kind = '', k = '']: readonly string[]): Promise<void> {
  const place = new Place(path);
  const operation = operationNamed(name);
  const tell: Tell = (what) => appendFileSync(join(place.path, 'told'), `${what}\n`);
  const fault = signerFault(kind === 'kill' ? 0 : Number(k), () => process.kill(process.pid, 'SIGKILL'));
  watch(kind === 'kill' ? 'kill' : 'count', Number(k), place.box);
  await operation.run(place, tell, fault);
}

const histories = new Map<string, { readonly calls: readonly LoggedCall[]; readonly history: DiskHistory }>();

async function powerCut(scratch: Scratch, operation: Operation, { k, seed = 0 }: StateName): Promise<Struck> {
  let known = histories.get(operation.name);
  if (known === undefined) {
    const calls = readLog(await readFile(scratch.log(operation)));
    const history = new DiskHistory(calls, scratch.whole(operation).box, scratch.base(operation).box);
    known = { calls, history };
    histories.set(operation.name, known);
  }
  const { calls, history } = known;
  const end = indexAfter(calls, k);
  const place = new Place(join(scratch.path, `state-${process.pid}-${(places += 1)}`));
  await mkdir(place.path);
  for (const name of ['client', 'input', 'answered.json'])
    if (existsSync(join(scratch.base(operation).path, name)))
      cpSync(join(scratch.base(operation).path, name), join(place.path, name), { recursive: true });
  history.write(end, seed, place.box);
  const served = join(place.path, 'served');
  history.write(end, undefined, served);
  await mkdir(place.data, { recursive: true });
  return {
    place,
    told: history.marksBefore(end),
    written: history.filesNamedBefore(end, join('data', 'tree', 'metadata')),
    lastServed: folderReader(join(served, 'data', 'tree')),
  };
}

/** The place in the log right before the change number k + 1. */
function indexAfter(calls: readonly LoggedCall[], k: number): number {
  let changes = 0;
  for (const [index, call] of calls.entries()) {
    if (isChange(call) && (changes += 1) > k) return index;
  }
  return calls.length;
}
