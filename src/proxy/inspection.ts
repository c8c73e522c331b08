import type { Delegations } from '../tuf/delegations.ts';
import { DelegatedRole } from '../tuf/delegated-role.ts';
import type { Key } from '../tuf/key.ts';
import type { Role } from '../tuf/role.ts';
import type { Updater } from '../updater/updater.ts';

/** What one role of an index is, or several that have the same keys and stand side by side (bins). */
export interface InspectedRole {
  /** `bin-00 … bin-ff` for several. */
  readonly name: string;
  /** How many roles this stands for. */
  readonly count: number;
  /** The role that delegates to it; undefined for root. */
  readonly delegatedBy: string | undefined;
  readonly keys: readonly { readonly id: string; readonly scheme: string }[];
  readonly threshold: number;
  /** The lowest and the highest version; undefined when it is not in the snapshot. */
  readonly versions: readonly [lowest: number, highest: number] | undefined;
  /** Undefined for several, which are not fetched. */
  readonly expires: Date | undefined;
  /** Path patterns it may sign for; undefined when its paths are given by their hashes, or there is no limit. */
  readonly paths: readonly string[] | undefined;
  readonly terminating: boolean;
  /** Number of targets it signs; undefined when that is not known. */
  readonly targets: number | undefined;
  /** Why it could not be verified, one sentence. */
  readonly problem?: string;
}

/** The roles of an index, from root downwards: every role comes after the one that delegates to it. */
export interface Inspection {
  readonly url: string;
  readonly roles: readonly InspectedRole[];
  /** Roles that are left out because there are too many. */
  readonly omitted: number;
}

const TOP_LEVEL = ['root', 'timestamp', 'snapshot', 'targets'] as const;

/**
 * Looks at the roles of an index, verified as everything else is. Bins are counted and not fetched.
 *
 * @param most delegated roles to look at
 */
export async function inspectIndex(url: string, updater: Updater, most: number): Promise<Inspection> {
  await updater.refresh();
  const walk = new RoleWalk(updater, most);
  await walk.run();
  return { url, roles: walk.roles, omitted: walk.omitted };
}

class RoleWalk {
  readonly roles: InspectedRole[] = [];
  omitted = 0;
  readonly #updater: Updater;
  readonly #most: number;
  readonly #seen = new Set<string>(['targets']);

  constructor(updater: Updater, most: number) {
    this.#updater = updater;
    this.#most = most;
  }

  async run(): Promise<void> {
    const { root, timestamp, snapshot, targets } = this.#updater.trusted;
    for (const name of TOP_LEVEL) {
      const signed = { root, timestamp, snapshot, targets }[name];
      const role = root.roles.get(name);
      if (role === undefined || signed === undefined) continue;
      this.roles.push({
        name,
        count: 1,
        delegatedBy: name === 'root' ? undefined : 'root',
        ...keysOf(role, root.keys),
        versions: [signed.version, signed.version],
        expires: signed.expires,
        paths: undefined,
        terminating: false,
        targets: name === 'targets' ? targets?.targets.size : undefined,
      });
    }
    await this.#delegations(targets?.delegations, 'targets');
  }

  async #delegations(delegations: Delegations | undefined, delegator: string): Promise<void> {
    if (delegations === undefined) return;
    for (const group of groupsOf(delegations)) {
      if (this.roles.length >= this.#most) this.omitted += group.names.length;
      else await this.#add(group, delegations, delegator);
    }
  }

  async #add({ role, names }: RoleGroup, delegations: Delegations, delegator: string): Promise<void> {
    const [first = ''] = names;
    const last = names.at(-1) ?? first;
    const base = {
      name: names.length === 1 ? first : `${first} … ${last}`,
      count: names.length,
      delegatedBy: delegator,
      ...keysOf(role, delegations.keys),
      versions: this.#versions(names),
      paths: role instanceof DelegatedRole ? role.paths : undefined,
      terminating: role instanceof DelegatedRole ? role.terminating : true,
    };
    if (names.length > 1 || this.#seen.has(first)) {
      this.roles.push({ ...base, expires: undefined, targets: undefined });
      return;
    }
    this.#seen.add(first);
    try {
      const {
        expires,
        targets,
        delegations: further,
      } = await this.#updater.delegatedTargets(first, delegator);
      this.roles.push({ ...base, expires, targets: targets.size });
      await this.#delegations(further, first);
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      this.roles.push({ ...base, expires: undefined, targets: undefined, problem });
    }
  }

  #versions(names: readonly string[]): readonly [number, number] | undefined {
    const { snapshot } = this.#updater.trusted;
    let versions: [number, number] | undefined;
    for (const name of names) {
      const version = snapshot?.meta.get(`${name}.json`)?.version;
      if (version === undefined) continue;
      versions = [Math.min(versions?.[0] ?? version, version), Math.max(versions?.[1] ?? version, version)];
    }
    return versions;
  }
}

interface RoleGroup {
  readonly role: Role;
  readonly names: readonly string[];
}

/** Roles that stand side by side, have the same keys, and share the paths by their hashes: the bins. */
function groupsOf({ roles, succinctRoles }: Delegations): readonly RoleGroup[] {
  if (succinctRoles !== undefined) return [{ role: succinctRoles, names: [...succinctRoles.roleNames()] }];
  const groups: { role: DelegatedRole; names: string[]; keys: string }[] = [];
  for (const role of roles?.values() ?? []) {
    const keys = `${role.threshold} ${role.keyIds.join(' ')}`;
    const last = groups.at(-1);
    const isNext = role.pathHashPrefixes !== undefined && last?.role.pathHashPrefixes !== undefined;
    if (isNext && last?.keys === keys) last.names.push(role.name);
    else groups.push({ role, names: [role.name], keys });
  }
  return groups;
}

function keysOf(role: Role, keys: ReadonlyMap<string, Key>): Pick<InspectedRole, 'keys' | 'threshold'> {
  const named = role.keyIds.map((id) => ({ id, scheme: keys.get(id)?.scheme ?? 'unknown' }));
  return { keys: named, threshold: role.threshold };
}
