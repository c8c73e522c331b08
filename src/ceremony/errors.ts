export type CeremonyErrorCode =
  | 'MALFORMED_PLAN'
  | 'UNWORKABLE_PLAN'
  | 'MALFORMED_FILE'
  | 'FOLDER_EXISTS'
  | 'FOLDER_UNUSABLE'
  | 'OTHER_EVENT'
  | 'EVENT_EXPIRED'
  | 'EVENT_INCOMPLETE'
  | 'TAMPERED'
  | 'WRONG_KEY'
  | 'WRONG_SIGNATURE'
  | 'UNKNOWN_ROLE'
  | 'WRONG_BASE'
  | 'REHEARSAL';

/** Something of a ceremony or a signing event is refused. The message says what is wrong and what to do; nothing was half-written. */
export class CeremonyError extends Error {
  override readonly name = 'CeremonyError';
  readonly code: CeremonyErrorCode;
  /** What else is wrong, a sentence each. */
  readonly problems: readonly string[];

  constructor(
    code: CeremonyErrorCode,
    message: string,
    options: { readonly problems?: readonly string[]; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.problems = options.problems ?? [];
  }
}
