import type { IncomingMessage } from 'node:http';

/** Milliseconds that a client gets to finish sending what nobody reads any more. */
const DISCARD_TIMEOUT = 120_000;

/**
 * Lets a client that was refused half-way finish sending, so that it comes to read the answer (twine and http.client read
 * nothing before they have sent everything), but neither for ever nor without end: then the connection is cut.
 */
export function discardBody(request: IncomingMessage, maxBytes: number): void {
  if (request.complete || request.destroyed) return;
  let rest = maxBytes;
  const timer = setTimeout(() => request.destroy(), DISCARD_TIMEOUT);
  timer.unref();
  request
    .on('data', (chunk: Buffer) => {
      rest -= chunk.length;
      if (rest < 0) request.destroy();
    })
    .on('error', () => undefined)
    .on('close', () => clearTimeout(timer))
    .on('end', () => clearTimeout(timer));
  request.resume();
}
