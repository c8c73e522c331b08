import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads';

/** 'kill' ends the process as `kill -9` does; the others make the operation fail with that error. */
export type FaultKind = 'kill' | 'EIO' | 'ENOSPC' | 'EMFILE';

const FAULT_KINDS: readonly string[] = ['kill', 'EIO', 'ENOSPC', 'EMFILE'] satisfies readonly FaultKind[];
const VARIABLE = 'RIND_FAULT';
const COUNTER = 'rind.fault-counter';

/** The error that an injected fault throws; looks like one of the operating system. */
class InjectedFaultError extends Error {
  override readonly name = 'InjectedFaultError';
  readonly code: FaultKind;

  constructor(code: FaultKind, operation: string) {
    super(`${code}: injected before ${operation}`);
    this.code = code;
  }
}

/**
 * Makes the k-th durable operation (write, sync, link, rename, remove, commit) of a process fail, for crash tests: they loop over k.
 * Every injector made from the environment counts on one counter, in worker threads too.
 */
export class FaultInjector {
  readonly #at: number;
  readonly #kind: FaultKind;
  readonly #counter: Int32Array<ArrayBufferLike>;

  /** `at` counts from 1. */
  constructor(at: number, kind: FaultKind, counter: Int32Array<ArrayBufferLike> = new Int32Array(1)) {
    this.#at = at;
    this.#kind = kind;
    this.#counter = counter;
  }

  /** From `RIND_FAULT=k` or `RIND_FAULT=k:EIO`; undefined when the variable is not set. Throws on anything else. */
  static fromEnvironment(environment: NodeJS.ProcessEnv = process.env): FaultInjector | undefined {
    const text = environment[VARIABLE];
    if (text === undefined || text === '') return undefined;
    const [at = '', kind = 'kill', ...rest] = text.split(':');
    if (!/^[1-9][0-9]{0,8}$/.test(at) || !FAULT_KINDS.includes(kind) || rest.length > 0) {
      throw new TypeError(
        `${VARIABLE} must be a number from 1, or such a number, a colon and an error code.`,
      );
    }
    return new FaultInjector(Number(at), kind as FaultKind, sharedCounter());
  }

  /** How many operations were counted. */
  get count(): number {
    return Atomics.load(this.#counter, 0);
  }

  /** To be called before each durable operation. */
  before(operation: string): void {
    const number = Atomics.add(this.#counter, 0, 1) + 1;
    if (number !== this.#at) return;
    if (this.#kind === 'kill') process.kill(process.pid, 'SIGKILL');
    throw new InjectedFaultError(this.#kind, operation);
  }
}

/** Threads started after the first call count on the same memory. */
function sharedCounter(): Int32Array<ArrayBufferLike> {
  const inherited = getEnvironmentData(COUNTER);
  if (inherited instanceof SharedArrayBuffer) return new Int32Array(inherited);
  const memory = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
  setEnvironmentData(COUNTER, memory);
  return new Int32Array(memory);
}
