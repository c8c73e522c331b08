import { claimListOf, claimListRole, claimLists } from '../claims/claim-lists.ts';
import { parseProjectRoleName } from '../claims/names.ts';
import { parseOwnersText } from '../claims/owners-text.ts';
import { findSignedRole, listClaims } from '../db/claims.ts';
import { lastLogEntry } from '../db/log-entries.ts';
import { currentRoles } from '../db/roles.ts';
import type { Executor, IndexRow, RoleRow } from '../db/schema.ts';
import { targetHashes } from '../db/target-hashes.ts';
import { targetsOfRange } from '../db/targets.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { parseLogEntry } from '../transparency/log-entry.ts';
import { canonicalJsonText } from '../tuf/canonical-json.ts';
import type { Delegations } from '../tuf/delegations.ts';
import type { Signer } from '../tuf/signer.ts';
import { encodeBin } from './bins.ts';
import { snapshotEntry } from './draft.ts';
import { PublicationError } from './errors.ts';
import { readOfflineRoles, type OfflineRoles } from './offline-roles.ts';
import { OnlineKeys } from './online-keys.ts';
import { withOtherHashes } from './other-hashes.ts';
import { sha256Hex } from './project-targets.ts';
import { listKeys } from './published-claims.ts';
import type { ServedTree } from './served-tree.ts';
import { signEncoded } from './signed-role.ts';
import { encodeTimestamp, SnapshotEntries } from './snapshot.ts';

/** Roles that no snapshot lists. */
const UNLISTED: ReadonlySet<string> = new Set(['root', 'snapshot', 'timestamp']);

/**
 * Makes lost online metadata once more: the rows say what it listed, and an ed25519 signature of the same content is the same again. Only bytes
 * with the hash that was reserved for the public version are written; so nothing new is ever signed into the world.
 */
export class MetadataRepair {
  readonly #db: Executor;
  readonly #store: ObjectStore;
  readonly #indexId: number;
  readonly #tree: ServedTree;
  readonly #keys: OnlineKeys;

  constructor(
    options: {
      readonly db: Executor;
      readonly store: ObjectStore;
      readonly index: IndexRow;
      readonly signers: readonly Signer[];
    },
    tree: ServedTree,
  ) {
    this.#db = options.db;
    this.#store = options.store;
    this.#indexId = options.index.id;
    this.#tree = tree;
    this.#keys = new OnlineKeys(options.signers);
  }

  /** The bytes of the public version of a role, undefined unless they are those that were published. */
  async readPublic(role: string): Promise<Uint8Array | undefined> {
    const row = (await this.#rows()).get(role);
    const bytes = row === undefined ? undefined : await this.#store.read(this.#keyOf(row));
    return bytes !== undefined && sha256Hex(bytes) === row?.sha256 ? bytes : undefined;
  }

  /** Writes the public version of a role again; its key, or undefined when it is there already or cannot be proved. */
  async recreate(role: string): Promise<string | undefined> {
    const rows = await this.#rows();
    const row = rows.get(role);
    if (row === undefined || (await this.readPublic(role)) !== undefined) return undefined;
    try {
      const bytes = await this.#make(row, rows, await readOfflineRoles(this.#store, this.#tree, rows));
      if (bytes === undefined || sha256Hex(bytes) !== row.sha256) return undefined;
      await this.#store.put(this.#keyOf(row), bytes);
      return this.#keyOf(row);
    } catch (error) {
      // Without the offline roles, or without the key, nothing can be proved.
      if (error instanceof PublicationError) return undefined;
      throw error;
    }
  }

  async #make(
    row: RoleRow,
    rows: ReadonlyMap<string, RoleRow>,
    offline: OfflineRoles,
  ): Promise<Uint8Array | undefined> {
    const { role, version } = row;
    const common = { role, version, expires: new Date(row.expires_at) };
    if (parseProjectRoleName(role) !== undefined)
      return findSignedRole(this.#db, this.#indexId, role, version);
    const text = await this.#textOf(row, rows, offline);
    if (text === undefined) return undefined;
    const keys = offline.keysOf(role);
    const signers =
      offline.layout.has(role) || claimListOf(role) !== undefined
        ? this.#keys.signersFor(role, keys)
        : this.#keys.allSignersFor(role, keys);
    return (await signEncoded(common, text, signers)).bytes;
  }

  async #textOf(
    row: RoleRow,
    rows: ReadonlyMap<string, RoleRow>,
    offline: OfflineRoles,
  ): Promise<string | Uint8Array | undefined> {
    const { role, version } = row;
    const common = { role, version, expires: new Date(row.expires_at) };
    if (offline.layout.has(role)) {
      const { first, last } = offline.layout.rangeOf(role);
      const { algorithms } = await targetHashes(this.#db, this.#indexId);
      const targets = await targetsOfRange(this.#db, this.#indexId, first, last);
      const listed = await withOtherHashes(this.#db, this.#indexId, { first, last }, targets, algorithms);
      return encodeBin({ ...common, targets: listed });
    }
    if (role === 'snapshot') {
      const listed = [...rows.values()].filter((other) => !UNLISTED.has(other.role));
      return SnapshotEntries.of(listed.map((other) => snapshotEntry(other, offline))).encode(common);
    }
    if (claimListOf(role) === 'recently-claimed') {
      const delegations = (await this.#recentlyClaimed(offline)).get(role);
      return delegations && canonicalJsonText(claimListRole(role, delegations, common).toJson());
    }
    const snapshot = rows.get('snapshot');
    if (role !== 'timestamp' || snapshot === undefined) return undefined;
    const last = await lastLogEntry(this.#db, this.#indexId);
    const entry = last === undefined ? undefined : parseLogEntry(new TextEncoder().encode(last.entry));
    const log = entry === undefined ? {} : { log: { ...entry.previous, roles: entry.roles } };
    return encodeTimestamp({ ...common, snapshot, ...log });
  }

  async #recentlyClaimed(offline: OfflineRoles): Promise<ReadonlyMap<string, Delegations>> {
    const rows = await listClaims(this.#db, this.#indexId, 'recently-claimed');
    const projects = rows.map(({ project, owners }) => ({ project, owners: parseOwnersText(owners) }));
    return claimLists('recently-claimed', projects, listKeys(offline.targets, 'recently-claimed'));
  }

  #keyOf({ role, version }: RoleRow): string {
    return this.#tree.metadata(role, role === 'timestamp' ? undefined : version);
  }

  async #rows(): Promise<ReadonlyMap<string, RoleRow>> {
    return new Map((await currentRoles(this.#db, this.#indexId)).map((row) => [row.role, row]));
  }
}
