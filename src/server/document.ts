import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { gzip as gzipCallback } from 'node:zlib';
import { acceptsGzip, matchesEtag } from './conditional.ts';

const gzip = promisify(gzipCallback);

/** Below this size compression saves nothing worth a header. */
const SMALLEST_COMPRESSED = 512;

/** One encoding of a document, ready to send: nothing about it is computed per request. */
interface Encoded {
  readonly body: Buffer;
  /** With its quotes: sha256 of the document, with `-gzip` for that encoding. */
  readonly etag: string;
  /** Flat name, value pairs of the 200. */
  readonly headers: readonly string[];
  /** The same for the 304. */
  readonly notModified: readonly string[];
}

/** Bytes with everything needed to answer for them. */
export interface Document {
  readonly identity: Encoded;
  readonly gzip: Encoded | undefined;
  /** A distribution file: parts of it can be asked for, and are sent from the disk. */
  readonly isFile: boolean;
  /** Bytes it holds in memory. */
  readonly size: number;
}

export interface DocumentOptions {
  readonly contentType: string;
  readonly cacheControl: string;
  /** The request headers that select among documents of one address; Accept-Encoding is added. */
  readonly vary?: string;
  /** A distribution file: compressed already, and served in ranges too. */
  readonly isFile?: boolean;
  /** Flat name, value pairs to add. */
  readonly headers?: readonly string[];
}

/** A page may change at any moment: clients keep it, and ask each time whether it is still the one. */
export const REVALIDATE = 'no-cache';
/** What an address with a hash, a version or a filename in it says never changes. */
export const IMMUTABLE = 'public, max-age=31536000, immutable';

/** Hashes, compresses and makes the headers, once per change of the document. */
export async function makeDocument(bytes: Uint8Array, options: DocumentOptions): Promise<Document> {
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const sha256 = createHash('sha256').update(body).digest('hex');
  const identity = encoded(body, `"${sha256}"`, options, []);
  const { isFile = false } = options;
  const zipped = isFile || body.length < SMALLEST_COMPRESSED ? body : await gzip(body, { level: 6 });
  if (zipped.length >= body.length) return { identity, gzip: undefined, isFile, size: body.length };
  return {
    identity,
    isFile,
    gzip: encoded(zipped, `"${sha256}-gzip"`, options, ['Content-Encoding', 'gzip']),
    size: body.length + zipped.length,
  };
}

function encoded(body: Buffer, etag: string, options: DocumentOptions, extra: readonly string[]): Encoded {
  const selectors = [options.vary, options.isFile === true ? undefined : 'Accept-Encoding'];
  const vary = selectors.filter((selector) => selector !== undefined).join(', ');
  const notModified = ['ETag', etag, 'Cache-Control', options.cacheControl];
  if (vary !== '') notModified.push('Vary', vary);
  return {
    body,
    etag,
    notModified,
    headers: [
      'Content-Type',
      options.contentType,
      'Content-Length',
      String(body.length),
      ...notModified,
      'X-Content-Type-Options',
      'nosniff',
      ...extra,
      ...(options.headers ?? []),
    ],
  };
}

/** Answers a GET or HEAD with the document: 200, or 304 when the client has it. The hot path. */
export function sendDocument(request: IncomingMessage, response: ServerResponse, document: Document): void {
  const zipped = document.gzip;
  const chosen =
    zipped !== undefined && acceptsGzip(request.headers['accept-encoding']) ? zipped : document.identity;
  const known = request.headers['if-none-match'];
  if (known === undefined ? isUnmodified(request, document) : matchesEtag(known, chosen.etag)) {
    response.writeHead(304, chosen.notModified as string[]);
    response.end();
    return;
  }
  response.writeHead(200, chosen.headers as string[]);
  if (request.method === 'HEAD') response.end();
  else response.end(chosen.body);
}

/** By the date, as for files that are sent from the disk. A page may change twice within a second, which no date tells. */
function isUnmodified({ headers }: IncomingMessage, { isFile, identity }: Document): boolean {
  const since = headers['if-modified-since'];
  if (since === undefined || !isFile) return false;
  const at = identity.headers.indexOf('Last-Modified');
  return at !== -1 && Date.parse(identity.headers[at + 1] ?? '') <= Date.parse(since);
}
