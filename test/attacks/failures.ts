import type { AttackCase } from './attack-case.ts';
import { allCases } from './cases/index.ts';
import { honest } from './near-matrix.ts';
import type { FarOutcome, FarRoad } from './far-matrix.ts';

/** A kind of failure that every installer meets. */
export interface Failure {
  readonly name: string;
  readonly attackCase: AttackCase;
  /** The project names an index of somebody else too, which has what is asked for. */
  readonly withSecond?: boolean | 'same version';
}

function caseOf(id: string): AttackCase {
  const found = allCases.find((each) => each.id === id);
  if (found === undefined) throw new TypeError(`there is no attack ${id}`);
  return found;
}

const nothing: AttackCase = {
  id: 'nothing',
  does: 'nothing',
  expected: { verdict: 'no effect' },
  attack: () => undefined,
};

export const FAILURES: readonly Failure[] = [
  { name: 'nothing is wrong', attackCase: nothing },
  { name: 'a page was changed', attackCase: caseOf('page-bit') },
  { name: 'a file was changed', attackCase: caseOf('wheel-bit') },
  { name: 'core metadata were changed', attackCase: caseOf('sidecar-bit') },
  { name: 'the index is not signed by its keys', attackCase: caseOf('metadata-unsigned-timestamp') },
  { name: 'the index is older than before', attackCase: caseOf('rollback-all') },
  { name: 'the signatures have expired', attackCase: caseOf('freeze-expired-timestamp') },
  { name: 'a signed file is not there', attackCase: caseOf('wheel-missing') },
  { name: 'the index cannot be reached', attackCase: caseOf('freeze-503') },
  {
    name: 'a page was changed, and a second index has the project',
    attackCase: caseOf('page-bit'),
    withSecond: true,
  },
  {
    name: 'a file was changed, and a second index has the project',
    attackCase: caseOf('wheel-bit'),
    withSecond: true,
  },
  {
    name: 'a file was changed, and a second index has the same version',
    attackCase: caseOf('wheel-bit'),
    withSecond: 'same version',
  },
  {
    name: 'the project is at a second index only',
    attackCase: { ...nothing, id: 'elsewhere', wanted: 'ghost' },
    withSecond: true,
  },
];

export type FailureResult =
  | 'installs what is signed'
  | 'stops and says why'
  | 'stops; `rind proxy` says why'
  | 'installs from the second index'
  | 'stops and names the index that was refused'
  | 'stops: no such project';

/** What became of an installer in front of a failure. */
export function resultOf(
  { installed, code, finished }: FarOutcome,
  road: FarRoad,
  wanted: string,
): FailureResult {
  if (installed.some((each) => each.includes('of the attacker'))) return 'installs from the second index';
  if (installed.includes(honest(wanted))) return 'installs what is signed';
  if (code === 'other host') return 'stops and names the index that was refused';
  if (code === undefined || code === 'absent') return 'stops: no such project';
  const isSaid = road === 'rind run' || /rind[ +]refuses|TUF-VERIFICATION-FAILED/i.test(finished.output);
  return isSaid ? 'stops and says why' : 'stops; `rind proxy` says why';
}
