import { addTakedown, listTakedowns, removeTakedown, type TakedownOutcome } from '../registry/takedowns.ts';
import type { Takedown } from '../pypi/takedown-list.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { publishChanges, withIndex, type OpenedData } from './index-change.ts';
import type { IndexRow } from '../db/schema.ts';
import { print, say } from './terminal.ts';

export interface TakedownOptions {
  readonly data: string;
  readonly index: string;
  readonly json?: boolean;
}

/** `rind takedown add PROJECT [FILENAME]` */
export function takeDown(
  options: TakedownOptions & { readonly reason: string },
  project: string,
  filename: string | undefined,
): Promise<ExitCode> {
  return change(options, 'withheld from everybody', (opened) =>
    addTakedown(opened, opened.principal, { project, filename: filename ?? null }, options.reason),
  );
}

/** `rind takedown remove PROJECT [FILENAME]` */
export function endTakeDown(
  options: TakedownOptions,
  project: string,
  filename: string | undefined,
): Promise<ExitCode> {
  return change(options, 'offered again', (opened) =>
    removeTakedown(opened, opened.principal, { project, filename: filename ?? null }),
  );
}

/** `rind takedown list` */
export function listTakenDown(options: TakedownOptions): Promise<ExitCode> {
  return withIndex(options.data, options.index, async (opened) => {
    const takedowns = await listTakedowns(opened);
    if (options.json === true) print(JSON.stringify(takedowns, undefined, 2));
    else
      for (const takedown of takedowns)
        print(`${subjectOf(takedown)}  since ${takedown.since}  ${takedown.reason}`);
    return EXIT.ok;
  });
}

function change(
  options: TakedownOptions,
  done: string,
  make: (opened: OpenedData & { readonly index: IndexRow }) => Promise<TakedownOutcome>,
): Promise<ExitCode> {
  return withIndex(options.data, options.index, async (opened) => {
    const { takedown, journalId } = await make(opened);
    await publishChanges(opened, opened.index, [journalId]);
    if (options.json === true) print(JSON.stringify({ ...takedown, serial: journalId }));
    say(`${subjectOf(takedown)}: ${done}; the signed list is public`);
    return EXIT.ok;
  });
}

function subjectOf({ project, filename }: Takedown): string {
  return filename === null ? `${project} (every file)` : `${project} ${filename}`;
}
