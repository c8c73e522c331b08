import type { AnsweringIndex } from './index-answers.ts';
import type { ClientPolicy } from './policy.ts';
import { VerdictError, type Verdict } from './verdict.ts';
import type { VerifiedFile } from './verified-files.ts';
import type { SignedFile, VerifiedPage } from './verified-index.ts';

/**
 * Several verified indexes as one: every name comes from exactly one of them, whatever the others have, so that a private
 * name never falls through to a public index. A name that no index may give is refused.
 */
export class MergedIndex implements AnsweringIndex {
  /** For sentences: the index of all other names, or all of them. */
  readonly url: string;
  readonly #policy: ClientPolicy;
  readonly #indexOf: (project: string, url: string) => AnsweringIndex;
  readonly #givenBy = new WeakMap<SignedFile, AnsweringIndex>();

  /** @param indexOf the index for a project, by the URL its route names */
  constructor(
    urls: readonly string[],
    policy: ClientPolicy,
    indexOf: (project: string, url: string) => AnsweringIndex,
  ) {
    this.url = urls.join(', ');
    this.#policy = policy;
    this.#indexOf = indexOf;
  }

  async page(project: string, format: 'json' | 'html'): Promise<VerifiedPage | undefined> {
    return this.#route(project).page(project, format);
  }

  async fileTarget(project: string, filename: string): Promise<SignedFile | undefined> {
    const index = this.#route(project);
    const file = await index.fileTarget(project, filename);
    if (file !== undefined) this.#givenBy.set(file, index);
    return file;
  }

  async metadata(project: string, filename: string): Promise<Uint8Array | undefined> {
    return this.#route(project).metadata(project, filename);
  }

  async download(file: SignedFile): Promise<VerifiedFile> {
    const index = this.#givenBy.get(file);
    if (index === undefined) throw new TypeError('This file was not given by this index.');
    return index.download(file);
  }

  async absence(project: string, filename?: string): Promise<Verdict> {
    return this.#route(project).absence(project, filename);
  }

  async knownFilenames(project: string): Promise<readonly string[]> {
    return this.#policy.routeOf(project) === undefined ? [] : this.#route(project).knownFilenames(project);
  }

  #route(project: string): AnsweringIndex {
    const url = this.#policy.routeOf(project);
    if (url === undefined) {
      throw new VerdictError('policy', `No index is named for ${project}, so it may come from none`);
    }
    return this.#indexOf(project, url);
  }
}
