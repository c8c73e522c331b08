import { encodeCanonicalJson } from '../tuf/canonical-json.ts';
import { Key } from '../tuf/key.ts';
import type { Role } from '../tuf/role.ts';
import type { Root } from '../tuf/root.ts';
import type { Signed } from '../tuf/signed.ts';
import type { Targets } from '../tuf/targets.ts';
import type { Candidate } from './candidate.ts';
import { lintClaimedLists, resultingClaimedLists } from './claimed-lists.ts';
import { versionOf, type CurrentRoles } from './current-roles.ts';
import { INDEX_PATHS, makeBins, makeRoot, makeTargets, type Parties, type Party } from './offline-roles.ts';
import type { BinsLayoutName, OfflineRoleName, SignedRoleName } from './plan.ts';

/** The offline roles as they would be once the candidate is public. */
export interface ResultingRoles {
  readonly root: Root;
  readonly targets: Targets;
  readonly claimed: Targets;
  readonly bins: Targets;
}

/** The candidate's roles, and those of its base that it leaves as they are. */
export function resultingRoles(
  candidate: Candidate,
  base: CurrentRoles | undefined,
): Partial<ResultingRoles> {
  const targets = (role: Exclude<OfflineRoleName, 'root'>) =>
    candidate.targets.get(role) ?? base?.[role].signed;
  const roles = {
    root: candidate.root ?? base?.root.signed,
    targets: targets('targets'),
    claimed: targets('claimed'),
    bins: targets('bins'),
  };
  return Object.fromEntries(Object.entries(roles).filter(([, role]) => role !== undefined));
}

/**
 * What is wrong with a candidate, a sentence each, looked at without trust in whoever made it: each role is built again from the keys,
 * thresholds and numbers that it states, and must come out the same.
 */
export function lintEvent(candidate: Candidate, base: CurrentRoles | undefined): readonly string[] {
  const { root, targets, claimed, bins } = resultingRoles(candidate, base);
  if (root === undefined || targets === undefined || claimed === undefined || bins === undefined)
    return [
      'The event does not hold all of root, targets, claimed and bins, and there are no public ones to go with it.',
    ];
  const problems = [
    ...lintVersions(candidate, base),
    ...lintExpiry({ root, targets, claimed, bins }, candidate, base),
  ];
  const parties = partiesOf({ root, targets, claimed, bins });
  if (typeof parties === 'string') return [...problems, parties];
  const expected: Readonly<Record<Exclude<OfflineRoleName, 'claimed'>, Signed>> = {
    root: makeRoot(parties, root),
    targets: makeTargets(parties, targets),
    bins: makeBins(parties.online, binsShape(bins), bins),
  };
  const made = {
    root: candidate.root,
    targets: candidate.targets.get('targets'),
    bins: candidate.targets.get('bins'),
  };
  for (const [role, wanted] of Object.entries(expected)) {
    const signed = made[role as keyof typeof made];
    if (signed === undefined) continue;
    if (candidate.kind === 'claims')
      problems.push(`An event about claimed projects changes ${role}; do not sign it.`);
    if (!sameContent(signed, wanted))
      problems.push(`${role} says something that no plan of a ceremony makes; do not sign it.`);
  }
  problems.push(...lintClaimedLists(candidate, base, parties.claimed, sameContent));
  return [...problems, ...lintParties(parties)];
}

/** Number and layout of the bins that *bins* delegates to. */
export function binsShape(bins: Targets): { readonly count: number; readonly layout: BinsLayoutName } {
  const { roles, succinctRoles } = bins.delegations ?? {};
  return succinctRoles === undefined
    ? { count: Math.max(1, roles?.size ?? 0), layout: 'path_hash_prefixes' }
    : { count: succinctRoles.count, layout: 'succinct_roles' };
}

