/** Something this machine lacks. Its tests are skipped by name and reason; RIND_NO_SKIP=1 makes that a failure. */
export class UnavailableError extends Error {
  override readonly name = 'UnavailableError';
}
