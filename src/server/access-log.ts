import type { IncomingMessage, ServerResponse } from 'node:http';
import { withoutSecrets } from '../telemetry/log.ts';
import type { RequestOrigin } from './trusted-proxies.ts';

export interface AccessLogOptions {
  /** Takes one line without its line feed. */
  readonly write: (line: string) => void;
  readonly originOf: (request: IncomingMessage) => RequestOrigin;
  readonly clock: () => Date;
}

const LONGEST = 512;

/**
 * One JSON object per request: who, what, how it was answered. Of the request's headers only the user agent is written, of the address only the
 * path: whatever else may be a credential.
 */
export class AccessLog {
  readonly #options: AccessLogOptions;

  constructor(options: AccessLogOptions) {
    this.#options = options;
  }

  /** Writes when the answer has gone out, or the client has gone away. */
  follow(request: IncomingMessage, response: ServerResponse, id: string): void {
    const started = performance.now();
    const { socket } = request;
    const before = socket.bytesWritten;
    response.once('close', () => {
      const bytes = Math.max(0, socket.bytesWritten - before);
      this.#write(request, response, id, { bytes, milliseconds: performance.now() - started });
    });
  }

  #write(
    request: IncomingMessage,
    response: ServerResponse,
    id: string,
    { bytes, milliseconds }: { readonly bytes: number; readonly milliseconds: number },
  ): void {
    const { write, originOf, clock } = this.#options;
    const { address, scheme, host } = originOf(request);
    const line = JSON.stringify({
      time: clock().toISOString(),
      id,
      address,
      scheme,
      host,
      method: request.method,
      path: (request.url ?? '').split('?', 1)[0]?.slice(0, LONGEST),
      status: response.headersSent ? response.statusCode : 0,
      complete: response.writableFinished,
      bytes,
      milliseconds: Math.round(milliseconds * 10) / 10,
      agent: request.headers['user-agent']?.slice(0, LONGEST),
    });
    write(withoutSecrets(line));
  }
}
