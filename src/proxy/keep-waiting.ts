import type { IncomingMessage, ServerResponse } from 'node:http';

const INTERVAL = 5_000;

/**
 * Keeps an installer waiting while a large file is fetched and verified before its first byte may be sent: an interim
 * `100 Continue` every five seconds, which starts the read timeout anew (pip's is 15 s) and says nothing.
 *
 * @returns ends it; it also ends by itself when the answer begins
 */
export function keepWaiting(
  request: IncomingMessage,
  response: ServerResponse,
  interval = INTERVAL,
): () => void {
  if (request.httpVersion !== '1.1') return () => undefined;
  const timer = setInterval(() => {
    if (response.headersSent || response.destroyed) clearInterval(timer);
    else response.writeContinue();
  }, interval);
  return () => clearInterval(timer);
}
