import { RegistryError } from '../registry/errors.ts';

export interface AdmissionOptions {
  /** Requests under way at a time. */
  readonly maxRequests: number;
  /** Milliseconds by which the process may fall behind. */
  readonly maxDelay: number;
  readonly now?: () => number;
}

const INTERVAL = 100;
/** Seconds. */
const RETRY_AFTER = 1;

/** Files that may be on their way for each request that may be under way. */
const FILES_PER_REQUEST = 4;

/** A place among the requests under way. Whoever waits for a client gives it up meanwhile: a slow one costs nobody else anything. */
export class Slot {
  readonly #change: (by: number) => void;
  readonly #send: (sending: () => Promise<void>) => Promise<void>;
  #isHeld = true;

  constructor(change: (by: number) => void, send: (sending: () => Promise<void>) => Promise<void>) {
    this.#change = change;
    this.#send = send;
    change(1);
  }

  /** Gives the place back; once is enough, twice does no harm. */
  leave(): void {
    if (this.#isHeld) this.#change(-1);
    this.#isHeld = false;
  }

  /** Runs something that waits for what the client sends. */
  async receive<Received>(receiving: () => Promise<Received>): Promise<Received> {
    this.leave();
    const received = await receiving();
    this.#isHeld = true;
    this.#change(1);
    return received;
  }

  /** Gives the place back and runs something that waits for the client to take it. @throws RegistryError BUSY */
  send(sending: () => Promise<void>): Promise<void> {
    this.leave();
    return this.#send(sending);
  }
}

/**
 * Lets in only as many requests as can be answered: what waits without bound is answered late, and then to nobody. Refused requests are told to
 * come again; they cost next to nothing.
 */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #now: () => number;
  #underWay = 0;
  #sending = 0;
  #refused = 0;
  #expected: number;
  #late = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#expected = this.#now() + INTERVAL;
  }

  get underWay(): number {
    return this.#underWay;
  }

  get refused(): number {
    return this.#refused;
  }

  /** Begins to watch how far behind the process is. */
  start(): void {
    this.#expected = this.#now() + INTERVAL;
    this.#timer = setInterval(() => this.look(), INTERVAL);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Twice late in a row is falling behind; once may be a machine that was held up for a moment. */
  look(): void {
    const now = this.#now();
    this.#late = now - this.#expected > this.#options.maxDelay ? this.#late + 1 : 0;
    this.#expected = now + INTERVAL;
  }

  /** A place for a request; give it back when it is answered. @throws RegistryError BUSY */
  enter(): Slot {
    if (this.#underWay >= this.#options.maxRequests || this.#late > 1) throw this.#busy();
    const change = (by: number): void => void (this.#underWay += by);
    return new Slot(change, (sending) => this.#send(sending));
  }

  /** Files on their way to clients, however slow, are counted apart: each holds an open file and nothing else. @throws RegistryError BUSY */
  async #send(sending: () => Promise<void>): Promise<void> {
    if (this.#sending >= this.#options.maxRequests * FILES_PER_REQUEST) throw this.#busy();
    this.#sending += 1;
    try {
      await sending();
    } finally {
      this.#sending -= 1;
    }
  }

  #busy(): RegistryError {
    this.#refused += 1;
    const message = 'The index is busy; nothing is wrong with the request, send it again.';
    return new RegistryError('BUSY', message, { retryAfter: RETRY_AFTER });
  }
}
