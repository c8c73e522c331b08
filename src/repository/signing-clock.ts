import { PublicationError } from './errors.ts';

export interface SigningClockOptions {
  /** The clock of the machine, which people and NTP may set. */
  readonly clock: () => Date;
  /** Milliseconds since a moment that stays the same while the process runs, suspended time included; nobody can set it. Undefined: steps are seen only against what was signed. */
  readonly elapsed?: (() => number) | undefined;
  /** Somebody says that the clock is right, whatever was signed before. */
  readonly isTrusted?: boolean | undefined;
  /** Told once about each step: how far, in milliseconds, and whether it is signed with. */
  readonly onStep?: ((step: number) => void) | undefined;
}

/** What else tells the time. */
export interface TimeEvidence {
  /** When the public timestamp was signed; undefined before the first. */
  readonly lastSigned: Date | undefined;
  /** When root, targets or bins, whichever is first, expire; undefined: do not ask. */
  readonly offlineExpires?: Date | undefined;
}

const HOUR = 3_600_000;
/** A wrong day, time zone or daylight saving: what is signed then lasts so much longer or shorter, which every lifetime bears. */
const TOLERATED = 25 * HOUR;
/** Less is what NTP does every day. */
const NOTICED = 60_000;

/** A time of the clock, and of what no one sets. Milliseconds. */
interface Anchor {
  readonly time: number;
  readonly elapsed: number;
}

/**
 * The time that signatures are made with. A clock that jumps must not sign what lasts for years, nor what is expired when it is public:
 * steps of up to 25 hours are followed (forward) or waited out (backward: time stands still until the clock has caught up, so no expiry moves
 * back); after a larger one nothing is signed until the clock is right again or somebody says that it is. Versions never depend on it.
 */
export class SigningClock {
  readonly #options: SigningClockOptions;
  #anchor: Anchor | undefined;
  #lastStep: number | undefined;
  #steppedForward: Date | undefined;

  constructor(options: SigningClockOptions) {
    this.#options = options;
  }

  /** When the clock last jumped ahead, by itself: what seems old since then may be young. */
  get steppedForward(): Date | undefined {
    return this.#steppedForward;
  }

  /** Throws CLOCK_STEPPED when the clock cannot be right. */
  time({ lastSigned, offlineExpires }: TimeEvidence): Date {
    const now = this.#options.clock();
    if (this.#options.isTrusted !== true) {
      const anchor = this.#requireSteady(now);
      requirePlausible(now, lastSigned, offlineExpires);
      // Only a time that agrees with what was signed: a machine may start long before its clock is set.
      this.#anchor = anchor;
      if (lastSigned !== undefined && lastSigned > now) return lastSigned;
    }
    return now;
  }

  #requireSteady(now: Date): Anchor | undefined {
    const elapsed = this.#options.elapsed?.();
    if (elapsed === undefined) return undefined;
    const anchor = this.#anchor ?? { time: now.getTime(), elapsed };
    const step = now.getTime() - anchor.time - (elapsed - anchor.elapsed);
    this.#note(step, now);
    if (Math.abs(step) > TOLERATED) {
      throw stepped(
        `The clock of this machine was set ${step > 0 ? 'forward' : 'back'} by ${inHours(step)} to ${now.toISOString()}`,
      );
    }
    return { time: now.getTime(), elapsed };
  }

  #note(step: number, now: Date): void {
    const isNew = Math.abs(step - (this.#lastStep ?? 0)) > NOTICED;
    this.#lastStep = step;
    if (Math.abs(step) <= NOTICED || !isNew) return;
    if (step > 0) this.#steppedForward = now;
    this.#options.onStep?.(step);
  }
}

function requirePlausible(now: Date, lastSigned: Date | undefined, offlineExpires: Date | undefined): void {
  if (lastSigned === undefined) return;
  const ahead = lastSigned.getTime() - now.getTime();
  if (ahead > TOLERATED) {
    throw stepped(
      `The clock of this machine says ${now.toISOString()}, but the public timestamp was signed ${inHours(ahead)} later, at ${lastSigned.toISOString()}`,
    );
  }
  if (offlineExpires !== undefined && now > offlineExpires && -ahead > TOLERATED) {
    throw stepped(
      `The clock of this machine says ${now.toISOString()}, ${inHours(ahead)} after the last signature, and by it the offline roles expired at ${offlineExpires.toISOString()}; if that is true, hold a ceremony, because no client accepts anything before`,
    );
  }
}

function stepped(what: string): PublicationError {
  return new PublicationError(
    'CLOCK_STEPPED',
    `${what}; nothing is signed until the clock is right, or rind serve is started with --trust-clock because it is right now.`,
    { role: 'timestamp' },
  );
}

function inHours(milliseconds: number): string {
  const hours = Math.round(Math.abs(milliseconds) / HOUR);
  return hours < 72 ? `${hours} hours` : `${Math.round(hours / 24)} days`;
}
