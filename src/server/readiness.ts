import { sql } from 'kysely';
import type { Executor } from '../db/schema.ts';
import { errorFields } from '../repository/errors.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import type { Site } from './site.ts';

/** One thing that must work; `problem` is a sentence for the log, never for the answer. */
export interface Check {
  readonly name: string;
  readonly problem: string | undefined;
}

export interface ReadinessOptions {
  readonly db: Executor;
  readonly store: ObjectStore;
  readonly sites: () => Iterable<Site>;
  readonly clock: () => Date;
  /** Of parts that the server does not know: the publisher. */
  readonly more?: (() => Promise<readonly Check[]>) | undefined;
}

const MAX_TIMESTAMP_SIZE = 64 * 1024;

/** Looks whether the server can do its work now: the database answers, every index has a timestamp in the store, and none has expired. */
export async function checkReadiness(options: ReadinessOptions): Promise<readonly Check[]> {
  const [database, timestamps, more] = await Promise.all([
    check('database', () => sql`select 1`.execute(options.db)),
    timestampChecks(options),
    options.more?.().catch((error: unknown) => [failed('publisher', error)]) ?? [],
  ]);
  return [database, ...timestamps, ...more];
}

async function timestampChecks({ store, sites, clock }: ReadinessOptions): Promise<readonly Check[]> {
  const found: { readonly name: string; readonly expires: number }[] = [];
  const reading = await check('store', async () => {
    for (const { name, tree } of sites()) {
      const bytes = await store.read(tree.plain('metadata/timestamp.json'), {
        maxLength: MAX_TIMESTAMP_SIZE,
      });
      if (bytes === undefined) throw new Error(`The index "${name}" has no timestamp.`);
      found.push({ name, expires: expiryOf(bytes) });
    }
  });
  const expired = found.find(({ expires }) => !(expires > clock().getTime()));
  const problem =
    expired === undefined ? undefined : `The timestamp of the index "${expired.name}" has expired.`;
  return [reading, { name: 'timestamp', problem }];
}

/** Of our own timestamp, for a look at its time only: nothing is trusted because of it. */
function expiryOf(bytes: Uint8Array): number {
  const { signed } = JSON.parse(Buffer.from(bytes).toString()) as {
    readonly signed?: { readonly expires?: string };
  };
  return Date.parse(signed?.expires ?? '');
}

async function check(name: string, work: () => Promise<unknown>): Promise<Check> {
  try {
    await work();
    return { name, problem: undefined };
  } catch (error) {
    return failed(name, error);
  }
}

function failed(name: string, error: unknown): Check {
  return { name, problem: errorFields(error).error };
}
