import type { ServerResponse } from 'node:http';
import { ClaimError } from '../claims/errors.ts';
import { StorageError } from '../storage/errors.ts';
import { RegistryError, type RegistryErrorCode } from '../registry/errors.ts';

/** An answer that is no success, in HTTP's terms. Registry errors become one here and nowhere else. */
export interface Problem {
  readonly status: number;
  /** Two or three words, the same for every occurrence. */
  readonly title: string;
  /** One sentence: what, why, what to do. Stands in the reason phrase and in the body. */
  readonly detail: string;
  /** Flat name, value pairs to add. */
  readonly headers?: readonly string[];
  /** For programs, beside the sentence (RFC 9457 section 3.2): `code` names the refusal. */
  readonly members?: Readonly<Record<string, string>>;
}

/** Thrown inside a request to end it with this answer. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly problem: Problem;

  constructor(problem: Problem, cause?: unknown) {
    super(problem.detail, cause === undefined ? undefined : { cause });
    this.problem = problem;
  }
}

const TITLES = new Map<number, string>([
  [400, 'Refused'],
  [401, 'Not authenticated'],
  [403, 'Not permitted'],
  [404, 'Not found'],
  [405, 'Method not allowed'],
  [406, 'Not acceptable'],
  [408, 'Too slow'],
  [409, 'Conflict'],
  [411, 'Length required'],
  [413, 'Too large'],
  [414, 'Address too long'],
  [415, 'Unsupported form'],
  [416, 'Range not satisfiable'],
  [417, 'Expectation failed'],
  [429, 'Too many requests'],
  [451, 'Taken down'],
  [500, 'Internal error'],
  [503, 'Not now'],
]);

const STATUS: Readonly<Record<RegistryErrorCode, number>> = {
  NOT_AUTHENTICATED: 401,
  NOT_PERMITTED: 403,
  PROJECT_CLOSED: 403,
  CLAIMED_PROJECT: 403,
  NOT_FOUND: 404,
  CONFLICT: 409,
  NAME_REFUSED: 400,
  AGAINST_POLICY: 400,
  QUOTA_EXCEEDED: 400,
  INVALID_REQUEST: 400,
  UNSUPPORTED_ACTION: 400,
  INVALID_FORM: 400,
  INVALID_FILENAME: 400,
  NAME_MISMATCH: 400,
  VERSION_MISMATCH: 400,
  METADATA_MISMATCH: 400,
  DIGEST_MISMATCH: 400,
  INVALID_ARCHIVE: 400,
  INVALID_METADATA: 400,
  FILE_EXISTS: 400,
  FILENAME_RETIRED: 400,
  FILE_TOO_LARGE: 413,
  BUSY: 503,
  RATE_LIMITED: 429,
  NOT_YET_SIGNED: 503,
};

/** A problem with the usual title of its status. */
export function problem(status: number, detail: string, headers?: readonly string[]): Problem {
  const title = TITLES.get(status) ?? 'Problem';
  return headers === undefined ? { status, title, detail } : { status, title, detail, headers };
}

/** What to answer for anything thrown. Unknown errors tell the client nothing; the caller logs them. */
export function problemOf(error: unknown): Problem {
  if (error instanceof ProblemError) return error.problem;
  if (error instanceof StorageError && error.code === 'NO_SPACE') {
    return problem(503, 'The disk of the index is full; nothing was stored.', ['Retry-After', '60']);
  }
  if (error instanceof ClaimError) return claimProblem(error);
  if (!(error instanceof RegistryError)) {
    return problem(500, 'The index failed to answer; its log says why.');
  }
  const headers: string[] = [];
  if (error.code === 'NOT_AUTHENTICATED') {
    headers.push('WWW-Authenticate', 'Basic realm="Rind", charset="UTF-8"');
  }
  if (error.retryAfter !== undefined) headers.push('Retry-After', String(error.retryAfter));
  return { ...problem(STATUS[error.code], error.message, headers), members: { code: error.code } };
}

/** A signed transaction that failed a check: which one, and at what. */
function claimProblem({ code, message, role, path, keyId }: ClaimError): Problem {
  const members = {
    code,
    ...(role === undefined ? {} : { role }),
    ...(path === undefined ? {} : { path }),
    ...(keyId === undefined ? {} : { key: keyId }),
  };
  return { ...problem(code === 'BASE_CHANGED' ? 409 : 400, message), members };
}

/** The parts of a request that decide in which form a problem is shown. */
export interface ProblemAudience {
  readonly accept: string | undefined;
  readonly userAgent: string | undefined;
  readonly isHead: boolean;
}

const LONGEST_REASON = 400;

/**
 * Sends a problem as each client shows it (reference of uv, twine, poetry, pdm): the sentence in the reason phrase, and in
 * the body as RFC 9457 for uv and whoever asks for it, as JSON with Warehouse's keys, or as text.
 */
export function sendProblem(response: ServerResponse, problem: Problem, audience: ProblemAudience): void {
  const { type, text } = bodyOf(problem, audience);
  const body = Buffer.from(text);
  response.writeHead(problem.status, reasonPhrase(problem.detail), [
    'Content-Type',
    type,
    'Content-Length',
    String(body.length),
    'Cache-Control',
    'no-store',
    'X-Content-Type-Options',
    'nosniff',
    ...(problem.headers ?? []),
  ]);
  response.end(audience.isHead ? undefined : body);
}

function bodyOf(
  { status, title, detail, members = {} }: Problem,
  { accept = '', userAgent = '' }: ProblemAudience,
): { type: string; text: string } {
  // uv shows the body only when the header is exactly this one, without a charset.
  if (userAgent.startsWith('uv/') || accept.includes('application/problem+json')) {
    return {
      type: 'application/problem+json',
      text: `${JSON.stringify({ type: 'about:blank', status, title, detail, ...members })}\n`,
    };
  }
  if (accept.includes('application/json') || accept.includes('+json')) {
    const code = `${status} ${detail}`;
    return { type: 'application/json', text: `${JSON.stringify({ message: detail, code, title })}\n` };
  }
  return { type: 'text/plain; charset=utf-8', text: `${status} ${title}\n\n${detail}\n` };
}

/** The sentence as a reason phrase: printable ASCII on one line, because Node throws for others and HTTP/1.1 clients disagree on their encoding. */
export function reasonPhrase(sentence: string): string {
  const ascii = sentence
    .normalize('NFKD')
    .replace(/\p{Mark}/gu, '')
    .replace(/\s+/g, ' ')
    .replace(/[^ -~]/g, '?');
  return ascii.length <= LONGEST_REASON ? ascii : `${ascii.slice(0, LONGEST_REASON - 3)}...`;
}
