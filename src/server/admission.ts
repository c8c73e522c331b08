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

/**
 * Lets in only as many requests as can be answered: what waits without bound is answered late, and then to nobody. Refused requests are told to
 * come again; they cost next to nothing.
 */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #now: () => number;
  #underWay = 0;
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

  /** Call `leave` when it is answered. @throws RegistryError BUSY */
  enter(): void {
    if (this.#underWay >= this.#options.maxRequests || this.#late > 1) {
      this.#refused += 1;
      throw new RegistryError(
        'BUSY',
        'The index is busy; nothing is wrong with the request, send it again.',
        {
          retryAfter: RETRY_AFTER,
        },
      );
    }
    this.#underWay += 1;
  }

  leave(): void {
    this.#underWay -= 1;
  }
}
