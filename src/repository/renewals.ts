import type { RoleRow } from '../db/schema.ts';
import type { ExpirySettings } from './expiry-settings.ts';
import { dueRoles, nextRenewal, type SignedRole } from './expiry.ts';
import type { OfflineRoles } from './offline-roles.ts';

/** Roles renewed by one publication, and their bytes; the rest follows in the next, so that no upload waits long for renewals. */
const RENEWED_TOGETHER = 64;
const RENEWED_LENGTH = 2 * 1024 ** 2;
/** What the publisher renews, beside the bins. */
const ONLINE: ReadonlySet<string> = new Set(['timestamp', 'snapshot', 'recently-claimed']);

interface PublicRoles {
  readonly offline: OfflineRoles;
  readonly roles: ReadonlyMap<string, RoleRow>;
}

/** Hands out what is to be signed anew, portion by portion. Looks at all roles only when something may be due: a publication must not cost more because there are many bins. */
export class Renewals {
  readonly #settings: ExpirySettings;
  #next = new Date(0);
  /** With the version that is to be replaced. */
  #due: readonly { readonly role: string; readonly version: number }[] = [];
  #taken = 0;

  constructor(settings: ExpirySettings) {
    this.#settings = settings;
  }

  /** When to look next: never later than the first role is due. */
  get next(): Date {
    return this.#next;
  }

  /** The next portion of what is due; empty when nothing is. */
  take(state: PublicRoles, now: Date): readonly string[] {
    for (;;) {
      if (now < this.#next) return [];
      const portion = this.#portion(state.roles);
      if (portion.length > 0) return portion;
      this.#list(state, now);
      if (this.#due.length === 0) return [];
    }
  }

  /** What was taken may not have become public, or the roles are others now: begin anew. */
  reset(): void {
    this.#next = new Date(0);
    this.#due = [];
    this.#taken = 0;
  }

  #portion(roles: ReadonlyMap<string, RoleRow>): readonly string[] {
    const portion: string[] = [];
    let length = 0;
    while (this.#taken < this.#due.length && portion.length < RENEWED_TOGETHER && length < RENEWED_LENGTH) {
      const due = this.#due[this.#taken++];
      const row = roles.get(due?.role ?? '');
      // Signed since for another reason.
      if (row === undefined || row.version !== due?.version) continue;
      portion.push(row.role);
      length += row.length;
    }
    return portion;
  }

  #list({ offline, roles }: PublicRoles, now: Date): void {
    const online: SignedRole[] = [];
    for (const { role, version, signed_at } of roles.values()) {
      if (ONLINE.has(role) || offline.layout.has(role))
        online.push({ role, version, signedAt: new Date(signed_at) });
    }
    this.#due = dueRoles(online, this.#settings, now).map((role) => ({
      role,
      version: roles.get(role)?.version ?? 0,
    }));
    this.#taken = 0;
    if (this.#due.length === 0) this.#next = nextRenewal(online, this.#settings) ?? this.#next;
  }
}
