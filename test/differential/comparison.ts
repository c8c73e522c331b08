import { readLoose } from './loose-json.ts';
import type { Loose } from './loose-json.ts';
import type { TufCase } from './tuf-cases.ts';
import { isEqualVersion } from './verdict.ts';
import type { Answer, Judge, Verdict } from './verdict.ts';

/** Where two implementations part ways: the first verdict of a case that differs. */
export interface Difference {
  readonly judge: Judge['name'];
  readonly case: TufCase;
  /** The place of the verdict among those of the case. */
  readonly index: number;
  readonly rind: Verdict;
  readonly theirs: Verdict;
  /** What was asked: the method of the trusted metadata set, or the kind of the case. */
  readonly asked: string;
  /** The bytes this verdict is about, and those that came before in the same case. */
  readonly bytes: Uint8Array | undefined;
  readonly earlier: readonly Uint8Array[];
  /** Our verdicts on those. */
  readonly before: Answer;
}

/** The first difference between our answer and another's, or undefined. */
export function compare(
  each: TufCase,
  rind: Answer,
  theirs: Answer,
  judge: Judge['name'],
): Difference | undefined {
  // The shorter answer ended with a refusal that is compared, so what follows it needs no answer.
  for (let index = 0; index < Math.min(rind.length, theirs.length); index++) {
    const [ours, other] = [rind[index], theirs[index]];
    if (ours === undefined || other === undefined || isSame(ours, other)) continue;
    const documents =
      each.kind === 'operations' ? each.operations.map(([, document]) => bytesOf(each, document)) : [];
    const bytes = each.kind === 'operations' ? documents[index] : 'json' in each ? each.json : undefined;
    const asked = each.kind === 'operations' ? (each.operations[index]?.[0] ?? '') : each.kind;
    return {
      judge,
      case: each,
      index,
      rind: ours,
      theirs: other,
      asked,
      bytes,
      earlier: documents.slice(0, index),
      before: rind.slice(0, index),
    };
  }
  return undefined;
}

/** The document read by a tolerant reader. */
export function documentOf(bytes: Uint8Array | undefined): Loose | undefined {
  return bytes === undefined ? undefined : readLoose(Buffer.from(bytes).toString('utf8'));
}

/** The same outcome: an equal version is one of its own, because the client goes on after it. */
function isSame(ours: Verdict, theirs: Verdict): boolean {
  if (ours.accepted && theirs.accepted) return JSON.stringify(ours.value) === JSON.stringify(theirs.value);
  if (ours.accepted || theirs.accepted) return false;
  return isEqualVersion(ours) === isEqualVersion(theirs);
}

function bytesOf(each: TufCase & { kind: 'operations' }, document: Uint8Array | string): Uint8Array {
  return typeof document === 'string' ? each.world.document(document) : document;
}
