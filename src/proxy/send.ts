import { readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { parseByteRange } from './byte-range.ts';
import type { Answer } from './failure-answer.ts';

/** Sent with every answer: nothing here is for a browser to show, embed or guess at. */
const COMMON_HEADERS = {
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
};

/** Sends an answer whose body is at hand. */
export function send(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
  const body = typeof answer.body === 'string' ? Buffer.from(answer.body, 'utf8') : answer.body;
  const headers = { ...COMMON_HEADERS, ...answer.headers, 'content-length': body.length };
  if (answer.reason === undefined) response.writeHead(answer.status, headers);
  else response.writeHead(answer.status, answer.reason, headers);
  response.end(request.method === 'HEAD' ? undefined : body);
}

/** Bytes of a file that is sent at once: a stream costs more than it. */
const SMALL_FILE = 65_536;

/** An answer of one sentence. */
export function plainText(status: number, sentence: string, headers: Record<string, string> = {}): Answer {
  return {
    status,
    headers: { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store', ...headers },
    body: `${sentence}\n`,
  };
}

/** Whether the client already has the content with this hash. */
export function isNotModified(request: IncomingMessage, sha256: string): boolean {
  const given = request.headers['if-none-match'];
  return given !== undefined && given.split(',', 32).some((tag) => tag.trim() === `"${sha256}"`);
}

/** Content that is named by its hash and never changes. */
export interface Content {
  readonly sha256: string;
  /** Bytes. */
  readonly length: number;
  readonly contentType: string;
}

/**
 * Sends a verified file, whole or the range asked for. `openPath` gives its path on disk; it is not called when no byte
 * is sent (HEAD, 304, 416).
 */
export async function sendFile(
  request: IncomingMessage,
  response: ServerResponse,
  content: Content,
  openPath: () => Promise<string>,
): Promise<void> {
  const { length, sha256 } = content;
  const headers = {
    ...COMMON_HEADERS,
    etag: `"${sha256}"`,
    'cache-control': 'public, max-age=31536000, immutable',
    'accept-ranges': 'bytes',
  };
  if (isNotModified(request, sha256)) return void response.writeHead(304, headers).end();
  const range = wantedRange(request, content);
  if (range === 'unsatisfiable') {
    return void response.writeHead(416, { ...headers, 'content-range': `bytes */${length}` }).end();
  }
  const { start, end } = range ?? { start: 0, end: length - 1 };
  const partial = range === undefined ? {} : { 'content-range': `bytes ${start}-${end}/${length}` };
  const all = {
    ...headers,
    ...partial,
    'content-type': content.contentType,
    'content-length': end - start + 1,
  };
  const status = range === undefined ? 200 : 206;
  if (request.method === 'HEAD') return void response.writeHead(status, all).end();
  const path = await openPath();
  if (length <= SMALL_FILE) {
    const bytes = readFileSync(path);
    return void response.writeHead(status, all).end(bytes.subarray(start, end + 1));
  }
  const file = await open(path);
  response.writeHead(status, all);
  // The stream closes the file, also when the client leaves early.
  await pipeline(file.createReadStream({ start, end }), response);
}

function wantedRange(request: IncomingMessage, content: Content): ReturnType<typeof parseByteRange> {
  const ifRange = request.headers['if-range'];
  if (ifRange !== undefined && ifRange !== `"${content.sha256}"`) return undefined;
  return parseByteRange(request.headers.range, content.length);
}
