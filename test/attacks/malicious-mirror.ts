import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer, Server as SecureServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { plainPath, Scene } from './scene.ts';

const JSON_PAGE = 'application/vnd.pypi.simple.v1+json';

/** A key and a certificate, PEM. */
export interface ServerIdentity {
  readonly key: string;
  readonly cert: string;
}

/** What a server of https shows whoever connects: a certificate, or that it does not speak TLS at all. */
export type Shown = ServerIdentity | 'clear text';

/**
 * A mirror of the real index, with a scene of its own below every prefix, and beside it a second origin of whoever holds
 * the mirror: `<prefix>/simple/…` there is an index nobody trusts, with a higher version of everything.
 */
export class MaliciousMirror {
  readonly #server: Server;
  readonly #stranger: Server;
  readonly #identity: ServerIdentity | undefined;
  /** Instead of {@link #identity}. */
  #shown: Shown | undefined;
  readonly #scenes = new Map<string, Scene>();
  /** What the stranger serves for `<scene>/<path>`. */
  readonly #strangerFiles: ReadonlyMap<string, Uint8Array>;

  private constructor(strangerFiles: ReadonlyMap<string, Uint8Array>, identity: ServerIdentity | undefined) {
    this.#strangerFiles = strangerFiles;
    this.#identity = identity;
    const listener = (request: IncomingMessage, response: ServerResponse): void =>
      this.#answer(request, response);
    this.#server = identity === undefined ? createServer(listener) : createSecureServer(identity, listener);
    this.#stranger = createServer((request, response) => this.#answerStrayed(request, response));
    for (const server of [this.#server, this.#stranger]) {
      server.keepAliveTimeout = 60_000;
      server.on('connection', (socket: Socket) => socket.on('error', () => socket.destroy()));
    }
    this.#server.prependListener('connection', (socket: Socket) => this.#meet(socket));
  }

  /** Shows this to every new connection; without anything, the right certificate again. */
  present(shown?: Shown): void {
    this.#shown = shown;
    const identity = shown === undefined || shown === 'clear text' ? this.#identity : shown;
    if (identity !== undefined && this.#server instanceof SecureServer)
      this.#server.setSecureContext(identity);
  }

  #meet(socket: Socket): void {
    if (this.#shown === undefined) return;
    for (const scene of this.#scenes.values()) scene.isStruck = true;
    if (this.#shown === 'clear text') socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
  }

  /** @param strangerFiles what the other origin has, by path below its scene's prefix */
  static async start(
    strangerFiles: ReadonlyMap<string, Uint8Array>,
    identity?: ServerIdentity,
  ): Promise<MaliciousMirror> {
    const mirror = new MaliciousMirror(strangerFiles, identity);
    for (const server of [mirror.#server, mirror.#stranger]) {
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    }
    return mirror;
  }

  /** A new scene that shows this state as it is. */
  open(name: string, state: ReadonlyMap<string, Uint8Array>): Scene {
    const scheme = this.#identity === undefined ? 'http' : 'https';
    const scene = new Scene(
      `${scheme}://127.0.0.1:${portOf(this.#server)}/${name}/`,
      `http://127.0.0.1:${portOf(this.#stranger)}/${name}/`,
      state,
    );
    this.#scenes.set(name, scene);
    return scene;
  }

  async close(): Promise<void> {
    for (const server of [this.#server, this.#stranger]) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    response.on('error', () => response.destroy());
    const [, name = '', rest = ''] = /^\/([^/?]+)\/([^?]*)/.exec(request.url ?? '') ?? [];
    const scene = this.#scenes.get(name);
    if (scene === undefined) return void response.writeHead(404).end();
    const path = plainPath(decode(rest));
    scene.asked.push(path);
    const page = /^simple\/([^/]+)\/?$/.exec(path)?.[1];
    const wantsJson = (request.headers.accept ?? '').includes(JSON_PAGE);
    const file = page === undefined ? path : `simple/${page}/index.${wantsJson ? 'json' : 'html'}`;
    if (scene.plays(file, request, response)) return;
    const bytes = scene.answer(file);
    if (bytes === undefined) return void response.writeHead(404, { 'content-length': 0 }).end();
    response.writeHead(200, { 'content-type': typeOf(file), 'content-length': bytes.length }).end(bytes);
  }

  #answerStrayed(request: IncomingMessage, response: ServerResponse): void {
    const [, name = '', rest = ''] = /^\/([^/?]+)\/([^?]*)/.exec(request.url ?? '') ?? [];
    const path = decode(rest);
    this.#scenes.get(name)?.strayed.push(path);
    const page = /^(?:same\/)?simple\/[^/]+(?=\/?$)/.exec(path)?.[0];
    const bytes = this.#strangerFiles.get(page === undefined ? path : `${page}/index.html`);
    if (bytes === undefined) return void response.writeHead(404, { 'content-length': 0 }).end();
    response
      .writeHead(200, { 'content-type': page === undefined ? 'application/octet-stream' : 'text/html' })
      .end(bytes);
  }
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

function typeOf(path: string): string {
  if (path.endsWith('index.json')) return JSON_PAGE;
  return path.endsWith('index.html') ? 'text/html; charset=utf-8' : 'application/octet-stream';
}
