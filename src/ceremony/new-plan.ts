import { suggestedBins } from './plan-lint.ts';
import type { PlanProfile } from './plan.ts';

/** What must be known to begin a plan. */
export interface PlanWishes {
  readonly profile: PlanProfile;
  readonly expectedTargets: number;
  readonly holders: readonly string[];
  readonly threshold: number;
}

const MAX_BINS = 16_384;

/** The text of a plan to review and complete: one-time keys for targets, claimed and bins, a year of validity. */
export function newPlanText({ profile, expectedTargets, holders, threshold }: PlanWishes): string {
  const bins = Math.min(MAX_BINS, suggestedBins(expectedTargets));
  const oneTime = (role: string) => `[${role}]\none-time-keys = 2\nthreshold = 2\nexpires-days = 365\n`;
  const file = (holder: string) => `${holder.toLowerCase().replace(/[^a-z0-9]+/g, '-')}.public-key`;
  const root = holders.map(
    (holder) => `[[root.keys]]\nholder = ${JSON.stringify(holder)}\npublic-key = "${file(holder)}"\n`,
  );
  return [
    `format = "rind-ceremony-plan-1"\nprofile = "${profile}"\nexpected-targets = ${expectedTargets}\nnumber-of-bins = ${bins}\nlayout = "path_hash_prefixes"\nsigning-days = 30\n`,
    `[root]\nthreshold = ${threshold}\nexpires-days = 365\n`,
    ...root,
    ...['targets', 'claimed', 'bins'].map(oneTime),
    '[[online.keys]]\npublic-key = "online.public-key"\n',
  ].join('\n');
}
