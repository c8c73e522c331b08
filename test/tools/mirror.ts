import { createServer, request, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Tampering {
  /** Which answers are changed, by the path of the request. */
  readonly paths: RegExp;
  readonly change: (bytes: Buffer) => Buffer;
}

/** Changes one bit of one byte, in the middle of the bytes unless a place is given. */
export function flipByte(bytes: Buffer, place = Math.floor(bytes.length / 2)): Buffer {
  const changed = Buffer.from(bytes);
  changed[place] = (changed[place] ?? 0) ^ 0x01;
  return changed;
}

const dropped = new Set(['connection', 'content-length', 'etag', 'transfer-encoding', 'keep-alive']);

function passedHeaders(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const passed: IncomingHttpHeaders = {};
  for (const [name, value] of Object.entries(headers)) {
    if (!dropped.has(name)) passed[name] = value;
  }
  return passed;
}

/** A mirror between an index and its readers: it passes everything on, and changes the answers it is told to change. */
export class Mirror {
  readonly #server: Server;
  readonly #upstream: URL;
  readonly #requests: string[] = [];
  readonly #changed: string[] = [];
  #tampering: Tampering | undefined;

  private constructor(upstream: string) {
    this.#upstream = new URL(upstream);
    this.#server = createServer((incoming, outgoing) => {
      const { method = 'GET', url: path = '/' } = incoming;
      this.#requests.push(path);
      const headers = passedHeaders(incoming.headers);
      delete headers.host;
      // The whole answer is needed to change it: neither parts of it nor "not modified".
      delete headers.range;
      delete headers['if-none-match'];
      delete headers['accept-encoding'];
      const asking = request(new URL(path, this.#upstream), { method, headers }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.once('error', () => outgoing.destroy());
        answer.once('end', () => {
          let bytes: Buffer = Buffer.concat(chunks);
          const status = answer.statusCode ?? 502;
          if (status === 200 && bytes.length > 0 && this.#tampering?.paths.test(path) === true) {
            bytes = this.#tampering.change(bytes);
            this.#changed.push(path);
          }
          outgoing.writeHead(status, { ...passedHeaders(answer.headers), 'content-length': bytes.length });
          outgoing.end(bytes);
        });
      });
      asking.once('error', () => outgoing.destroy());
      incoming.pipe(asking);
    });
  }

  static async start(upstream: string): Promise<Mirror> {
    const mirror = new Mirror(upstream);
    await new Promise<void>((resolve) => mirror.#server.listen(0, '127.0.0.1', resolve));
    return mirror;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  /** The paths asked for since the last `tamper`, and those among them whose answer was changed. */
  get requests(): readonly string[] {
    return this.#requests;
  }

  get changed(): readonly string[] {
    return this.#changed;
  }

  tamper(tampering: Tampering | undefined): void {
    this.#tampering = tampering;
    this.#requests.length = 0;
    this.#changed.length = 0;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
