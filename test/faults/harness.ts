// Builds the workers, asks them for the points of every operation, and lets them try states.
import { build } from 'esbuild';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileLayer, layerEnvironment } from './layer.ts';
import type { Points, StateName } from './states.ts';
import type { Answer, Job } from './worker.ts';

const here = fileURLToPath(new URL('.', import.meta.url));
const checkout = join(here, '..', '..');

export interface TriedState {
  readonly state: StateName;
  readonly problems: readonly string[];
}

/** Workers with the layer, and a scratch folder that lives as long as they. */
export class Harness {
  readonly scratch: string;
  readonly #bundle: string;
  readonly #workers: readonly ChildProcess[];

  private constructor(scratch: string, bundle: string, workers: readonly ChildProcess[]) {
    this.scratch = scratch;
    this.#bundle = bundle;
    this.#workers = workers;
  }

  /** Undefined on machines where the layer cannot be compiled or loaded. */
  static async start(count: number): Promise<Harness | undefined> {
    const library = await compileLayer(join(here, 'layer.c'));
    if (library === undefined) return undefined;
    // A disk in memory: what is synced there costs nothing, and what is lost by a power cut is computed from the calls.
    const parent = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
    const scratch = await mkdtemp(join(parent, 'rind-faults-'));
    const bundle = join(checkout, 'node_modules', '.cache', 'rind-faults', `worker-${process.pid}.mjs`);
    await mkdir(join(bundle, '..'), { recursive: true });
    await build({
      entryPoints: [join(here, 'worker.ts')],
      outfile: bundle,
      bundle: true,
      platform: 'node',
      format: 'esm',
      packages: 'external',
      logLevel: 'error',
    });
    const workers = Array.from({ length: count }, () =>
      fork(bundle, [], {
        env: layerEnvironment(library),
        execArgv: (process.env['RIND_FAULTS_NODE'] ?? '').split(' ').filter(Boolean),
        serialization: 'json',
      }),
    );
    const harness = new Harness(scratch, bundle, workers);
    await harness.#ask(0, { kind: 'common', scratch });
    return harness;
  }

  async #ask(worker: number, job: Job): Promise<unknown> {
    const child = this.#workers[worker];
    if (child === undefined) throw new Error('no such worker');
    const waiting = new AbortController();
    const { signal } = waiting;
    const answered = once(child, 'message', { signal }) as Promise<[Answer]>;
    const ended = once(child, 'exit', { signal }).then(() => [{ error: 'the worker died' } satisfies Answer]);
    child.send(job);
    const [answer] = await Promise.race([answered, ended]);
    ended.catch(() => undefined);
    waiting.abort();
    if (answer === undefined) throw new Error('no answer');
    if ('error' in answer) throw new Error(answer.error);
    return answer.value;
  }

  /** Runs an operation once to its end. */
  async points(operation: string): Promise<Points> {
    return (await this.#ask(0, { kind: 'prepare', scratch: this.scratch, operation })) as Points;
  }

  /** Tries states on all workers; `each` hears of every one. `isLate`: no more are begun. */
  async tryAll(
    states: Iterable<StateName>,
    each: (tried: TriedState) => void,
    isLate = () => false,
  ): Promise<void> {
    const queue = states[Symbol.iterator]();
    const work = async (worker: number): Promise<void> => {
      for (let next = queue.next(); next.done !== true && !isLate(); next = queue.next()) {
        const state = next.value;
        try {
          const problems = (await this.#ask(worker, {
            kind: 'state',
            scratch: this.scratch,
            state,
          })) as string[];
          each({ state, problems });
        } catch (error) {
          each({
            state,
            problems: [`the harness: ${error instanceof Error ? error.message : String(error)}`],
          });
        }
      }
    };
    await Promise.all(this.#workers.map((_, worker) => work(worker)));
  }

  async close(): Promise<void> {
    for (const worker of this.#workers) {
      const ended = once(worker, 'exit');
      worker.disconnect();
      await ended;
    }
    await rm(this.scratch, { recursive: true, force: true });
    await rm(this.#bundle, { force: true });
  }
}
