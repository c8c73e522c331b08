import { DelegatedRole } from '../tuf/delegated-role.ts';
import { Delegations } from '../tuf/delegations.ts';
import type { JsonObject } from '../tuf/json.ts';
import type { Key } from '../tuf/key.ts';
import { binName, binPathHashPrefixes } from '../tuf/layout.ts';
import { Role } from '../tuf/role.ts';
import { Root } from '../tuf/root.ts';
import { SuccinctRoles } from '../tuf/succinct-roles.ts';
import { ROLE_NAME_FIELD, Targets } from '../tuf/targets.ts';
import type { BinsLayoutName } from './plan.ts';

/** The public keys of a role and how many of them must sign. */
export interface Party {
  readonly keys: readonly Key[];
  readonly threshold: number;
}

/** Everybody whom the offline roles name. */
export interface Parties {
  readonly root: Party;
  readonly targets: Party;
  readonly claimed: Party;
  readonly bins: Party;
  /** Each of these alone signs timestamp, snapshot, recently-claimed and every bin-n. */
  readonly online: readonly Key[];
  /** The paths that targets delegates to bins, where they are others than those of an index: of an adopted repository. */
  readonly binsPaths?: readonly string[] | undefined;
}

interface Common {
  readonly version: number;
  readonly expires: Date;
}

/** Whatever this index signs stands under these paths; a delegation of everything else would only widen what a stolen key can do. */
export const INDEX_PATHS: readonly string[] = ['simple/*/*', 'packages/*/*'];

/** root: root and targets with offline keys, timestamp and snapshot with the online ones (PEP 458). */
export function makeRoot(parties: Parties, common: Common): Root {
  const online = { keys: parties.online, threshold: 1 };
  return new Root({
    ...common,
    consistentSnapshot: true,
    keys: byId([...parties.root.keys, ...parties.targets.keys, ...parties.online]),
    roles: new Map([
      ['root', roleOf(parties.root)],
      ['snapshot', roleOf(online)],
      ['targets', roleOf(parties.targets)],
      ['timestamp', roleOf(online)],
    ]),
  });
}

/**
 * targets: no target of its own; claimed and recently-claimed come before bins and are delegated to from the first day,
 * because adding them later would need the offline keys (PEP 480). bins comes last: clients end their search there.
 */
export function makeTargets(
  { claimed, bins, online, binsPaths = INDEX_PATHS }: Parties,
  common: Common,
): Targets {
  const delegated = (name: string, party: Party, paths = INDEX_PATHS) =>
    new DelegatedRole({ name, ...idsOf(party), terminating: false, paths });
  return new Targets({
    ...common,
    targets: new Map(),
    delegations: new Delegations({
      keys: byId([...claimed.keys, ...online, ...bins.keys]),
      roles: [
        delegated('claimed', claimed),
        delegated('recently-claimed', { keys: online, threshold: 1 }),
        delegated('bins', bins, binsPaths),
      ],
    }),
  });
}

/** claimed: empty until projects are claimed (PEP 480). */
export function makeClaimed(common: Common): Targets {
  return new Targets({ ...common, targets: new Map(), unrecognizedFields: roleName('claimed') });
}

/** bins: delegates every target to one of `count` bins by the hash of its path; all bins have the online keys. */
export function makeBins(
  online: readonly Key[],
  { count, layout }: { readonly count: number; readonly layout: BinsLayoutName },
  common: Common,
): Targets {
  const ids = idsOf({ keys: online, threshold: 1 });
  const explicit = () =>
    Array.from({ length: count }, (_, index) => {
      const pathHashPrefixes = binPathHashPrefixes(index, count);
      return new DelegatedRole({
        name: binName('bin', index, count),
        ...ids,
        terminating: false,
        pathHashPrefixes,
      });
    });
  const delegated =
    layout === 'succinct_roles'
      ? { succinctRoles: new SuccinctRoles({ ...ids, bitLength: Math.log2(count), namePrefix: 'bin' }) }
      : { roles: explicit() };
  return new Targets({
    ...common,
    targets: new Map(),
    delegations: new Delegations({ keys: byId(online), ...delegated }),
    unrecognizedFields: roleName('bins'),
  });
}

function roleName(name: string): JsonObject {
  return new Map([[ROLE_NAME_FIELD, name]]);
}

function roleOf(party: Party): Role {
  return new Role(idsOf(party));
}

function idsOf({ keys, threshold }: Party): {
  readonly keyIds: readonly string[];
  readonly threshold: number;
} {
  return { keyIds: keys.map(({ keyId }) => keyId), threshold };
}

function byId(keys: readonly Key[]): ReadonlyMap<string, Key> {
  return new Map(keys.map((key) => [key.keyId, key]));
}
