/** What can be wrong with a store. */
export type FindingCode =
  | 'NO_REPOSITORY'
  | 'PUBLICATION_OPEN'
  | 'PUBLISHED_MEANWHILE'
  | 'CHANGES_WAITING'
  | 'METADATA_MISSING'
  | 'METADATA_INVALID'
  | 'METADATA_EXPIRED'
  | 'METADATA_DIFFERS'
  | 'EQUIVOCATION'
  | 'VERSION_NOT_RESERVED'
  | 'TARGET_MISSING'
  | 'TARGET_CHANGED'
  | 'TARGET_MISPLACED'
  | 'TARGET_UNKNOWN'
  | 'TARGET_DIFFERS'
  | 'COPY_MISSING'
  | 'COPY_CHANGED'
  | 'FILE_NOT_SIGNED'
  | 'PAGE_DIFFERS'
  | 'CLAIM_DIFFERS'
  | 'LOG_BROKEN';

/** 'error': an invariant is broken. 'notice': worth knowing, nothing is broken. */
export type FindingSeverity = 'error' | 'notice';

export interface Finding {
  readonly code: FindingCode;
  readonly severity: FindingSeverity;
  /** One sentence for people. */
  readonly message: string;
  readonly role?: string;
  readonly version?: number;
  /** A target path or an object key. */
  readonly path?: string;
}

const NOTICES: ReadonlySet<FindingCode> = new Set([
  'PUBLICATION_OPEN',
  'PUBLISHED_MEANWHILE',
  'CHANGES_WAITING',
]);

/** Collects what a check finds, up to a limit: a lost folder must not fill the memory. */
export class Findings {
  readonly #limit: number;
  readonly #list: Finding[] = [];
  #count = 0;

  constructor(limit = 10_000) {
    this.#limit = limit;
  }

  add(
    code: FindingCode,
    message: string,
    place: { readonly role?: string; readonly version?: number; readonly path?: string } = {},
  ): void {
    this.#count += 1;
    if (this.#list.length >= this.#limit) return;
    this.#list.push({ code, severity: NOTICES.has(code) ? 'notice' : 'error', message, ...place });
  }

  get list(): readonly Finding[] {
    return this.#list;
  }

  /** How many there were, those beyond the limit included. */
  get count(): number {
    return this.#count;
  }
}
