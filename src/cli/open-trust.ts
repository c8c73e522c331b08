import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openAgreedSession, type AgreeingIndex } from '../proxy/agreed-session.ts';
import type { AnsweringIndex } from '../proxy/index-answers.ts';
import { ClaimedIndex } from '../proxy/claimed-index.ts';
import type { SignedClaim } from '../proxy/signed-claim.ts';
import { MergedIndex } from '../proxy/merged-index.ts';
import type { Agreement } from '../proxy/policy.ts';
import { RuledIndex, type Withheld } from '../proxy/ruled-index.ts';
import { TrustStoreError, type TrustedIndex } from '../proxy/trust-store.ts';
import { VerdictError } from '../proxy/verdict.ts';
import { VerifiedFiles } from '../proxy/verified-files.ts';
import { VerifiedIndex } from '../proxy/verified-index.ts';
import { OFFLINE, OfflineNotes, openFetchers, openIndex, type OpenIndexOptions } from './open-index.ts';
import type { ResolvedTrust } from './resolve-trust.ts';

/** The indexes of a trust, opened, under its rules. */
export interface OpenedTrust {
  /** All of them as one: every name from the index that its route names. */
  readonly index: AnsweringIndex;
  /** Each by its base URL; names that are routed elsewhere are not in it. */
  readonly byUrl: ReadonlyMap<string, AnsweringIndex>;
  /** Brings every session up to date, if there is none yet. */
  refresh(): Promise<void>;
  close(): Promise<void>;
}

export interface OpenTrustOptions extends Omit<OpenIndexOptions, 'mayReadAhead'> {
  /** Reads what an installer will ask for next before it does. */
  readonly readsAhead?: boolean | undefined;
  readonly onWithheld?: ((withheld: Withheld) => void) | undefined;
  /** Told whose word a verified page rests on. */
  readonly onClaim?: ((indexUrl: string, project: string, claim: SignedClaim) => void) | undefined;
}

/** Opens what {@link resolveTrust} found. */
export async function openTrust(
  { indexes, policy }: ResolvedTrust,
  { onWithheld, onClaim, readsAhead, ...more }: OpenTrustOptions = {},
): Promise<OpenedTrust> {
  const options = { ...more, offlineNotes: more.offlineNotes ?? new OfflineNotes() };
  const opened = new Map<string, Awaited<ReturnType<typeof openIndex>>>();
  const isOne = policy.isPlain && indexes.length === 1;
  for (const trusted of indexes) {
    // An index is told of no name that has to come from another one.
    const isHere = (project: string): boolean =>
      isOne || (policy.routeOf(project) === trusted.url && policy.agreementOf(project) === undefined);
    const mayReadAhead = readsAhead === true ? isHere : undefined;
    opened.set(trusted.url, await openIndex(trusted, { ...options, mayReadAhead }));
  }
  const ruled = (verified: VerifiedIndex): AnsweringIndex => {
    const told = (project: string, claim: SignedClaim) => onClaim?.(verified.url, project, claim);
    const index = new ClaimedIndex({ index: verified, onClaim: told, onWithheld });
    return isOne ? index : new RuledIndex({ index, policy, onWithheld });
  };
  const byUrl = new Map([...opened].map(([url, { index }]) => [url, ruled(index)]));
  const agreements = new Agreements(indexes, ruled, options);
  await agreements.prepare(policy.agreements);
  const urls = indexes.map(({ url }) => url);
  const merged = new MergedIndex(urls, policy, (project, url) => {
    const agreement = policy.agreementOf(project);
    const index = agreement === undefined ? byUrl.get(url) : agreements.of(agreement);
    if (index !== undefined) return index;
    throw new VerdictError('policy', `${project} has to come from ${url}, which this command does not use`);
  });
  return {
    index: isOne ? ([...byUrl.values()][0] ?? merged) : merged,
    byUrl,
    refresh: async () => {
      await Promise.all([...opened.values()].map(({ index }) => index.refresh()));
    },
    close: async () => {
      await Promise.all([...opened.values()].map((each) => each.close()));
      await agreements.close();
    },
  };
}

/** One verified index for each agreement, whose sessions ask all of its indexes. */
class Agreements {
  readonly #trusted: ReadonlyMap<string, TrustedIndex>;
  readonly #ruled: (index: VerifiedIndex) => AnsweringIndex;
  readonly #options: OpenIndexOptions;
  readonly #opened = new Map<Agreement, AnsweringIndex>();
  readonly #closers: (() => Promise<void>)[] = [];

  constructor(
    indexes: readonly TrustedIndex[],
    ruled: (index: VerifiedIndex) => AnsweringIndex,
    options: OpenIndexOptions,
  ) {
    this.#trusted = new Map(indexes.map((index) => [index.url, index]));
    this.#ruled = ruled;
    this.#options = options;
  }

  of(agreement: Agreement): AnsweringIndex | undefined {
    return this.#opened.get(agreement);
  }

  async prepare(agreements: readonly Agreement[]): Promise<void> {
    for (const agreement of agreements) {
      // --index can leave some of them out: then nobody can agree, and what they should give is refused.
      if (!agreement.indexes.every((url) => this.#trusted.has(url))) continue;
      if (!this.#opened.has(agreement)) this.#opened.set(agreement, this.#ruled(await this.#open(agreement)));
    }
  }

  async close(): Promise<void> {
    for (const close of this.#closers) await close();
  }

  async #open({ indexes, threshold }: Agreement): Promise<VerifiedIndex> {
    const members: AgreeingIndex[] = [];
    for (const url of indexes) {
      const { rootPath, metadataFolder, mirrors } = this.#indexOf(url);
      members.push({ url, mirrors, metadataFolder, bootstrapRoot: await readFile(rootPath) });
    }
    const [url = ''] = indexes;
    const { sessionMaxAge, isOffline = false, offlineNotes } = this.#options;
    const away = new Map<string, number>();
    const fetcher = openFetchers(members.flatMap((member) => [member.url, ...(member.mirrors ?? [])]));
    const files = await VerifiedFiles.create(join(this.#indexOf(url).cacheFolder, 'files'));
    let isClosed = false;
    this.#closers.push(
      () => {
        // A fetcher that was closed reaches nobody either.
        isClosed = true;
        return fetcher.close();
      },
      () => files.close(),
    );
    return new VerifiedIndex({
      url,
      // What they agree on is the same file in each of them.
      mirrors: members.flatMap((member) => [member.url, ...(member.mirrors ?? [])]).slice(1),
      fetcher: isOffline ? OFFLINE : fetcher,
      files,
      isOffline,
      openUpdater: () =>
        openAgreedSession(members, threshold, {
          fetcher,
          isOffline,
          away,
          onOffline: (member, updater, reason) =>
            isClosed ? undefined : offlineNotes?.say(member, updater, reason),
        }),
      ...(sessionMaxAge === undefined ? {} : { sessionMaxAge }),
    });
  }

  #indexOf(url: string): TrustedIndex {
    const index = this.#trusted.get(url);
    if (index !== undefined) return index;
    throw new TrustStoreError('not-trusted', `The index ${url} is named in a map and not trusted here.`);
  }
}