/** The keys and thresholds that four roles state, or a sentence about what is missing. */
export function partiesOf({ root, targets, bins }: ResultingRoles): Parties | string {
  const top = (name: string) => party(root.roles.get(name), root.keys);
  const delegated = (name: string) => party(targets.delegations?.role(name), targets.delegations?.keys);
  const found = {
    root: top('root'),
    targets: top('targets'),
    claimed: delegated('claimed'),
    bins: delegated('bins'),
  };
  const online = top('timestamp');
  for (const [name, value] of Object.entries({ ...found, timestamp: online })) {
    if (value === undefined) return `Not every key of ${name} stands in the metadata that delegates to it.`;
  }
  if (!Number.isInteger(Math.log2(binsShape(bins).count))) return 'The number of bins is no power of two.';
  const { root: one, targets: two, claimed: three, bins: four } = found;
  if (
    one === undefined ||
    two === undefined ||
    three === undefined ||
    four === undefined ||
    online === undefined
  )
    return 'A role is missing.';
  const binsPaths = pathsOf(targets);
  if (binsPaths?.every((path) => /^\*(?:\/\*){0,31}$/.test(path)) === false)
    return 'targets delegates paths to bins that no plan of a ceremony names.';
  return { root: one, targets: two, claimed: three, bins: four, online: online.keys, binsPaths };
}

/** The paths of bins where they are not those of an index. */
export function pathsOf(targets: Targets): readonly string[] | undefined {
  const paths = targets.delegations?.roles?.get('bins')?.paths;
  const isUsual = paths?.length === INDEX_PATHS.length && paths.every((path) => INDEX_PATHS.includes(path));
  return isUsual ? undefined : paths;
}

function party(role: Role | undefined, keys: ReadonlyMap<string, Key> | undefined): Party | undefined {
  if (role === undefined || keys === undefined) return undefined;
  const found = role.keyIds.flatMap((id) => keys.get(id) ?? []);
  return found.length === role.keyIds.length ? { keys: found, threshold: role.threshold } : undefined;
}

function lintVersions(candidate: Candidate, base: CurrentRoles | undefined): readonly string[] {
  const roles: readonly (readonly [SignedRoleName, Signed | undefined])[] = [
    ['root', candidate.root],
    ...candidate.targets,
  ];
  return roles.flatMap(([role, signed]) => {
    const wanted = versionOf(base, role) + 1;
    if (signed === undefined || signed.version === wanted) return [];
    return [`${role} would get version ${signed.version} instead of ${wanted}.`];
  });
}

function lintExpiry(
  { root, ...others }: ResultingRoles,
  candidate: Candidate,
  base: CurrentRoles | undefined,
): readonly string[] {
  const { deadline } = candidate;
  const problems = root.expires <= deadline ? ['root expires before its signing window closes.'] : [];
  const lists = resultingClaimedLists(candidate, base);
  for (const [role, { expires }] of Object.entries({ ...others, ...Object.fromEntries(lists) })) {
    if (expires <= deadline) problems.push(`${role} expires before the signing window closes.`);
  }
  return problems;
}

function lintParties(parties: Parties): readonly string[] {
  const problems: string[] = [];
  const { online, root, targets, claimed, bins } = parties;
  const online_ = new Set(online.map((key) => key.publicKey.material));
  for (const [role, { keys, threshold }] of Object.entries({ root, targets, claimed, bins })) {
    const material = new Set(keys.map((key) => key.publicKey.material));
    if (material.size < threshold)
      problems.push(
        `${role} has ${material.size} different keys and a threshold of ${threshold}: nobody could ever sign it.`,
      );
    if ([...material].some((one) => online_.has(one)))
      problems.push(`The online key stands among the keys of ${role}.`);
    for (const key of keys) {
      if (Key.fromPublicKey(key.keyType, key.scheme, key.public).keyId !== key.keyId)
        problems.push(`The key id ${key.keyId} of ${role} is not the hash of its key.`);
    }
  }
  return problems;
}

function sameContent(a: Signed, b: Signed): boolean {
  const [first, second] = [encodeCanonicalJson(a.toJson()), encodeCanonicalJson(b.toJson())];
  return first.length === second.length && first.every((byte, index) => byte === second[index]);
}
