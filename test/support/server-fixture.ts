import { createHash } from 'node:crypto';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { blake2b } from 'hash-wasm';
import { issueToken, type TokenRequest } from '../../src/registry/authenticate.ts';
import type { Publisher } from '../../src/repository/publisher.ts';
import { journalState } from '../../src/db/journal.ts';
import type { PublicationQueue, ServerOptions } from '../../src/server/options.ts';
import { startServer, type RunningServer } from '../../src/server/start.ts';
import { PosixStore } from '../../src/storage/posix-store.ts';
import type { Distribution } from '../tools/distribution.ts';
import { IndexFixture } from './index-fixture.ts';

/** What came back, whole. */
export interface Answer {
  readonly status: number;
  readonly reason: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly text: string;
}

export type Field = readonly [name: string, value: string];
export interface FilePart {
  readonly name: string;
  readonly filename: string;
  readonly bytes: Uint8Array;
}

const BOUNDARY = 'a-boundary-of-the-tests';

/** A multipart body, the parts in the order given. */
export function multipart(parts: readonly (Field | FilePart)[]): Buffer {
  const chunks: (string | Uint8Array)[] = [];
  for (const part of parts) {
    if ('bytes' in part) {
      chunks.push(
        `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${part.name}"; filename="${part.filename}"\r\nContent-Type: application/octet-stream\r\n\r\n`,
        part.bytes,
        '\r\n',
      );
    } else {
      chunks.push(`--${BOUNDARY}\r\nContent-Disposition: form-data; name="${part[0]}"\r\n\r\n${part[1]}\r\n`);
    }
  }
  chunks.push(`--${BOUNDARY}--\r\n`);
  return Buffer.concat(chunks.map((chunk) => Buffer.from(chunk)));
}

export const MULTIPART = `multipart/form-data; boundary=${BOUNDARY}`;

/** The fields as twine sends them. */
export async function formFields(distribution: Distribution): Promise<[string, string][]> {
  const { bytes, kind, name, version } = distribution;
  return [
    [':action', 'file_upload'],
    ['protocol_version', '1'],
    ['metadata_version', '2.1'],
    ['name', name],
    ['version', version],
    ['filetype', kind === 'wheel' ? 'bdist_wheel' : 'sdist'],
    ['pyversion', kind === 'wheel' ? 'py3' : 'source'],
    ['summary', 'A distribution for the tests of Rind'],
    ['sha256_digest', createHash('sha256').update(bytes).digest('hex')],
    ['blake2_256_digest', await blake2b(bytes, 256)],
  ];
}

export function contentPart({ filename, bytes }: Distribution): FilePart {
  return { name: 'content', filename, bytes };
}

/** A form for the file with all digests right, but other fields as given; undefined leaves one out. */
export async function uploadForm(
  distribution: Distribution,
  changes: Readonly<Record<string, string | undefined>> = {},
): Promise<(Field | FilePart)[]> {
  const kept: Field[] = (await formFields(distribution)).filter(([name]) => !(name in changes));
  const changed = Object.entries(changes).flatMap(([name, value]): Field[] =>
    value === undefined ? [] : [[name, value]],
  );
  return [...kept, ...changed, contentPart(distribution)];
}

/** A publisher in this thread, driven by wake-ups; can be held back. */
class TestQueue implements PublicationQueue {
  readonly #publisher: Publisher;
  readonly #index: IndexFixture;
  held = false;
  /** Told of every publication, as the publisher's thread tells it. */
  onPublished: RunningServer['published'] = () => undefined;

  constructor(publisher: Publisher, index: IndexFixture) {
    this.#publisher = publisher;
    this.#index = index;
  }

  wake(): void {}

