import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ObjectStore } from '../../src/storage/object-store.ts';

/** A web server on a free port that serves what a store holds, and nothing else. */
export class StoreServer {
  readonly url: string;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  }

  /** @param served the store at the moment of each request */
  static async start(served: () => ObjectStore): Promise<StoreServer> {
    const server = createServer((request, response) => {
      void served()
        .read(decodeURIComponent((request.url ?? '/').slice(1)))
        .then((bytes) => response.writeHead(bytes === undefined ? 404 : 200).end(bytes));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new StoreServer(server);
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
