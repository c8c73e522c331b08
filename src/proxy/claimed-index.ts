import { metadataSidecarPath, packagePath } from '../pypi/layout.ts';
import { parseProjectJson } from '../pypi/simple.ts';
import { takedownOf, type Takedown } from '../pypi/takedown-list.ts';
import type { AnsweringIndex } from './index-answers.ts';
import { pageWithFiles } from './page-with-files.ts';
import type { Withheld } from './ruled-index.ts';
import type { SignedClaim } from './signed-claim.ts';
import { VerdictError, type Verdict } from './verdict.ts';
import type { VerifiedFile } from './verified-files.ts';
import type { SignedFile, VerifiedIndex, VerifiedPage } from './verified-index.ts';

export interface ClaimedIndexOptions {
  readonly index: Pick<VerifiedIndex, keyof AnsweringIndex | 'takedowns'>;
  /** Told of every project whose page was verified. */
  readonly onClaim?: ((project: string, claim: SignedClaim) => void) | undefined;
  readonly onWithheld?: ((withheld: Withheld) => void) | undefined;
}

/**
 * A verified index whose claimed projects are subject to the index's takedowns: their pages stay as the developers signed them, so that what
 * the administrators withhold stands in a signed list of its own (PEP 480). The list can take away, never add.
 */
export class ClaimedIndex implements AnsweringIndex {
  readonly url: string;
  readonly #options: ClaimedIndexOptions;

  constructor(options: ClaimedIndexOptions) {
    this.url = options.index.url;
    this.#options = options;
  }

  async page(project: string, format: 'json' | 'html'): Promise<VerifiedPage | undefined> {
    const { index, onClaim } = this.#options;
    const page = await index.page(project, format);
    if (page === undefined) return undefined;
    onClaim?.(project, page.claim);
    if (page.claim.standing === 'unclaimed') return page;
    const takedowns = (await index.takedowns()).filter((each) => each.project === project);
    return takedowns.length === 0 ? page : this.#withoutTaken(project, format, page, takedowns);
  }

  /** @throws VerdictError `taken-down` */
  async fileTarget(project: string, filename: string): Promise<SignedFile | undefined> {
    const { index } = this.#options;
    const found = await index.fileTarget(project, filename);
    if (found === undefined || found.claim.standing === 'unclaimed') return found;
    const takedown = takedownOf(await index.takedowns(), project, filename);
    if (takedown !== undefined) throw takenDown(packagePath(project, filename), takedown);
    return found;
  }

  /** @throws VerdictError `taken-down` */
  async metadata(project: string, filename: string): Promise<Uint8Array | undefined> {
    const { index } = this.#options;
    const bytes = await index.metadata(project, filename);
    const takedown = bytes === undefined ? undefined : takedownOf(await index.takedowns(), project, filename);
    if (takedown === undefined) return bytes;
    const page = await index.page(project, 'json');
    if (page === undefined || page.claim.standing === 'unclaimed') return bytes;
    throw takenDown(metadataSidecarPath(project, filename), takedown);
  }

  download(file: SignedFile): Promise<VerifiedFile> {
    return this.#options.index.download(file);
  }

  absence(project: string, filename?: string): Promise<Verdict> {
    return this.#options.index.absence(project, filename);
  }

  knownFilenames(project: string): Promise<readonly string[]> {
    return this.#options.index.knownFilenames(project);
  }

  async #withoutTaken(
    project: string,
    format: 'json' | 'html',
    signed: VerifiedPage,
    takedowns: readonly Takedown[],
  ): Promise<VerifiedPage | undefined> {
    const whole = takedowns.find(({ filename }) => filename === null);
    if (whole !== undefined) throw takenDown(project, whole);
    const page = format === 'json' ? signed : await this.#options.index.page(project, 'json');
    if (page === undefined) return undefined;
    const listing = parseProjectJson(page.bytes);
    const files = listing.files.filter(
      ({ filename }) => takedownOf(takedowns, project, filename) === undefined,
    );
    if (files.length === listing.files.length) return signed;
    const taken = listing.files.filter((file) => !files.includes(file)).map(({ filename }) => filename);
    const reasons = [...new Set(takedowns.map(({ reason }) => reason))].join('; ');
    this.#options.onWithheld?.({
      project,
      filenames: taken,
      reason: `the administrators of the index took ${taken.length} of ${listing.files.length} files down (${reasons})`,
    });
    return pageWithFiles(signed, { ...listing, files }, format);
  }
}

function takenDown(subject: string, { reason, since }: Takedown): VerdictError {
  return new VerdictError(
    'taken-down',
    `${subject} was taken down by the administrators of the index at ${since}: ${reason}`,
  );
}
