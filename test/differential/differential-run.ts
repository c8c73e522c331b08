import { compare } from './comparison.ts';
import type { Difference } from './comparison.ts';
import { explanationOf } from './known-differences.ts';
import { caseSeed } from './random.ts';
import { rindJudge } from './rind-judge.ts';
import { makeCase } from './tuf-cases.ts';
import type { TufCase } from './tuf-cases.ts';
import { TufWorld } from './tuf-world.ts';
import type { Judge } from './verdict.ts';

/** Cases that share a repository, and one question to each process. */
export const BATCH = 250;

/** What a number of cases showed. */
export interface Tally {
  /** Cases by judge. */
  readonly executions: Map<Judge['name'], number>;
  /** Cases by kind. */
  readonly kinds: Map<TufCase['kind'], number>;
  /** Cases of which we accepted all. */
  accepted: number;
  /** Known differences, by name and judge. */
  readonly known: Map<string, number>;
  /** Differences outside the list. */
  readonly unknown: { readonly seed: number; readonly index: number; readonly difference: Difference }[];
}

export function newTally(): Tally {
  return { executions: new Map(), kinds: new Map(), accepted: 0, known: new Map(), unknown: [] };
}

/** The batch of cases that begins with `start`, a multiple of {@link BATCH}. */
export function makeBatch(seed: number, start: number): readonly TufCase[] {
  const world = new TufWorld(caseSeed(seed, start));
  return Array.from({ length: BATCH }, (_, offset) => makeCase(seed, start + offset, world));
}

/** Asks everybody about one batch and adds what they say to the tally. */
export async function runBatch(
  judges: readonly Judge[],
  seed: number,
  start: number,
  tally: Tally,
): Promise<void> {
  const cases = makeBatch(seed, start);
  // The other processes think while this one does.
  const asked = judges
    .filter(({ name }) => name !== 'tuf-js')
    .map(async (judge) => [judge, await judge.judge(cases)] as const);
  const ours = await rindJudge.judge(cases);
  const here = judges
    .filter(({ name }) => name === 'tuf-js')
    .map(async (judge) => [judge, await judge.judge(cases)] as const);
  for (const [judge, answers] of await Promise.all([...asked, ...here])) {
    count(tally.executions, judge.name, cases.length);
    for (const [offset, each] of cases.entries()) {
      const difference = compare(each, ours[offset] ?? [], answers[offset] ?? [], judge.name);
      if (difference === undefined) continue;
      const explanation = explanationOf(difference);
      if (explanation === undefined) tally.unknown.push({ seed, index: start + offset, difference });
      else count(tally.known, `${judge.name}: ${explanation.name}`, 1);
    }
  }
  for (const each of cases) count(tally.kinds, each.kind, 1);
  tally.accepted += ours.filter((answer) => answer.every(({ accepted }) => accepted)).length;
}

/** All that is needed to look into a difference. */
export function describeDifference(seed: number, index: number, difference: Difference): string {
  const { judge, rind, theirs, bytes, earlier, asked, case: each } = difference;
  const documents = [...earlier, ...(bytes === undefined ? [] : [bytes])].map((document) =>
    Buffer.from(document).toString('base64'),
  );
  const question = each.kind === 'signature' || each.kind === 'patterns' ? JSON.stringify(each) : '';
  return [
    `seed ${seed}, case ${index}: ${judge} disagrees about ${asked}`,
    `  Rind: ${JSON.stringify(rind)}`,
    `  ${judge}: ${JSON.stringify(theirs)}`,
    ...(question === '' ? [] : [`  ${question}`]),
    ...documents.map((document) => `  document (base64): ${document}`),
  ].join('\n');
}

function count<Name>(counts: Map<Name, number>, name: Name, more: number): void {
  counts.set(name, (counts.get(name) ?? 0) + more);
}
