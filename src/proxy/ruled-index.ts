import { packagePath, simpleJsonPath } from '../pypi/layout.ts';
import { parseProjectJson, type PageFile } from '../pypi/simple.ts';
import type { AnsweringIndex } from './index-answers.ts';
import { pageWithFiles } from './page-with-files.ts';
import type { ClientPolicy } from './policy.ts';
import { createVerdict, VerdictError, type Verdict } from './verdict.ts';
import type { VerifiedFile } from './verified-files.ts';
import type { SignedFile, VerifiedPage } from './verified-index.ts';

/** What a rule left out of a page. */
export interface Withheld {
  readonly project: string;
  readonly filenames: readonly string[];
  /** One sentence. */
  readonly reason: string;
}

export interface RuledIndexOptions {
  readonly index: AnsweringIndex;
  readonly policy: ClientPolicy;
  readonly clock?: (() => Date) | undefined;
  readonly onWithheld?: ((withheld: Withheld) => void) | undefined;
}

const DAY = 86_400_000;

/**
 * A verified index under the rules of a policy: projects that have to come from another index are not here; what the
 * project's own role must have signed is refused when an online key of the index signed it; files that are too young
 * are neither listed nor given.
 */
export class RuledIndex implements AnsweringIndex {
  readonly url: string;
  readonly #options: RuledIndexOptions;
  readonly #clock: () => Date;

  constructor(options: RuledIndexOptions) {
    this.url = options.index.url;
    this.#options = options;
    this.#clock = options.clock ?? (() => new Date());
  }

  async page(project: string, format: 'json' | 'html'): Promise<VerifiedPage | undefined> {
    if (!this.#isHere(project)) return undefined;
    const { index, policy } = this.#options;
    const { minimumAgeDays } = policy.rulesOf(project);
    const page = await index.page(project, format);
    if (page === undefined) return undefined;
    this.#requireSigners(project, simpleJsonPath(project), page);
    return minimumAgeDays === 0 ? page : this.#withoutYoung(project, format, page, minimumAgeDays);
  }

  /** @throws VerdictError `policy` */
  async fileTarget(project: string, filename: string): Promise<SignedFile | undefined> {
    if (!this.#isHere(project)) return undefined;
    const found = await this.#options.index.fileTarget(project, filename);
    if (found === undefined) return undefined;
    this.#requireSigners(project, packagePath(project, filename), found);
    await this.#requireAge(project, filename);
    return found;
  }

  /** @throws VerdictError `policy` */
  async metadata(project: string, filename: string): Promise<Uint8Array | undefined> {
    if (!this.#isHere(project)) return undefined;
    const { index, policy } = this.#options;
    // Its hash stands on the page, so it is as good as whoever signed that.
    const { mustBeClaimed, signers } = policy.rulesOf(project);
    if (mustBeClaimed || signers !== undefined) await this.page(project, 'json');
    const bytes = await index.metadata(project, filename);
    if (bytes !== undefined) await this.#requireAge(project, filename);
    return bytes;
  }

  download(file: SignedFile): Promise<VerifiedFile> {
    return this.#options.index.download(file);
  }

  absence(project: string, filename?: string): Promise<Verdict> {
    const { index, policy } = this.#options;
    if (this.#isHere(project)) return index.absence(project, filename);
    const reason = `${project} has to come from ${policy.routeOf(project) ?? 'another index'}`;
    return Promise.resolve(createVerdict('policy', project, this.url, reason));
  }

  async knownFilenames(project: string): Promise<readonly string[]> {
    return this.#isHere(project) ? this.#options.index.knownFilenames(project) : [];
  }

  #isHere(project: string): boolean {
    return this.#options.policy.routeOf(project) === this.url;
  }

  #requireSigners(
    project: string,
    path: string,
    { claim, signedBy }: Pick<SignedFile, 'claim' | 'signedBy'>,
  ): void {
    const { mustBeClaimed, signers } = this.#options.policy.rulesOf(project);
    if (mustBeClaimed && claim.standing !== 'claimed') {
      const instead =
        claim.standing === 'recently-claimed'
          ? `who they are rests on the online key of the index still: ${project} is recently claimed, until administrators move it`
          : `the index signed it alone (role ${signedBy})`;
      throw new VerdictError(
        'policy',
        `${path} must be signed by the developers of ${project}, and ${instead}`,
      );
    }
    if (signers === undefined) return;
    if (claim.standing === 'unclaimed')
      throw new VerdictError(
        'policy',
        `${path} must be signed with pinned keys, and the index signed it alone (role ${signedBy})`,
      );
    const stranger = claim.keyIds.find((keyId) => !signers.has(keyId));
    if (stranger !== undefined)
      throw new VerdictError(
        'policy',
        `${path} can be signed with the key ${stranger}, which is none of those pinned for ${project}`,
      );
  }

  async #requireAge(project: string, filename: string): Promise<void> {
    const { index, policy } = this.#options;
    const { minimumAgeDays } = policy.rulesOf(project);
    if (minimumAgeDays === 0) return;
    const page = await index.page(project, 'json');
    const file =
      page === undefined
        ? undefined
        : parseProjectJson(page.bytes).files.find((each) => each.filename === filename);
    if (file !== undefined && this.#isOldEnough(file, minimumAgeDays)) return;
    const since = file === undefined ? 'stands on no page' : `was uploaded at ${file.uploadTime}`;
    throw new VerdictError(
      'policy',
      `${packagePath(project, filename)} ${since}, and has to be ${days(minimumAgeDays)} old`,
    );
  }

  /** The page made anew without the files that are too young. */
  async #withoutYoung(
    project: string,
    format: 'json' | 'html',
    signed: VerifiedPage,
    minimumAgeDays: number,
  ): Promise<VerifiedPage | undefined> {
    const page = format === 'json' ? signed : await this.#options.index.page(project, 'json');
    if (page === undefined) return undefined;
    // The times stand in JSON alone, so its signer counts too.
    this.#requireSigners(project, simpleJsonPath(project), page);
    const listing = parseProjectJson(page.bytes);
    const files = listing.files.filter((file) => this.#isOldEnough(file, minimumAgeDays));
    if (files.length === listing.files.length) return signed;
    const young = listing.files.filter((file) => !files.includes(file));
    this.#options.onWithheld?.({
      project,
      filenames: young.map(({ filename }) => filename),
      reason: `${young.length} of ${listing.files.length} files are not ${days(minimumAgeDays)} old`,
    });
    return pageWithFiles(page, { ...listing, files }, format);
  }

  #isOldEnough({ uploadTime }: PageFile, minimumAgeDays: number): boolean {
    return Date.parse(uploadTime) + minimumAgeDays * DAY <= this.#clock().getTime();
  }
}

function days(count: number): string {
  return count === 1 ? '1 day' : `${count} days`;
}
