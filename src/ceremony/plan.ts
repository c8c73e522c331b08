import { parse } from 'smol-toml';
import { CeremonyError } from './errors.ts';
import { PlanTable } from './plan-table.ts';

export type BinsLayoutName = 'path_hash_prefixes' | 'succinct_roles';
export type PlanProfile = 'team' | 'pypi';

/** One key of a plan. At least one of `uri` and `publicKeyFile` is there. */
export interface PlanKey {
  /** The person who holds it; undefined for the keys of machines. */
  readonly holder: string | undefined;
  /** A key URI (keys/key-uri.ts) that can be opened on the ceremony's computer. */
  readonly uri: string | undefined;
  /** The public half, when its holder signs elsewhere: a public key file or an accepted invitation. */
  readonly publicKeyFile: string | undefined;
}

/** The keys of one offline role. */
export interface PlanRole {
  readonly keys: readonly PlanKey[];
  /** Keys that are made in the ceremony, used, and never stored. */
  readonly oneTimeKeys: number;
  readonly threshold: number;
  readonly expiresDays: number;
}

export const OFFLINE_ROLES = ['root', 'targets', 'claimed', 'bins'] as const;
export type OfflineRoleName = (typeof OFFLINE_ROLES)[number];

/** Whether a role of a plan has this name. */
export function isOfflineRole(name: string): name is OfflineRoleName {
  return (OFFLINE_ROLES as readonly string[]).includes(name);
}

/** claimed, and the parts in which a long list of claimed projects is signed (PEP 480). */
export type ClaimedListName = 'claimed' | `claimed-${string}`;
/** Every role that offline keys sign. */
export type SignedRoleName = OfflineRoleName | ClaimedListName;

/** What a ceremony is to do: the one file that people review before it. */
export interface CeremonyPlan {
  readonly profile: PlanProfile;
  /** Files and pages that the index will have: about three for each distribution file. */
  readonly expectedTargets: number;
  readonly bins: number;
  readonly layout: BinsLayoutName;
  /** Which paths the bins may list, as `*`, `*\/*` and so on; those of an index, or those of the present metadata, when undefined. */
  readonly targetPaths: readonly string[] | undefined;
  /** Replaces keys at once, after a theft: nothing of the old ones stays valid for the sake of clients that are in the middle of an update. */
  readonly emergency: boolean;
  /** The claimed projects that stay claimed, when claimed gets other keys after a theft; undefined: all of them. Others are the index's again. */
  readonly claimedProjects: readonly string[] | undefined;
  /** How long signatures may be given, in days. */
  readonly signingDays: number;
  readonly roles: Readonly<Record<OfflineRoleName, PlanRole>>;
  /** Keys on the server: each of them alone signs timestamp, snapshot and the bins. */
  readonly online: readonly PlanKey[];
}

/** Defaults of a profile, as repository/profile.ts has them. */
const PROFILES: Readonly<Record<PlanProfile, { readonly bins: number; readonly targets: number }>> = {
  team: { bins: 256, targets: 20_000 },
  pypi: { bins: 16_384, targets: 20_000_000 },
};

const YEAR_DAYS = 365;
/** How long people have to sign, unless a plan says otherwise. */
export const SIGNING_DAYS = 30;
const MAX_PLAN_BYTES = 1 << 20;
const FORMAT = 'rind-ceremony-plan-1';

/** Reads a plan, TOML or JSON. Says what it is, not whether it can work: see `lintPlan`. Throws MALFORMED_PLAN. */
export function parsePlan(bytes: Uint8Array): CeremonyPlan {
  const table = PlanTable.of(parseText(bytes), 'the plan');
  const format = table.string('format');
  if (format !== FORMAT)
    throw malformed(`Its format is "${format ?? ''}", and this version of Rind reads "${FORMAT}".`);
  const profile = table.choice('profile', ['team', 'pypi']) ?? 'team';
  const defaults = PROFILES[profile];
  const plan: CeremonyPlan = {
    profile,
    expectedTargets: table.integer('expected-targets') ?? defaults.targets,
    bins: table.integer('number-of-bins') ?? defaults.bins,
    layout: table.choice('layout', ['path_hash_prefixes', 'succinct_roles']) ?? 'path_hash_prefixes',
    targetPaths: table.strings('target-paths'),
    emergency: table.boolean('emergency') ?? false,
    claimedProjects: table.strings('claimed-projects'),
    signingDays: table.integer('signing-days') ?? SIGNING_DAYS,
    roles: {
      root: readRole(table, 'root'),
      targets: readRole(table, 'targets'),
      claimed: readRole(table, 'claimed'),
      bins: readRole(table, 'bins'),
    },
    online: readKeys(requiredTable(table, 'online')),
  };
  table.end();
  return plan;
}

function parseText(bytes: Uint8Array): unknown {
  if (bytes.length > MAX_PLAN_BYTES) throw malformed('It is longer than any plan.');
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return /^\s*\{/.test(text) ? (JSON.parse(text) as unknown) : parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : '';
    throw malformed(`It is neither TOML nor JSON (${reason}).`, cause);
  }
}

function readRole(plan: PlanTable, name: string): PlanRole {
  const table = requiredTable(plan, name);
  const role = {
    oneTimeKeys: table.integer('one-time-keys') ?? 0,
    threshold: table.integer('threshold') ?? 1,
    expiresDays: table.integer('expires-days') ?? YEAR_DAYS,
    keys: readKeys(table, false),
  };
  table.end();
  return role;
}

function readKeys(table: PlanTable, isWhole = true): readonly PlanKey[] {
  const keys = table.tables('keys').map((entry) => {
    const key = {
      holder: entry.string('holder'),
      uri: entry.string('key'),
      publicKeyFile: entry.string('public-key'),
    };
    entry.end();
    if (key.uri === undefined && key.publicKeyFile === undefined)
      throw malformed(`${entry.place} names neither key (a key URI) nor public-key (a file).`);
    return key;
  });
  if (isWhole) table.end();
  return keys;
}

function requiredTable(plan: PlanTable, name: string): PlanTable {
  const table = plan.table(name);
  if (table === undefined) throw malformed(`The section [${name}] is missing.`);
  return table;
}

function malformed(problem: string, cause?: unknown): CeremonyError {
  return new CeremonyError('MALFORMED_PLAN', `The plan cannot be read. ${problem}`, { cause });
}
