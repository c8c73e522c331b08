import type { TufCase } from './tuf-cases.ts';

/** What one implementation says about one question. */
export type Verdict =
  | { readonly accepted: true; readonly value: unknown }
  | {
      readonly accepted: false;
      readonly error: string;
      readonly message: string;
      /** Of ours: the place in the document. */ readonly path?: string;
    };

/** One verdict per operation; one alone for the other kinds. */
export type Answer = readonly Verdict[];

/** An implementation under comparison. */
export interface Judge {
  readonly name: 'rind' | 'python-tuf' | 'tuf-js';
  judge(cases: readonly TufCase[]): Promise<readonly Answer[]>;
}

export function refusal(error: unknown): Verdict {
  if (!(error instanceof Error)) return { accepted: false, error: typeof error, message: String(error) };
  const path = 'path' in error && typeof error.path === 'string' ? error.path : undefined;
  return {
    accepted: false,
    error: error.constructor.name,
    message: error.message,
    ...(path === undefined ? {} : { path }),
  };
}

/** Whether a case with `stops` ends here: refusals for age leave a baseline behind that is worth a look. */
export function stopsAt(verdict: Verdict): boolean {
  return !verdict.accepted && !/^(?:Expired|EqualVersion)/.test(verdict.error);
}

/** The one refusal that is not a failure: the client keeps what it has and goes on. */
export function isEqualVersion(verdict: Verdict): boolean {
  return !verdict.accepted && verdict.error.startsWith('EqualVersion');
}
