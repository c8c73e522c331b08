/** What the exit code of `rind` says. A command run by `rind run` or `rind pip` otherwise gives its own. */
export const EXIT = {
  ok: 0,
  /** It did not work: no network, no such file, a port in use. */
  failure: 1,
  /** It was asked for wrongly: nothing was done. */
  usage: 2,
  /** Something did not verify: nothing unverified was used. */
  verification: 3,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
