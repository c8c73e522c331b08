import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RepositorySimulator } from '../../src/testing/index.ts';
import { cleanEnvironment, run } from '../tools/process.ts';
import { scratchFolder } from '../tools/rind-program.ts';

/** Where the client's clock stands, as faketime would put it: a module that moves `Date` before the program starts. */
function clockShift(days: number): string {
  const shifted = `const D=Date,s=${days * 86_400_000};globalThis.Date=class extends D{constructor(...a){a.length?super(...a):super(D.now()+s)}static now(){return D.now()+s}}`;
  return `--import=data:text/javascript,${encodeURIComponent(shifted)}`;
}

/**
 * What the conformance suite puts around a client: a simulated repository behind a web server that writes down every
 * request, a metadata folder, a folder for the artifacts, and the client as a program of its own.
 */
export class ConformanceBench {
  readonly repository: RepositorySimulator;
  readonly folder: string;
  /** What the client asked for, as `timestamp`, `2.root` or `targets/<path>`. */
  readonly requests: string[] = [];
  /** Paths for which the connection is closed without an answer. */
  readonly dropped = new Set<string>();
  stderr = '';
  readonly #server: Server;

  private constructor(repository: RepositorySimulator, folder: string) {
    this.repository = repository;
    this.folder = folder;
    this.#server = createServer((request, response) => {
      const path = (request.url ?? '').replace(/^\/test%5Bname%5D\//, '');
      this.requests.push(path.replace(/^metadata\/(.*)\.json$/, '$1'));
      const bytes = this.repository.files.get(path);
      response.shouldKeepAlive = false;
      if (this.dropped.has(path)) {
        request.socket.destroy();
      } else if (bytes === undefined || request.method !== 'GET') {
        response.writeHead(404, { 'content-type': 'text/html' }).end('<p>no such file</p>');
      } else {
        response.writeHead(200, { 'content-length': bytes.length }).end(bytes);
      }
    });
  }

  static async create(repository = new RepositorySimulator()): Promise<ConformanceBench> {
    const { path } = await scratchFolder('conformance');
    const bench = new ConformanceBench(repository, path);
    await new Promise<void>((resolve) => bench.#server.listen(0, '127.0.0.1', resolve));
    return bench;
  }

  get metadataDir(): string {
    return join(this.folder, 'metadata');
  }

  async init(root: Uint8Array = this.repository.initialRoot): Promise<number | null> {
    const file = join(this.folder, 'initial-root.json');
    await writeFile(file, root);
    return this.#client(['--metadata-dir', this.metadataDir, 'init', file]);
  }

  async refresh(daysLater = 0): Promise<number | null> {
    const args = ['--metadata-url', `${this.#url}metadata/`, '--metadata-dir', this.metadataDir, 'refresh'];
    return this.#client(args, daysLater);
  }

  async download(...names: readonly string[]): Promise<number | null> {
    const wanted = names.flatMap((name) => ['--target-name', name]);
    const from = ['--metadata-url', `${this.#url}metadata/`, '--metadata-dir', this.metadataDir];
    const to = ['--target-dir', join(this.folder, 'targets'), '--target-base-url', `${this.#url}targets/`];
    return this.#client([...from, ...wanted, ...to, 'download']);
  }

  /** Runs the client with any arguments. */
  async run(...args: readonly string[]): Promise<number | null> {
    return this.#client(args);
  }

  /** Every `*.json` directly in the metadata folder, as `role: version`; each must be metadata. */
  async trusted(): Promise<Readonly<Record<string, number>>> {
    const versions: Record<string, number> = {};
    for (const name of await readdir(this.metadataDir)) {
      if (name.endsWith('.json')) {
        const metadata = JSON.parse(await readFile(join(this.metadataDir, name), 'utf8')) as {
          readonly signed: { readonly version: number };
        };
        versions[name.slice(0, -5)] = metadata.signed.version;
      }
    }
    return versions;
  }

  async trustedBytes(role: string): Promise<Buffer> {
    return readFile(join(this.metadataDir, `${role}.json`));
  }

  /** The contents of all downloaded files, oldest first. */
  async artifacts(): Promise<readonly string[]> {
    const folder = join(this.folder, 'targets');
    const names = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
    const files = await Promise.all(
      names
        .filter((entry) => entry.isFile())
        .map(async (entry) => {
          const path = join(entry.parentPath, entry.name);
          return { content: await readFile(path, 'utf8'), time: (await stat(path)).mtimeMs };
        }),
    );
    return files.toSorted((a, b) => a.time - b.time).map(({ content }) => content);
  }

  /** What was asked for since the last call. */
  takeRequests(): readonly string[] {
    return this.requests.splice(0);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    await rm(this.folder, { recursive: true, force: true });
  }

  get #url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/test%5Bname%5D/`;
  }

  async #client(args: readonly string[], daysLater = 0): Promise<number | null> {
    const env = cleanEnvironment(daysLater === 0 ? {} : { NODE_OPTIONS: clockShift(daysLater) });
    const { code, stderr } = await run(join(import.meta.dirname, 'client'), args, { env, cwd: this.folder });
    this.stderr = stderr;
    return code;
  }
}
