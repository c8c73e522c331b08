import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { writeFile } from 'node:fs/promises';
import { RunAuthority } from '../../src/proxy/intercept/run-authority.ts';
import { SimulatedIndex } from '../support/simulated-index.ts';

const HOST = 'packages.test';

/**
 * A signed index at https://packages.test/, a name that only the user's own HTTP proxy knows, with a certificate of her
 * own authority. Nothing of it can be reached but through that proxy.
 */
export class HiddenIndex {
  readonly url = `https://${HOST}/`;
  readonly index: SimulatedIndex;
  /** Heads of what the user's proxy was asked, in order. */
  readonly asked: string[] = [];
  #front: HttpsServer | undefined;
  #proxy: Server | undefined;
  readonly #authorityPath: string;

  private constructor(index: SimulatedIndex, authorityPath: string) {
    this.index = index;
    this.#authorityPath = authorityPath;
  }

  static async start(authorityPath: string): Promise<HiddenIndex> {
    const hidden = new HiddenIndex(await SimulatedIndex.start(), authorityPath);
    const authority = new RunAuthority([HOST]);
    await writeFile(authorityPath, authority.certificate);
    hidden.#front = createHttpsServer(authority.issue(HOST), (request, response) => {
      void hidden.#answer(request.url ?? '/').then(
        ({ status, type, bytes }) => response.writeHead(status, { 'content-type': type }).end(bytes),
        () => response.destroy(),
      );
    });
    const port = await listen(hidden.#front);
    hidden.#proxy = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.once('data', (head) => {
        hidden.asked.push(head.toString('latin1'));
        if (!head.toString('latin1').startsWith(`CONNECT ${HOST}:443 `)) {
          return void socket.end('HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n');
        }
        const front = connect(port, '127.0.0.1', () => socket.write('HTTP/1.1 200 OK\r\n\r\n'));
        front.on('error', () => socket.destroy());
        socket.pipe(front).pipe(socket);
        socket.once('close', () => front.destroy());
      });
    });
    await listen(hidden.#proxy);
    return hidden;
  }

  /** What a user of that network has in her environment. */
  get environment(): Record<string, string> {
    const address = this.#proxy?.address() as AddressInfo | undefined;
    return {
      HTTPS_PROXY: `http://me:pass%40word@127.0.0.1:${address?.port ?? 0}`,
      NODE_EXTRA_CA_CERTS: this.#authorityPath,
      NO_PROXY: '',
    };
  }

  async close(): Promise<void> {
    this.#front?.closeAllConnections();
    this.#front?.close();
    this.#proxy?.close();
    await this.index.close();
  }

  /** As a server does that negotiates pages. */
  async #answer(path: string): Promise<{ status: number; type: string; bytes: Uint8Array }> {
    const page = /^\/simple\/([a-z0-9-]+)\/$/.exec(path)?.[1];
    const inner = page === undefined ? path.slice(1) : `simple/${page}/index.json`;
    const answer = await fetch(this.index.url + inner);
    const type = page === undefined ? 'application/octet-stream' : 'application/vnd.pypi.simple.v1+json';
    return { status: answer.status, type, bytes: new Uint8Array(await answer.arrayBuffer()) };
  }
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}
