import { PAGE_CONTENT_TYPES, type PageFormat } from '../pypi/simple.ts';
import { renderTombstone } from './tombstone.ts';
import { verdictReason, verdictSlug, type Verdict } from './verdict.ts';

/** An answer whose body is at hand. */
export interface Answer {
  readonly status: number;
  /** HTTP reason phrase, printable ASCII. */
  readonly reason?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

/** A page request that could not be answered. */
export interface FailedPage {
  readonly project: string;
  readonly format: PageFormat;
  readonly userAgent: string | undefined;
  /** Names of the project's files as far as they are known, verified or not. */
  readonly knownFilenames: readonly string[];
}

/**
 * The answer to a request for a file, its metadata, or a link of a tombstone: 403 with the reason. pip, poetry and
 * pipenv print the reason phrase, uv the problem document, pdm the URL; all of them stop.
 */
export function refusedFile(verdict: Verdict): Answer {
  return problem(403, verdict);
}

/**
 * The answer to a request for a page, fail-closed by installer: uv and poetry stop at 422 and print the reason; pip, pdm
 * and whatever is unknown hide errors of pages, so they are given a listing in which every choice ends at a refused file.
 */
export function refusedPage(verdict: Verdict, request: FailedPage): Answer {
  if (/^(?:uv|poetry)\//.test(request.userAgent ?? '')) return problem(422, verdict);
  const format = request.format === 'json' ? 'json' : 'html';
  return {
    status: 200,
    headers: {
      'content-type': PAGE_CONTENT_TYPES[request.format],
      'cache-control': 'no-store',
      vary: 'Accept',
    },
    body: renderTombstone(format, request.project, request.knownFilenames, verdictSlug(verdict)),
  };
}

function problem(status: number, verdict: Verdict): Answer {
  return {
    status,
    reason: verdictReason(verdict),
    headers: { 'content-type': 'application/problem+json', 'cache-control': 'no-store' },
    body: JSON.stringify({
      type: 'about:blank',
      title: `rind refuses ${verdict.subject} (${verdict.code})`,
      status,
      detail: `${verdict.what} ${verdict.meaning} ${verdict.remedy}`,
      code: verdict.code,
      index: verdict.index,
    }),
  };
}
