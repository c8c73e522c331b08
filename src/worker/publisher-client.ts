import { Worker } from 'node:worker_threads';
import type { HistogramState } from '../telemetry/metrics.ts';
import type { PublisherState } from './publisher-loop.ts';
import type {
  PublishedIndex,
  PublisherMessage,
  PublisherRequest,
  PublisherThreadData,
  ThreadError,
} from './publisher-protocol.ts';

/** Where changes wait for their signatures. */
export interface PublicationQueue {
  /** Something waits in the journal of this index. Costs next to nothing. */
  wake(indexId: number): void;
  /** True as soon as the change of this serial is public; false after `timeoutMs` milliseconds. Wake first. */
  published(journalId: number, timeoutMs: number): Promise<boolean>;
}

export interface PublisherClientLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface PublisherClientOptions extends PublisherThreadData {
  readonly log: PublisherClientLog;
  /** Called for every publication, before anybody who waits for it is told: the moment to drop cached pages. */
  readonly onPublished?: (event: {
    readonly indexId: number;
    readonly changedPaths: readonly string[];
  }) => void;
  /** How long the keys took for their signatures so far, in seconds. */
  readonly onSigning?: (latency: HistogramState) => void;
  /** The publisher has stopped for good; what is public stays public, what waits goes on waiting until the process starts again. */
  readonly onFatal?: (error: PublisherThreadError) => void;
}

/** The publisher's thread refused to start, or stopped; `code` is that of the error in it (STORE_LOCKED, LEASE_LOST, …). */
export class PublisherThreadError extends Error {
  override readonly name = 'PublisherThreadError';
  readonly code: string;

  constructor({ error, code }: ThreadError) {
    super(error);
    this.code = code ?? 'PUBLISHER_FAILED';
  }
}

interface Waiter {
  readonly settle: (isPublished: boolean) => void;
}

/** How long `close` waits for a publication that is being made. Milliseconds. */
const CLOSE_TIMEOUT = 30_000;

/** The main thread's end of the publisher. */
export class PublisherClient implements PublicationQueue {
  readonly #worker: Worker;
  readonly #options: PublisherClientOptions;
  readonly #waiters = new Map<number, Set<Waiter>>();
  readonly #states = new Map<number, PublisherState>();
  readonly #changes = new Map<number, Set<(refusal: ThreadError | undefined) => void>>();
  readonly #exited: Promise<void>;
  #isReady = false;
  #isClosing = false;
  #isDead = false;
  #refusal: ThreadError | undefined;
  /** Resolves when the thread holds the store lock and the leases and has recovered; rejects with PublisherThreadError. What is asked before waits. */
  readonly ready: Promise<void>;

  private constructor(options: PublisherClientOptions, worker: Worker) {
    this.#options = options;
    this.#worker = worker;
    this.#exited = new Promise((resolve) => worker.once('exit', () => resolve()));
    this.ready = this.#begin();
    this.ready.catch(() => undefined);
  }

  /** Begins to open the publisher, in a thread that may have been started before. */
  static begin(options: PublisherClientOptions, thread: Worker = startPublisherThread()): PublisherClient {
    thread.ref();
    return new PublisherClient(options, thread);
  }

  /** Resolves when the publisher is ready; rejects with PublisherThreadError. */
  static async start(options: PublisherClientOptions): Promise<PublisherClient> {
    const client = PublisherClient.begin(options);
    await client.ready;
    return client;
  }

  wake(indexId: number): void {
    this.#post({ kind: 'wake', indexId });
  }

