import type { Key } from '../tuf/key.ts';
import type { CeremonyPlan, OfflineRoleName, PlanRole } from './plan.ts';
import { OFFLINE_ROLES } from './plan.ts';

/** What is wrong with a plan. An error ends the ceremony before it begins, a warning is for people to weigh. */
export interface PlanProblem {
  readonly severity: 'error' | 'warning';
  /** One sentence. */
  readonly message: string;
}

/** A key of the plan once its public half is known. */
export interface KnownKey {
  readonly role: OfflineRoleName | 'online';
  readonly holder: string | undefined;
  readonly key: Key;
}

const MAX_BINS = 16_384;
const MIN_BINS = 2;
const MAX_DAYS = 3650;
const MAX_SIGNING_DAYS = 180;
/** More targets in one bin than this, and a returning user downloads more metadata than files. */
const MANY_TARGETS_PER_BIN = 2000;

/** Everything that can be said before any key is opened. */
export function lintPlan(plan: CeremonyPlan): readonly PlanProblem[] {
  const problems: PlanProblem[] = [];
  const error = (message: string) => problems.push({ severity: 'error', message });
  const warn = (message: string) => problems.push({ severity: 'warning', message });
  lintBins(plan, error, warn);
  for (const name of OFFLINE_ROLES) lintRole(name, plan.roles[name], error);
  lintRoot(plan, error, warn);
  if (plan.online.length === 0) error('There is no online key: add one under [[online.keys]].');
  if (plan.signingDays < 1 || plan.signingDays > MAX_SIGNING_DAYS)
    error(`signing-days must be between 1 and ${MAX_SIGNING_DAYS}.`);
  if (plan.roles.claimed.oneTimeKeys > 0)
    warn('claimed has one-time keys: every claim of a project will need a renewal signed by root.');
  return problems;
}

/** What only the keys themselves show. */
export function lintKeys(keys: readonly KnownKey[]): readonly PlanProblem[] {
  const problems: PlanProblem[] = [];
  const error = (message: string) => problems.push({ severity: 'error', message });
  const first = new Map<string, KnownKey>();
  for (const known of keys) {
    const { material } = known.key.publicKey;
    const other = first.get(material);
    if (other === undefined) first.set(material, known);
    else if (other.role === known.role) error(`${who(known)} and ${who(other)} have the same key.`);
    else if (known.role === 'online' || other.role === 'online')
      error(
        `The online key stands among the keys of ${known.role === 'online' ? other.role : known.role}; whoever takes the server would have it.`,
      );
    else
      error(`${known.role} and ${other.role} have a key in common (${who(known)}); each role needs its own.`);
  }
  return problems;
}

type Tell = (message: string) => unknown;

function lintBins({ bins, layout, expectedTargets }: CeremonyPlan, error: Tell, warn: Tell): void {
  if (!Number.isInteger(Math.log2(bins)) || bins < MIN_BINS || bins > MAX_BINS)
    error(`There cannot be ${bins} bins: their number is a power of two from ${MIN_BINS} to ${MAX_BINS}.`);
  else if (expectedTargets / bins > MANY_TARGETS_PER_BIN)
    warn(
      `${expectedTargets} targets in ${bins} bins make long bins; consider ${Math.min(MAX_BINS, suggestedBins(expectedTargets))} bins.`,
    );
  if (expectedTargets < 0) error('expected-targets cannot be negative.');
  if (layout === 'succinct_roles')
    warn(
      'succinct_roles (TAP 15) is not in the TUF specification: python-tuf, tuf-js and go-tuf read it, tough does not.',
    );
}

/** About 150 targets in a bin, as PEP 458 has it. */
export function suggestedBins(targets: number): number {
  return Math.max(256, 2 ** Math.round(Math.log2(Math.max(1, targets / 150))));
}

function lintRole(name: OfflineRoleName, role: PlanRole, error: Tell): void {
  const { keys, oneTimeKeys, threshold, expiresDays } = role;
  const count = keys.length + oneTimeKeys;
  if (oneTimeKeys < 0) error(`${name}: one-time-keys cannot be negative.`);
  if (count === 0) error(`${name} has no key.`);
  if (threshold < 1) error(`${name}: the threshold must be at least 1.`);
  if (threshold > count)
    error(
      `${name}: the threshold is ${threshold}, but there are only ${count} keys, so nobody could ever sign.`,
    );
  if (expiresDays < 1 || expiresDays > MAX_DAYS)
    error(`${name}: expires-days must be between 1 and ${MAX_DAYS}.`);
  const seen = new Set<string>();
  for (const { holder } of keys) {
    if (holder === undefined) {
      error(`${name}: every key needs a holder, a person to ask for a signature.`);
    } else if (seen.has(holder)) {
      error(`${name}: ${holder} holds two keys, so the threshold is met by fewer people than it says.`);
    }
    seen.add(holder ?? '');
  }
}

function lintRoot({ roles, signingDays }: CeremonyPlan, error: Tell, warn: Tell): void {
  const { root } = roles;
  if (root.oneTimeKeys > 0) error('root cannot have one-time keys: nobody could ever sign the next root.');
  if (root.threshold === 1) warn('root has the threshold 1: one lost or stolen key is the end of the trust.');
  if (root.keys.length === root.threshold && root.threshold > 1)
    warn(
      'root needs every one of its keys: one lost key is the end of the trust; have more keys than the threshold.',
    );
  for (const name of OFFLINE_ROLES) {
    if (roles[name].expiresDays > root.expiresDays)
      error(
        `${name} would expire after root (${roles[name].expiresDays} and ${root.expiresDays} days): the expiries are in the wrong order.`,
      );
    if (roles[name].expiresDays <= signingDays)
      error(`${name} would expire within the signing window of ${signingDays} days.`);
  }
}

function who({ role, holder, key }: KnownKey): string {
  return holder ?? `${role} key ${key.keyId.slice(0, 8)}`;
}
