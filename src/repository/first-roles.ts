import { DelegatedRole } from '../tuf/delegated-role.ts';
import { Delegations } from '../tuf/delegations.ts';
import type { Key } from '../tuf/key.ts';
import { Role } from '../tuf/role.ts';
import { Root } from '../tuf/root.ts';
import type { Signer } from '../tuf/signer.ts';
import { Targets } from '../tuf/targets.ts';
import { BinLayout } from './bins.ts';

/** The signers of an offline role and how many of them it takes. */
export interface OfflineRole {
  readonly signers: readonly Signer[];
  readonly threshold: number;
}

/** Everybody whose keys are not on the server. */
export interface OfflineSigners {
  readonly root: OfflineRole;
  readonly targets: OfflineRole;
  readonly claimed: OfflineRole;
  readonly bins: OfflineRole;
}

interface Common {
  readonly version: number;
  readonly expires: Date;
}

/** Whatever this index signs stands under these paths; a delegation of everything else would only widen what a stolen key can do. */
const INDEX_PATHS = ['simple/*/*', 'packages/*/*'];

/** Root version 1: root and targets with offline keys, timestamp and snapshot with the online one (PEP 458). */
export function firstRoot(offline: OfflineSigners, online: Signer, expires: Date): Root {
  const onlineRole = new Role({ keyIds: [online.key.keyId], threshold: 1 });
  return new Root({
    version: 1,
    expires,
    consistentSnapshot: true,
    keys: keysOf([...offline.root.signers, ...offline.targets.signers, online]),
    roles: new Map([
      ['root', roleOf(offline.root)],
      ['snapshot', onlineRole],
      ['targets', roleOf(offline.targets)],
      ['timestamp', onlineRole],
    ]),
  });
}

/**
 * targets: no target of its own; claimed and recently-claimed come before bins and are delegated to from the first day,
 * because adding them later would need the offline keys (PEP 480). bins comes last: clients end their search there.
 */
export function firstTargets(offline: OfflineSigners, online: Signer, common: Common): Targets {
  const delegated = (name: string, { signers, threshold }: OfflineRole) =>
    new DelegatedRole({
      name,
      keyIds: signers.map(({ key }) => key.keyId),
      threshold,
      terminating: false,
      paths: INDEX_PATHS,
    });
  return new Targets({
    ...common,
    targets: new Map(),
    delegations: new Delegations({
      keys: keysOf([...offline.claimed.signers, online, ...offline.bins.signers]),
      roles: [
        delegated('claimed', offline.claimed),
        delegated('recently-claimed', { signers: [online], threshold: 1 }),
        delegated('bins', offline.bins),
      ],
    }),
  });
}

/** bins: delegates every target to one of `count` bins by the hash of its path; all bins have the online key. */
export function firstBins(online: Signer, count: number, common: Common): Targets {
  const layout = new BinLayout(count);
  const keyIds = [online.key.keyId];
  return new Targets({
    ...common,
    targets: new Map(),
    delegations: new Delegations({
      keys: keysOf([online]),
      roles: layout.names.map(
        (name) =>
          new DelegatedRole({
            name,
            keyIds,
            threshold: 1,
            terminating: false,
            pathHashPrefixes: layout.pathHashPrefixesOf(name),
          }),
      ),
    }),
  });
}

function roleOf({ signers, threshold }: OfflineRole): Role {
  return new Role({ keyIds: signers.map(({ key }) => key.keyId), threshold });
}

function keysOf(signers: readonly Signer[]): ReadonlyMap<string, Key> {
  return new Map(signers.map(({ key }) => [key.keyId, key]));
}
