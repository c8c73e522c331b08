const HOUR = 3_600_000;
const DAY = 24 * HOUR;

export type ProfileName = 'team' | 'pypi';

/** How long signatures last and how many bins there are. All times in milliseconds. */
export interface Profile {
  readonly name: ProfileName;
  /** How many bin-n roles share the targets; a power of two. */
  readonly bins: number;
  /** Lifetime of what the online key signs: timestamp, snapshot, bin-n, recently-claimed. */
  readonly onlineLifetime: number;
  /** Age at which the publisher signs it anew. */
  readonly onlineRenewal: number;
  /** Lifetime of what offline keys sign: root, targets, claimed, bins. */
  readonly offlineLifetime: number;
}

/** A team's index: a weekend without a publisher passes unnoticed (ADR 6). */
export const TEAM_PROFILE: Profile = {
  name: 'team',
  bins: 256,
  onlineLifetime: 7 * DAY,
  onlineRenewal: DAY,
  offlineLifetime: 365 * DAY,
};

/** PEP 458's numbers. */
export const PYPI_PROFILE: Profile = {
  name: 'pypi',
  bins: 16_384,
  onlineLifetime: DAY,
  onlineRenewal: 12 * HOUR,
  offlineLifetime: 365 * DAY,
};

/** The profile of that name, undefined when there is none. */
export function profileNamed(name: string): Profile | undefined {
  return [TEAM_PROFILE, PYPI_PROFILE].find((profile) => profile.name === name);
}
