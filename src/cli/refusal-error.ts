import type { Verdict } from '../proxy/verdict.ts';

/** Ends a command with the verdict that nothing could be trusted. */
export class RefusalError extends Error {
  override readonly name = 'RefusalError';
  readonly code = 'refusal';
  readonly verdict: Verdict;

  constructor(verdict: Verdict, options?: ErrorOptions) {
    super(verdict.what, options);
    this.verdict = verdict;
  }
}
