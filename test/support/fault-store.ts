import type { CreateOutcome, NewObject, ObjectStore, WriteOptions } from '../../src/storage/object-store.ts';
import { sha256 } from './index-fixture.ts';

/** Dies where it is told to. */
export class Crash extends Error {
  override readonly name = 'Crash';
}

export type CrashMoment = 'before' | 'after';

/** Counts the durable operations of a store and of a database, and dies before or after the k-th. Remembers the bytes that every key ever had. */
export class FaultPlan {
  #count = 0;
  #at = Number.POSITIVE_INFINITY;
  #moment: CrashMoment = 'before';
  #struck = false;
  /** sha256 values by key, of everything that was ever stored. */
  readonly history = new Map<string, Set<string>>();

  arm(at: number, moment: CrashMoment = 'before'): void {
    this.#count = 0;
    this.#at = at;
    this.#moment = moment;
    this.#struck = false;
  }

  /** Whether the crash happened since `arm`. */
  disarm(): boolean {
    this.#at = Number.POSITIVE_INFINITY;
    return this.#struck;
  }

  get count(): number {
    return this.#count;
  }

  /** Before a commit: dying after it is dying before the next operation. */
  readonly beforeCommit = () => {
    this.#count += 1;
    if (this.#count === this.#at) this.#strike();
  };

  async run<T>(work: () => Promise<T>): Promise<T> {
    this.#count += 1;
    const strikes = this.#count === this.#at;
    if (strikes && this.#moment === 'before') this.#strike();
    const result = await work();
    if (strikes) this.#strike();
    return result;
  }

  record(key: string, bytes: Uint8Array): void {
    const versions = this.history.get(key) ?? new Set();
    this.history.set(key, versions.add(sha256(bytes)));
  }

  #strike(): never {
    this.#struck = true;
    throw new Crash(`died at operation ${this.#count}`);
  }
}

/** A store whose writing operations follow a plan. The objects of `createMany` are written one by one, so that any subset can be left behind. */
export function faultStore(store: ObjectStore, plan: FaultPlan): ObjectStore {
  const create = (key: string, bytes: Uint8Array) =>
    plan.run(async () => {
      const outcome = await store.create(key, bytes);
      if (outcome === 'created') plan.record(key, bytes);
      return outcome;
    });
  return {
    read: (key, options) => store.read(key, options),
    open: (key) => store.open(key),
    stat: (key) => store.stat(key),
    list: (prefix) => store.list(prefix),
    temporary: () => store.temporary(),
    create,
    createMany: async (entries: readonly NewObject[], { after }: WriteOptions = {}) => {
      await after;
      const outcomes: CreateOutcome[] = [];
      for (const { key, bytes } of entries) outcomes.push(await create(key, bytes));
      return outcomes;
    },
    replace: async (key, bytes, expected, { staged } = {}) => {
      await staged?.();
      return plan.run(async () => {
        const replaced = await store.replace(key, bytes, expected);
        if (replaced) {
          const { version } = JSON.parse(new TextDecoder().decode(bytes)).signed;
          plan.record(`${key}#${version}`, bytes);
        }
        return replaced;
      });
    },
    put: (key, bytes) => plan.run(() => store.put(key, bytes)),
    copy: (from, to) => plan.run(() => store.copy(from, to)),
    copyOver: (from, to) => plan.run(() => store.copyOver(from, to)),
    remove: (key) => plan.run(() => store.remove(key)),
  };
}

/** The metadata keys that ever had two byte strings: none, or the publisher has equivocated. */
export function equivocations(plan: FaultPlan): readonly string[] {
  return [...plan.history]
    .filter(([key, versions]) => key.includes('metadata/') && versions.size > 1)
    .map(([key]) => key);
}
