import type { Key } from '../../tuf/key.ts';
import type { OfflineRoles } from '../offline-roles.ts';
import { RecoveryError } from './errors.ts';

/** The roles whose keys can be stolen. `bin-n`: the online key of the bins. */
export const STOLEN_ROLES = ['root', 'targets', 'claimed', 'bins', 'timestamp', 'snapshot', 'bin-n'] as const;
export type StolenRole = (typeof STOLEN_ROLES)[number];

/** Whose keys must be replaced: all but root's and claimed's whatever was stolen, these two when they were stolen (PEP 458). */
export function rolesToReplace(stolen: readonly StolenRole[]): readonly StolenRole[] {
  return STOLEN_ROLES.filter((role) =>
    role === 'root' || role === 'claimed' ? stolen.includes(role) : true,
  );
}

/** Throws STOLEN_KEY_STAYS when a key that must go still counts for a role of the new metadata. Compares key material, not names. */
export function requireReplacedKeys(
  old: OfflineRoles,
  next: OfflineRoles,
  stolen: readonly StolenRole[],
): void {
  const gone = new Map<string, string>();
  for (const role of rolesToReplace(stolen))
    for (const key of keysOf(old, role)) gone.set(key.publicKey.material, role);
  for (const role of STOLEN_ROLES) {
    const stays = keysOf(next, role).find((key) => gone.has(key.publicKey.material));
    if (stays === undefined) continue;
    throw new RecoveryError(
      'STOLEN_KEY_STAYS',
      `The bundle lets the key ${stays.keyId.slice(0, 12)} sign ${role}, which ${gone.get(stays.publicKey.material) ?? ''} had before; make a bundle with a new key in its place (and emergency = true in its plan).`,
    );
  }
}

/** The keys of a role, from whoever delegates to it. */
export function keysOf({ root, targets, bins, layout }: OfflineRoles, role: StolenRole): readonly Key[] {
  const delegations =
    role === 'bin-n' ? bins.signed.delegations : role === 'bins' || role === 'claimed' ? targets.signed.delegations : undefined; // prettier-ignore
  const name = role === 'bin-n' ? (layout.names[0] ?? '') : role;
  const ids = delegations?.role(name)?.keyIds ?? root.signed.roles.get(name)?.keyIds ?? [];
  const keys = delegations?.keys ?? root.signed.keys;
  return ids.flatMap((id) => keys.get(id) ?? []);
}
