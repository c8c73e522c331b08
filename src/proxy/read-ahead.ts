import type { PageFile, ProjectPage } from '../pypi/simple.ts';
import { requiredNames } from './required-names.ts';

/** How something is read before anybody asks for it. What fails here fails again, and is reported, when somebody does. */
export interface AheadSource {
  /** Whether a project may be asked for here. */
  mayRead(project: string): boolean;
  /** The verified page, if it is there and small. */
  page(project: string): Promise<ProjectPage | undefined>;
  /** The verified core metadata of a file. */
  metadata(project: string, file: PageFile): Promise<Uint8Array | undefined>;
  /** What is signed about a file. */
  target(project: string, filename: string): Promise<unknown>;
}

/** Projects that are read at the same time. */
const AT_ONCE = 8;
/** Projects that nobody asked for, beyond as many as somebody asked for. */
const ROOM = 24;

/**
 * Reads what an installer will ask for next, while it thinks: of every project it asks for, the metadata of the newest file, and of
 * what that requires the page, the metadata, and so on. An installer that walks a tree waits for the network at each step of it otherwise.
 *
 * It only warms what answers come from: no verdict, no report and no installer knows of it. Whatever an index
 * writes into its metadata, no more is read ahead than 24 projects and as many more as the installer itself asked for.
 */
export class ReadAhead {
  readonly #source: AheadSource;
  readonly #asked = new Set<string>();
  /** Projects that were or are read ahead. */
  readonly #begun = new Set<string>();
  /** Files whose requirements are known. */
  readonly #followed = new Set<string>();
  readonly #waiting: (() => Promise<void>)[] = [];
  readonly #running = new Set<Promise<void>>();
  /** Of those begun. */
  #unasked = 0;
  #isStopped = false;

  constructor(source: AheadSource) {
    this.#source = source;
  }

  /** The page of a project was asked for, and is there. */
  asked(project: string): void {
    if (this.#asked.has(project)) return;
    this.#asked.add(project);
    if (this.#begun.has(project)) this.#unasked -= 1;
    else this.#later(() => this.#follow(project));
  }

  /** The metadata of a file was asked for, and is there: the installer has chosen this one. */
  chosen(project: string, filename: string, metadata: Uint8Array): void {
    if (!this.#asked.has(project)) return;
    this.#require(filename, metadata);
    this.#later(async () => void (await this.#source.target(project, filename)));
  }

  /** Begins nothing any more; ends when nothing is read any more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#waiting.length = 0;
    await Promise.all(this.#running);
  }

  async #follow(project: string): Promise<void> {
    const page = await this.#source.page(project);
    const file = page === undefined ? undefined : newestFile(page.files);
    if (file === undefined || this.#followed.has(file.filename)) return;
    const metadata = await this.#source.metadata(project, file);
    if (metadata !== undefined) this.#require(file.filename, metadata);
  }

  #require(filename: string, metadata: Uint8Array): void {
    if (this.#followed.has(filename)) return;
    this.#followed.add(filename);
    for (const name of requiredNames(metadata)) this.#begin(name);
  }

  #begin(project: string): void {
    if (this.#asked.has(project) || this.#begun.has(project)) return;
    if (this.#unasked >= ROOM + this.#asked.size || !this.#source.mayRead(project)) return;
    this.#begun.add(project);
    this.#unasked += 1;
    this.#later(() => this.#follow(project));
  }

  #later(work: () => Promise<void>): void {
    if (this.#isStopped) return;
    this.#waiting.push(work);
    this.#next();
  }

  #next(): void {
    while (this.#running.size < AT_ONCE) {
      const work = this.#waiting.shift();
      if (work === undefined) return;
      const running = work()
        .catch(() => undefined)
        .then(() => {
          this.#running.delete(running);
          this.#next();
        });
      this.#running.add(running);
    }
  }
}

/** Pages list files by version. A wrong guess costs the time to read it. */
function newestFile(files: readonly PageFile[]): PageFile | undefined {
  const candidates = files.filter(
    (file) => file.coreMetadataSha256 !== undefined && file.yanked === undefined,
  );
  return (
    candidates.findLast(({ version }) => !/[a-z]/.test(version.replace('.post', ''))) ?? candidates.at(-1)
  );
}
