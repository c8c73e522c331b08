import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { ByteRange, OpenObject } from '../storage/object-store.ts';
import { matchesEtag, parseRange } from './conditional.ts';
import { problem, ProblemError } from './problem.ts';

/** A distribution file, for download only: no browser may take it for a page of ours. */
export const DOWNLOAD_HEADERS: readonly string[] = [
  'Accept-Ranges',
  'bytes',
  'Content-Disposition',
  'attachment',
];
const FILE_HEADERS: readonly string[] = [
  ...DOWNLOAD_HEADERS,
  'X-Content-Type-Options',
  'nosniff',
  'Content-Type',
  'application/octet-stream',
];

/** What tells whether a client has the same bytes. */
interface Validators {
  /** With its quotes. */
  readonly etag: string;
  /** An HTTP date. */
  readonly modified: string;
}

/**
 * Answers a GET or HEAD with an object, streamed: 200, 206, 304 or 416. `etag` with its quotes. Closes the object.
 * Resolves when all is sent or the client went away.
 */
export async function sendFile(
  request: IncomingMessage,
  response: ServerResponse,
  object: OpenObject,
  { etag, cacheControl }: { readonly etag: string; readonly cacheControl: string },
): Promise<void> {
  try {
    const modified = object.modified.toUTCString();
    const headers = ['ETag', etag, 'Last-Modified', modified, 'Cache-Control', cacheControl, ...FILE_HEADERS];
    await send(request, response, object, headers, { etag, modified });
  } finally {
    await object.close();
  }
}

async function send(
  request: IncomingMessage,
  response: ServerResponse,
  object: OpenObject,
  headers: readonly string[],
  validators: Validators,
): Promise<void> {
  const known = request.headers['if-none-match'];
  if (known === undefined ? isUnmodified(request, object) : matchesEtag(known, validators.etag)) {
    response.writeHead(304, headers as string[]).end();
    return;
  }
  const range = wantedRange(request, object.length, validators);
  const length = range === undefined ? object.length : range.end - range.start + 1;
  const partial =
    range === undefined ? [] : ['Content-Range', `bytes ${range.start}-${range.end}/${object.length}`];
  response.writeHead(range === undefined ? 200 : 206, [
    ...headers,
    'Content-Length',
    String(length),
    ...partial,
  ]);
  if (request.method === 'HEAD' || length === 0) {
    response.end();
    return;
  }
  await pipeline(object.stream(range), response);
}

/** Whether the client has it by its date: asked only of whoever knows no entity tag (RFC 9110 section 13.1.3). */
function isUnmodified({ headers }: IncomingMessage, { modified }: OpenObject): boolean {
  const since = Date.parse(headers['if-modified-since'] ?? '');
  return Math.floor(modified.getTime() / 1000) * 1000 <= since;
}

function wantedRange(
  request: IncomingMessage,
  length: number,
  { etag, modified }: Validators,
): ByteRange | undefined {
  // A resumed download of other bytes must start again (RFC 9110 section 13.1.5).
  const condition = request.headers['if-range'];
  const isSame = condition === undefined || condition === etag || condition === modified;
  const header = isSame ? request.headers.range : undefined;
  const range = parseRange(header, length);
  if (range === 'not-satisfiable') {
    throw new ProblemError(
      problem(416, `The file has ${length} bytes; the range asked for is not in it.`, [
        'Content-Range',
        `bytes */${length}`,
        'Accept-Ranges',
        'bytes',
      ]),
    );
  }
  return range === 'whole' ? undefined : range;
}
