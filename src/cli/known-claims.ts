import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { SignedClaim } from '../proxy/signed-claim.ts';
import type { Known } from './known-claims-form.ts';
import { say } from './terminal.ts';

const SHORT = 12;
const MOST = 50;

/**
 * Who signed for which project of an index when this machine last looked: `claims.json` beside the trust in the index. It warns, and says since
 * when; what is enforced stands in the rules of a policy.
 */
export class KnownClaims {
  readonly #path: string;
  readonly #seen = new Map<string, SignedClaim>();

  /** @param rootPath of the trusted index */
  constructor({ rootPath }: { readonly rootPath: string }) {
    this.#path = join(dirname(rootPath), 'claims.json');
  }

  /** A page of the project was verified. */
  see(project: string, claim: SignedClaim): void {
    this.#seen.set(project, claim);
  }

  /** Says who signed what was seen, warns of what changed, and remembers it. */
  async report(now: Date): Promise<void> {
    const known = await this.#read();
    const next: Known = { ...known };
    const lines: string[] = [];
    for (const [project, claim] of this.#seen) {
      const before = known[project];
      const warning = warningOf(project, before, claim);
      if (warning !== undefined) say(`warning: ${warning}`);
      if (claim.standing === 'unclaimed') {
        delete next[project];
        continue;
      }
      const isSame = before !== undefined && isSameKeys(before.keyIds, claim.keyIds);
      const since = isSame ? before.since : now.toISOString();
      next[project] = { standing: claim.standing, keyIds: [...claim.keyIds], since };
      lines.push(lineOf(project, claim, since));
    }
    for (const line of lines.slice(0, MOST)) say(line);
    if (lines.length > MOST) say(`signed by their developers: and ${lines.length - MOST} more`);
    const text = JSON.stringify(next, undefined, 2);
    // What cannot be remembered must not end a run that verified: it is said once more the next time.
    if (text === JSON.stringify(known, undefined, 2)) return;
    const { writeWhole } = await import('./file-changes.ts');
    await writeWhole(this.#path, Buffer.from(`${text}\n`), 0o600).catch(() => undefined);
  }

  async #read(): Promise<Known> {
    try {
      const text = await readFile(this.#path, 'utf8');
      // Loaded for those who have seen a claim.
      const { parseKnown } = await import('./known-claims-form.ts');
      return parseKnown(text);
    } catch {
      return {};
    }
  }
}

function warningOf(
  project: string,
  before: Known[string] | undefined,
  claim: SignedClaim,
): string | undefined {
  if (before === undefined) return undefined;
  const since = before.since.slice(0, 10);
  if (claim.standing === 'unclaimed')
    return `${project} was signed by its developers since ${since}, and now the index signs it alone; ask its developers before you use it`;
  if (before.standing === 'claimed' && claim.standing === 'recently-claimed')
    return `${project} was claimed since ${since}, and who its developers are rests on the online key of the index again`;
  return isSameKeys(before.keyIds, claim.keyIds)
    ? undefined
    : `the keys of ${project} changed: ${shortened(before.keyIds)} since ${since}, now ${shortened(claim.keyIds)}`;
}

function lineOf(project: string, { standing, keyIds, threshold }: SignedClaim, since: string): string {
  const rests =
    standing === 'claimed'
      ? 'claimed'
      : 'recently claimed: who they are rests on the online key of the index still';
  const keys = `${threshold > 1 ? `${threshold} of ` : ''}${shortened(keyIds)}`;
  return `${project} is signed by its developers (${rests}), key ${keys}, seen here since ${since.slice(0, 10)}`;
}

function shortened(keyIds: readonly string[]): string {
  return keyIds.map((keyId) => keyId.slice(0, SHORT)).join(', ');
}

function isSameKeys(left: readonly string[], right: readonly string[]): boolean {
  return left.toSorted().join() === right.toSorted().join();
}
