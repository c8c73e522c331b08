// A process with the layer: makes bases, and one state after the other.
import { prepareCommon, prepareOperation, doomed, Scratch, tryState, type StateName } from './states.ts';
import { operationNamed } from './operations.ts';

export type Job =
  | { readonly kind: 'common'; readonly scratch: string }
  | { readonly kind: 'prepare'; readonly scratch: string; readonly operation: string }
  | { readonly kind: 'state'; readonly scratch: string; readonly state: StateName };

/** `value`: Points of 'prepare', problems of 'state'. */
export type Answer = { readonly value: unknown } | { readonly error: string };

async function take(job: Job): Promise<unknown> {
  const scratch = new Scratch(job.scratch);
  if (job.kind === 'common') return prepareCommon(scratch);
  if (job.kind === 'prepare') return prepareOperation(scratch, operationNamed(job.operation));
  return tryState(scratch, job.state);
}

if (process.argv[2] === 'doomed') {
  await doomed(process.argv.slice(3));
} else {
  process.on('message', (job: Job) => {
    take(job).then(
      (value) => process.send?.({ value: value ?? null } satisfies Answer),
      (error: unknown) =>
        process.send?.({
          error: error instanceof Error ? (error.stack ?? error.message) : String(error),
        } satisfies Answer),
    );
  });
}