  published(journalId: number, timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const waiters = this.#waiters.get(journalId) ?? new Set<Waiter>();
      this.#waiters.set(journalId, waiters);
      const waiter = {
        settle: (isPublished: boolean) => {
          clearTimeout(timer);
          waiters.delete(waiter);
          if (waiters.size === 0) this.#waiters.delete(journalId);
          resolve(isPublished);
        },
      };
      const timer = setTimeout(() => waiter.settle(false), timeoutMs);
      waiters.add(waiter);
      this.#post({ kind: 'await', journalId });
    });
  }

  /** Publishes for one more index from now on. Rejects with PublisherThreadError when its keys or its lease cannot be had; the others go on. */
  async add(index: PublishedIndex): Promise<void> {
    const answered = this.#answered(index.indexId);
    this.#post({ kind: 'add', index });
    await answered;
  }

  /** Publishes for an index no longer; resolves when the publication that is being made has ended. */
  async remove(indexId: number): Promise<void> {
    const answered = this.#answered(indexId);
    this.#post({ kind: 'remove', indexId });
    await answered;
    this.#states.delete(indexId);
  }

  #answered(indexId: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiting = this.#changes.get(indexId) ?? new Set();
      this.#changes.set(indexId, waiting);
      waiting.add((refusal) => {
        if (refusal === undefined) resolve();
        else reject(new PublisherThreadError(refusal));
      });
      if (this.#isDead) this.#answer(indexId, { error: 'The publisher has stopped.' });
    });
  }

  #answer(indexId: number, refusal: ThreadError | undefined): void {
    for (const settle of this.#changes.get(indexId) ?? []) settle(refusal);
    this.#changes.delete(indexId);
  }

  /** What was last heard of the publisher of an index; undefined before the first word of it. */
  state(indexId: number): PublisherState | undefined {
    return this.#states.get(indexId);
  }

  /** Whether the publisher is at work; false once it has stopped for good. */
  get isAlive(): boolean {
    return this.#isReady && !this.#isDead;
  }

  /** Lets the publication that is being made end, and stops the thread. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#post({ kind: 'close' });
    const timer = setTimeout(() => void this.#worker.terminate(), CLOSE_TIMEOUT);
    await this.#exited;
    clearTimeout(timer);
    for (const waiters of this.#waiters.values()) for (const { settle } of waiters) settle(false);
    for (const indexId of this.#changes.keys()) this.#answer(indexId, { error: 'The publisher is closed.' });
  }

  async #begin(): Promise<void> {
    const ready = new Promise<void>((resolve) => {
      this.#worker.on('message', (message: PublisherMessage) => {
        if (message.kind === 'ready') resolve();
        this.#receive(message);
      });
    });
    this.#worker.on('error', (error) => this.#stop({ error: error.message }));
    this.#worker.on('exit', () => this.#stop({ error: 'The publisher thread ended unexpectedly.' }));
    this.#post({ kind: 'begin', data: threadData(this.#options) });
    await Promise.race([ready, this.#exited]);
    if (!this.#isReady) {
      await this.#exited;
      throw new PublisherThreadError(this.#refusal ?? { error: 'The publisher thread did not start.' });
    }
  }

  #receive(message: PublisherMessage): void {
    const { log, onPublished } = this.#options;
    switch (message.kind) {
      case 'ready':
        this.#isReady = true;
        break;
      case 'refused':
        this.#refusal = message.reason;
        break;
      case 'published':
        onPublished?.({ indexId: message.indexId, changedPaths: message.changedPaths });
        for (const journalId of message.journalIds) this.#settle(journalId);
        break;
      case 'already':
        this.#settle(message.journalId);
        break;
      case 'signing':
        this.#options.onSigning?.(message.latency);
        break;
      case 'added':
      case 'removed':
        this.#answer(message.indexId, undefined);
        break;
      case 'not-added':
        this.#answer(message.indexId, message.reason);
        break;
      case 'state':
        this.#states.set(message.indexId, message.state);
        break;
      case 'fatal':
        this.#stop(message.reason);
        break;
      case 'log':
        log[message.level](message.fields, message.message);
        break;
    }
  }

  #settle(journalId: number): void {
    for (const { settle } of this.#waiters.get(journalId) ?? []) settle(true);
  }

  #stop(reason: ThreadError): void {
    if (this.#isDead || this.#isClosing) return;
    if (!this.#isReady) {
      this.#refusal ??= reason;
      return;
    }
    this.#isDead = true;
    const error = new PublisherThreadError(reason);
    this.#options.log.error({ ...reason }, 'the publisher has stopped; restart to publish what waits');
    this.#options.onFatal?.(error);
  }

  #post(request: PublisherRequest): void {
    this.#worker.postMessage(request);
  }
}

/** Only what the thread needs: functions cannot cross. */
function threadData(options: PublisherClientOptions): PublisherThreadData {
  const { databasePath, storeRoot, temporaryFolder, lockFolder, indexes } = options;
  const { trustClock, expiry, collection } = options;
  return { databasePath, storeRoot, temporaryFolder, lockFolder, indexes, trustClock, expiry, collection };
}

/** The thread by itself, which reads its program and waits: a process that will need it has other things to do meanwhile. Keeps no process alive. */
export function startPublisherThread(): Worker {
  const worker = startWorker();
  worker.unref();
  return worker;
}

function startWorker(): Worker {
  if (!import.meta.url.endsWith('.ts')) return new Worker(new URL('./publisher-thread.js', import.meta.url));
  // Run from source (tests, development), Node.js 20 needs tsx to load TypeScript in a new thread.
  const entry = new URL('./publisher-thread.ts', import.meta.url).href;
  const load = `import('tsx/esm/api').then((tsx) => tsx.register()).then(() => import(${JSON.stringify(entry)}))`;
  return new Worker(load, { eval: true });
}
