import type { IncomingMessage } from 'node:http';

/** Why a request is turned away before its path is looked at. */
export interface Refusal {
  readonly status: 403 | 405 | 421;
  readonly sentence: string;
}

/**
 * Keeps everybody out who is not an installer on this machine: a page in a browser that had its name point to
 * 127.0.0.1 (DNS rebinding: the Host header tells), a page of another site, and every method that is not a read.
 *
 * @param port the port the proxy listens on
 */
export function guardRequest(request: IncomingMessage, port: number): Refusal | undefined {
  const host = request.headers.host;
  if (host !== `127.0.0.1:${port}` && host !== `localhost:${port}`) {
    return { status: 421, sentence: 'This address answers requests for itself only.' };
  }
  return guardReading(request);
}

/** The same without the Host header: keeps out pages of browsers, and every method that is not a read. */
export function guardReading(request: IncomingMessage): Refusal | undefined {
  const site = request.headers['sec-fetch-site'];
  if (
    request.headers.origin !== undefined ||
    (site !== undefined && site !== 'none' && site !== 'same-origin')
  ) {
    return { status: 403, sentence: 'Other web sites may not read from this address.' };
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return { status: 405, sentence: 'This address is for reading only.' };
  }
  return undefined;
}