  async published(journalId: number, timeout: number): Promise<boolean> {
    const deadline = performance.now() + timeout;
    while ((await journalState(this.#index.db, journalId)) !== 'published') {
      if (performance.now() > deadline) return false;
      if (this.held) await new Promise((resolve) => setTimeout(resolve, 5));
      else await this.#publish();
    }
    return true;
  }

  #running: Promise<unknown> | undefined;
  async #publish(): Promise<void> {
    this.#running ??= this.#publisher
      .publishOnce()
      .then((publication) => {
        const { changedPaths = [] } = publication ?? {};
        this.onPublished({ indexId: this.#index.index.id, changedPaths });
      })
      .finally(() => (this.#running = undefined));
    await this.#running;
  }
}

/** The real server on a free port over a real database, a real file store and a real publisher. */
export class ServerFixture {
  readonly index: IndexFixture;
  readonly store: PosixStore;
  readonly server: RunningServer;
  readonly folder: string;
  readonly queue: TestQueue;
  readonly logged: string[];
  token = '';

  private constructor(
    index: IndexFixture,
    store: PosixStore,
    server: RunningServer,
    queue: TestQueue,
    logged: string[],
    folder: string,
  ) {
    this.folder = folder;
    this.index = index;
    this.store = store;
    this.server = server;
    this.queue = queue;
    this.logged = logged;
  }

  static async start(
    options: Partial<ServerOptions> & { readonly indexName?: string } = {},
  ): Promise<ServerFixture> {
    const folder = await mkdtemp(join(tmpdir(), 'rind-server-'));
    const store = await PosixStore.open({
      root: join(folder, 'tree'),
      temporaryFolder: join(folder, 'temporary'),
    });
    const index = await IndexFixture.create({ store, indexName: options.indexName ?? '' });
    const queue = new TestQueue(await index.startedPublisher(), index);
    const logged: string[] = [];
    const note = (fields: object, message: string) =>
      void logged.push(
        `${message} ${JSON.stringify(fields, (_key, value: unknown) => (value instanceof Error ? `${value.stack}` : value))}`,
      );
    const server = await startServer({
      host: '127.0.0.1',
      port: 0,
      indexes: [index.index],
      db: index.db,
      store,
      queue,
      log: { info: note, warn: note, error: note },
      clock: index.clock,
      ...options,
    });
    queue.onPublished = (event) => server.published(event);
    const fixture = new ServerFixture(index, store, server, queue, logged, folder);
    fixture.token = await fixture.issue({ verbs: ['upload'] });
    return fixture;
  }

  async issue(request: Partial<TokenRequest>): Promise<string> {
    const { token } = await issueToken(this.index.db, {
      name: 'test',
      verbs: ['upload'],
      now: this.index.now,
      ...request,
    });
    return token;
  }

  get authorization(): string {
    return `Basic ${Buffer.from(`__token__:${this.token}`).toString('base64')}`;
  }

  send(
    method: string,
    path: string,
    headers: Record<string, string> = {},
    body?: Uint8Array,
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const request = httpRequest({
        host: '127.0.0.1',
        port: this.server.port,
        method,
        path,
        headers: { ...(body === undefined ? {} : { 'Content-Length': String(body.length) }), ...headers },
      });
      request.on('error', reject).on('response', (response) => {
        const chunks: Buffer[] = [];
        response
          .on('data', (chunk: Buffer) => chunks.push(chunk))
          .on('error', reject)
          .on('end', () => {
            const whole = Buffer.concat(chunks);
            resolve({
              status: response.statusCode ?? 0,
              reason: response.statusMessage ?? '',
              headers: response.headers,
              body: whole,
              text: whole.toString(),
            });
          });
      });
      request.end(body);
    });
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
    return this.send('GET', path, headers);
  }

  /** Posts a form; pass other parts or headers to break it. */
  post(
    parts: readonly (Field | FilePart)[],
    headers: Record<string, string> = {},
    path = '/legacy/',
  ): Promise<Answer> {
    return this.send(
      'POST',
      path,
      { Authorization: this.authorization, 'Content-Type': MULTIPART, ...headers },
      multipart(parts),
    );
  }

  async upload(distribution: Distribution, headers: Record<string, string> = {}): Promise<Answer> {
    return this.post([...(await formFields(distribution)), contentPart(distribution)], headers);
  }

  /** Sends the pieces as they are and returns all that came back until the server closed. */
  talk(pieces: readonly (string | Buffer)[]): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.server.port, '127.0.0.1');
      const chunks: Buffer[] = [];
      socket
        .on('data', (chunk) => chunks.push(chunk))
        .on('error', reject)
        .on('close', () => resolve(Buffer.concat(chunks).toString()));
      for (const piece of pieces) socket.write(piece);
    });
  }

  /** The keys of all objects and the names of all temporary files: empty differences prove that nothing was left behind. */
  async leftovers(): Promise<{ readonly keys: readonly string[]; readonly temporary: readonly string[] }> {
    const keys: string[] = [];
    for await (const { key } of this.store.list('')) keys.push(key);
    return { keys, temporary: await readdir(join(this.folder, 'temporary')) };
  }

  async close(): Promise<void> {
    await this.server.close();
    await this.index.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}
