import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Answer } from '../proxy/failure-answer.ts';
import type { Withheld } from '../proxy/ruled-index.ts';
import { renderStatusPage, type IndexStatus, type Refused } from '../proxy/status-page.ts';
import type { TrustedIndex } from '../proxy/trust-store.ts';
import type { Verdict } from '../proxy/verdict.ts';
import type { ResolvedTrust } from './resolve-trust.ts';
import { lastTimestamp, newestRoot, ORIGINS, rolesOf } from './show-trusted.ts';

const MOST_KEPT = 100;

/** What a running proxy remembers for its status page. */
export class ProxyRecord {
  readonly #startedAt = new Date();
  readonly #refused = new Map<string, Refused>();
  readonly #withheld = new Map<string, Withheld>();

  readonly refused = (verdict: Verdict): void => {
    const key = `${verdict.code} ${verdict.subject}`;
    const count = (this.#refused.get(key)?.count ?? 0) + 1;
    keep(this.#refused, key, { at: new Date(), verdict, count });
  };

  readonly withheld = (withheld: Withheld): void => {
    keep(this.#withheld, withheld.project, withheld);
  };

  async page(trust: ResolvedTrust, simpleUrl: string, sessionMaxAge: number): Promise<Answer> {
    const indexes: IndexStatus[] = [];
    for (const index of trust.indexes) indexes.push(await statusOf(index));
    return renderStatusPage({
      now: new Date(),
      startedAt: this.#startedAt,
      simpleUrl,
      source: trust.path ?? 'the indexes this user trusts (rind trust list)',
      sessionMaxAge,
      indexes,
      refused: [...this.#refused.values()].toReversed(),
      withheld: [...this.#withheld.values()].toReversed(),
    });
  }
}

/** As the newest; what is oldest goes when there are too many. */
function keep<T>(entries: Map<string, T>, key: string, entry: T): void {
  entries.delete(key);
  entries.set(key, entry);
  const [oldest] = entries.keys();
  if (entries.size > MOST_KEPT && oldest !== undefined) entries.delete(oldest);
}

async function statusOf(index: TrustedIndex): Promise<IndexStatus> {
  const newest = await newestRoot(index);
  const timestamp = await lastTimestamp(index);
  const file = await stat(join(index.metadataFolder, 'timestamp.json')).catch(() => undefined);
  return {
    url: index.url,
    trustedBy: ORIGINS[index.origin],
    fingerprint: index.fingerprint,
    rootVersion: newest.root.version,
    rootExpires: newest.root.expires,
    timestamp:
      timestamp === undefined
        ? undefined
        : { version: timestamp.version, expires: new Date(timestamp.expires) },
    seenAt: file?.mtime,
    roles: rolesOf(newest).map(([name, role]) => ({ name, ...role })),
  };
}
