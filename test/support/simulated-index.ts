import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { metadataSidecarPath, packagePath, simpleHtmlPath, simpleJsonPath } from '../../src/pypi/layout.ts';
import { parseDistributionFilename } from '../../src/pypi/distribution-filename.ts';
import { renderProjectHtml, renderProjectJson, type PageFile } from '../../src/pypi/simple.ts';
import { RepositorySimulator } from '../../src/testing/repository-simulator.ts';

/** A distribution file of the simulated index; `metadata` is its core metadata, served beside it. */
export interface SimulatedFile {
  readonly filename: string;
  readonly bytes: Uint8Array;
  readonly metadata?: string;
  /** `2026-11-22T12:00:00.000000Z` when left out. */
  readonly uploadTime?: string;
}

/** Changes what is sent for a path of the tree; `undefined` is a 404, `'cut'` a connection cut half-way. */
export type Change = (bytes: Uint8Array) => Uint8Array | 'cut' | undefined;

/**
 * A signed index over real HTTP: the tree of DESIGN.md made by the simulator, with 16 bins. Everything may be changed
 * on the way with `tamper`, or in the simulator and then published.
 */
export class SimulatedIndex {
  readonly repository = new RepositorySimulator();
  url = '';
  /** Paths asked for, in order. */
  readonly requests: string[] = [];
  readonly #server: Server;
  readonly #unsigned = new Map<string, Uint8Array>();
  readonly #changes: { paths: RegExp; change: Change }[] = [];

  private constructor() {
    this.repository.addBins('targets', 4, 'path_hash_prefixes');
    this.#server = createServer((request, response) => {
      const path = decodeURIComponent((request.url ?? '').slice(1));
      this.requests.push(path);
      const original = this.#bytes(path);
      const found = this.#changes.find(({ paths }) => paths.test(path));
      const bytes = found === undefined || original === undefined ? original : found.change(original);
      if (bytes === undefined) return void response.writeHead(404).end();
      if (bytes !== 'cut') return void response.writeHead(200, { 'content-length': bytes.length }).end(bytes);
      response.writeHead(200, { 'content-length': 1_000_000 });
      response.write('half', () => response.destroy());
    });
  }

  /** @param port the default is any that is free */
  static async start(port = 0): Promise<SimulatedIndex> {
    const index = new SimulatedIndex();
    await new Promise<void>((resolve) => index.#server.listen(port, '127.0.0.1', resolve));
    index.url = `http://127.0.0.1:${(index.#server.address() as AddressInfo).port}/`;
    index.repository.publishAll();
    return index;
  }

  /** Adds or replaces a project and publishes it. `unlisted` files stand on the page, but no role signs them. */
  addProject(name: string, files: readonly SimulatedFile[], unlisted: readonly string[] = []): void {
    this.repository.publishAll(...this.#signProject(name, files, unlisted, binOf));
  }

  /** Adds a project that signs with a key of its own: `claimed`, before the bins, delegates to `project-<name>` (PEP 480). */
  addClaimedProject(name: string, files: readonly SimulatedFile[]): void {
    const role = `project-${name}`;
    const roles = this.repository.role('targets').delegations?.roles ?? [];
    if (!roles.some((each) => each.name === 'claimed')) {
      this.repository.addDelegation('targets', 'claimed', { paths: ['simple/*/*', 'packages/*/*'] });
      roles.unshift(...roles.splice(-1));
    }
    const paths = [`simple/${name}/*`, `packages/${name}/*`];
    this.repository.addDelegation('claimed', role, { paths, terminating: true });
    this.repository.publishAll('claimed', ...this.#signProject(name, files, [], () => role));
  }

  /** Returns the roles that changed. */
  #signProject(
    name: string,
    files: readonly SimulatedFile[],
    unlisted: readonly string[],
    roleOf: (path: string) => string,
  ): readonly string[] {
    const pageFiles = files.map((file) => pageFile(file));
    const page = { name, files: pageFiles };
    const sign = (path: string, bytes: Uint8Array): string => {
      this.repository.addTarget(roleOf(path), path, bytes);
      return roleOf(path);
    };
    const roles = [sign(simpleJsonPath(name), renderProjectJson(page))];
    roles.push(sign(simpleHtmlPath(name), renderProjectHtml(page)));
    for (const { filename, bytes, metadata } of files) {
      if (metadata !== undefined)
        this.#unsigned.set(metadataSidecarPath(name, filename), Buffer.from(metadata));
      if (unlisted.includes(filename)) this.#unsigned.set(packagePath(name, filename), bytes);
      else roles.push(sign(packagePath(name, filename), bytes));
    }
    return roles;
  }

  /** Changes every answer whose path matches, until `behave`. */
  tamper(paths: RegExp, change: Change = flipByte): void {
    this.#changes.push({ paths, change });
  }

  behave(): void {
    this.#changes.length = 0;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #bytes(path: string): Uint8Array | undefined {
    if (path.startsWith('metadata/')) return this.repository.files.get(path);
    const encoded = path.split('/').map(encodeURIComponent).join('/');
    return this.#unsigned.get(path) ?? this.repository.files.get(`targets/${encoded}`);
  }
}

/** The bin of a target path. */
export function binOf(path: string): string {
  return `bin-${sha256(path).slice(0, 1)}`;
}

export function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

/** One bit changed in the middle. */
export function flipByte(bytes: Uint8Array): Uint8Array {
  const changed = Buffer.from(bytes);
  const middle = Math.floor(changed.length / 2);
  changed[middle] = (changed[middle] ?? 0) ^ 1;
  return changed;
}

function pageFile({ filename, bytes, metadata, uploadTime }: SimulatedFile): PageFile {
  return {
    filename,
    version: parseDistributionFilename(filename).version,
    sha256: sha256(bytes),
    size: bytes.length,
    uploadTime: uploadTime ?? '2026-11-22T12:00:00.000000Z',
    ...(metadata === undefined ? {} : { coreMetadataSha256: sha256(metadata) }),
  };
}
