import type { RoleRow } from '../db/schema.ts';
import type { ExpirySettings } from './expiry-settings.ts';
import { dueRoles, nextRenewal, type SignedRole } from './expiry.ts';
import type { OfflineRoles } from './offline-roles.ts';
import type { PublishedClaims } from './published-claims.ts';

/** Roles renewed by one publication, and their bytes; the rest follows in the next, so that no upload waits long for renewals. */
const RENEWED_TOGETHER = 64;
const RENEWED_LENGTH = 2 * 1024 ** 2;
/** What the publisher renews, beside the bins, recently-claimed and its parts. */
const ONLINE: ReadonlySet<string> = new Set(['timestamp', 'snapshot']);

interface PublicRoles {
  readonly offline: OfflineRoles;
  readonly claims: PublishedClaims;
  readonly roles: ReadonlyMap<string, RoleRow>;
}

/** The same right after an upload: the next one, which may come at any moment, waits for one of these at most. */
const BUSY_TOGETHER = 16;
const BUSY_LENGTH = 512 * 1024;
/** Milliseconds: for so long after a change small portions are taken, and for so long in a row changes are published alone. */
const BUSY = 2000;
const LONGEST_WAIT = 1000;

/** Hands out what is to be signed anew, portion by portion; what waits to be published goes first. Looks at all roles only when something may be due: a publication must not cost more because there are many bins. */
export class Renewals {
  readonly #settings: ExpirySettings;
  readonly #elapsed: () => number;
  #lastPortion: number;
  #lastChanges = Number.NEGATIVE_INFINITY;
  #next = new Date(0);
  /** With the version that is to be replaced. */
  #due: readonly { readonly role: string; readonly version: number }[] = [];
  #taken = 0;

  /** `elapsed`: milliseconds of a clock that nobody sets. */
  constructor(settings: ExpirySettings, elapsed: () => number) {
    this.#settings = settings;
    this.#elapsed = elapsed;
    this.#lastPortion = elapsed();
  }

  /** When to look next: never later than the first role is due. */
  get next(): Date {
    return this.#next;
  }

  /** The next portion of what is due; empty when nothing is, or while changes that wait are to be published without it. */
  take(state: PublicRoles, now: Date, haveChangesWaited: boolean): readonly string[] {
    const elapsed = this.#elapsed();
    if (haveChangesWaited) {
      this.#lastChanges = elapsed;
      if (elapsed - this.#lastPortion < LONGEST_WAIT) return [];
    }
    for (;;) {
      if (now < this.#next) return [];
      const portion = this.#portion(state.roles, elapsed - this.#lastChanges < BUSY);
      if (portion.length > 0) {
        this.#lastPortion = elapsed;
        return portion;
      }
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

  #portion(roles: ReadonlyMap<string, RoleRow>, isBusy: boolean): readonly string[] {
    const portion: string[] = [];
    const [together, most] = isBusy ? [BUSY_TOGETHER, BUSY_LENGTH] : [RENEWED_TOGETHER, RENEWED_LENGTH];
    let length = 0;
    while (this.#taken < this.#due.length && portion.length < together && length < most) {
      const due = this.#due[this.#taken++];
      const row = roles.get(due?.role ?? '');
      // Signed since for another reason.
      if (row === undefined || row.version !== due?.version) continue;
      portion.push(row.role);
      length += row.length;
    }
    return portion;
  }

  #list({ offline, claims, roles }: PublicRoles, now: Date): void {
    const online: SignedRole[] = [];
    for (const { role, version, signed_at } of roles.values()) {
      if (ONLINE.has(role) || offline.layout.has(role) || claims.parts.has(role))
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
