import { formatExpires } from '../tuf/expiry.ts';
import type { JsonObject, JsonValue } from '../tuf/json.ts';
import { Metadata } from '../tuf/metadata.ts';
import { Root } from '../tuf/root.ts';
import type { Signed } from '../tuf/signed.ts';
import type { Targets } from '../tuf/targets.ts';
import type { Candidate } from './candidate.ts';
import type { CurrentRoles } from './current-roles.ts';
import { CeremonyError } from './errors.ts';
import { claimChanges, describeClaimChanges } from './claimed-lists.ts';
import { binsShape, partiesOf, resultingRoles } from './event-lint.ts';
import type { Party } from './offline-roles.ts';
import type { SignedRoleName } from './plan.ts';

/** What a signer compares a candidate with: her own root, and below it what the event states and that root leads to. */
export interface SignersView {
  readonly root: Root;
  readonly targets: Targets;
  readonly claimed: Targets;
  readonly bins: Targets;
}

/**
 * The view of somebody who trusts `pinned`: the event's old roots must follow from it one by one, each signed by the keys of the one before.
 * Throws WRONG_BASE when the event knows another history than the signer, or none.
 */
export async function viewFrom(pinned: Uint8Array, base: CurrentRoles | undefined): Promise<SignersView> {
  const root = Metadata.fromBytes(pinned, 'root');
  const { version } = root.signed;
  if (base === undefined)
    throw new CeremonyError(
      'WRONG_BASE',
      `You trust root version ${version} already, and this event begins a new repository without it; do not sign it for this index.`,
    );
  let trusted = root;
  for (const next of base.roots) {
    if (next.signed.version < version) continue;
    if (next.signed.version === version) {
      if (!sameBytes(next.signedBytes, root.signedBytes)) throw otherHistory(version);
      continue;
    }
    if (
      next.signed.version !== trusted.signed.version + 1 ||
      !(await trusted.signed.verifyDelegate('root', next)).verified
    )
      throw otherHistory(next.signed.version);
    trusted = next;
  }
  if (trusted.signed.version !== base.root.signed.version) throw otherHistory(base.root.signed.version);
  const { targets, claimed, bins } = base;
  return { root: root.signed, targets: targets.signed, claimed: claimed.signed, bins: bins.signed };
}

/** In words: who may sign what, and what changes against the signer's view; without a view, everything is new. */
export function describeChanges(
  candidate: Candidate,
  base: CurrentRoles | undefined,
  view: SignersView | undefined,
): readonly string[] {
  const name = (keyId: string) => candidate.holders.get(keyId) ?? `key ${keyId.slice(0, 12)}`;
  const result = resultingRoles(candidate, base);
  const { root, targets, claimed, bins } = result;
  if (root === undefined || targets === undefined || claimed === undefined || bins === undefined)
    return ['The event is incomplete.'];
  const whole = { root, targets, claimed, bins };
  const now = partiesOf(whole);
  const was = view === undefined ? undefined : partiesOf(view);
  const lines: string[] = [];
  for (const role of ['root', 'targets', 'claimed', 'bins'] as const) {
    if (candidate.root === undefined && role === 'root') continue;
    if (role !== 'root' && !candidate.targets.has(role)) continue;
    const old: Signed | undefined = view?.[role];
    lines.push(
      `${role}: version ${whole[role].version}${changed(old?.version)}, expires ${formatExpires(whole[role].expires)}${changed(old === undefined ? undefined : formatExpires(old.expires))}`,
    );
  }
  if (typeof now === 'string') return [...lines, now];
  const before = typeof was === 'string' ? undefined : was;
  for (const role of ['root', 'targets', 'claimed', 'bins'] as const)
    lines.push(...describeParty(role, now[role], before?.[role], name));
  lines.push(
    ...describeParty(
      'online',
      { keys: now.online, threshold: 1 },
      before && { keys: before.online, threshold: 1 },
      name,
    ),
  );
  lines.push(...describeClaimChanges(claimChanges(candidate, base)));
  const shape = binsShape(bins);
  const oldShape = view === undefined ? undefined : binsShape(view.bins);
  if (oldShape === undefined || oldShape.count !== shape.count || oldShape.layout !== shape.layout)
    lines.push(
      `bins: ${shape.count} bins by ${shape.layout}${changed(oldShape && `${oldShape.count} by ${oldShape.layout}`)}`,
    );
  return lines;
}

/** The raw difference: every value of the signed JSON that goes (`-`) or comes (`+`), by its place. */
export function rawDifference(
  role: SignedRoleName,
  before: Signed | undefined,
  after: Signed,
): readonly string[] {
  const old = before === undefined ? new Map<string, string>() : flatten(before.toJson());
  const fresh = flatten(after.toJson());
  const lines: string[] = [];
  for (const place of new Set([...old.keys(), ...fresh.keys()])) {
    const [gone, come] = [old.get(place), fresh.get(place)];
    if (gone === come) continue;
    if (gone !== undefined) lines.push(`- ${role}${place}: ${gone}`);
    if (come !== undefined) lines.push(`+ ${role}${place}: ${come}`);
  }
  return lines;
}

function describeParty(
  role: string,
  now: Party,
  was: Party | undefined,
  name: (keyId: string) => string,
): readonly string[] {
  const ids = (party: Party | undefined) => new Set(party?.keys.map(({ keyId }) => keyId) ?? []);
  const [mine, old] = [ids(now), ids(was)];
  const added = [...mine].filter((id) => !old.has(id));
  const removed = [...old].filter((id) => !mine.has(id));
  const threshold = `${now.threshold} of ${now.keys.length}`;
  const oldThreshold = was === undefined ? undefined : `${was.threshold} of ${was.keys.length}`;
  if (added.length === 0 && removed.length === 0 && threshold === oldThreshold) return [];
  return [
    `${role}: ${threshold} must sign${changed(oldThreshold === threshold ? undefined : oldThreshold)}`,
    ...added.map((id) => `  + ${name(id)} (${id})`),
    ...removed.map((id) => `  - ${name(id)} (${id})`),
  ];
}

function changed(old: string | number | undefined): string {
  return old === undefined ? '' : ` (was ${old})`;
}

function flatten(json: JsonObject): Map<string, string> {
  const flat = new Map<string, string>();
  const visit = (value: JsonValue, place: string): void => {
    if (value instanceof Map) for (const [key, child] of value as JsonObject) visit(child, `${place}.${key}`);
    else if (Array.isArray(value))
      for (const [index, child] of (value as readonly JsonValue[]).entries())
        visit(child, `${place}[${index}]`);
    else flat.set(place, JSON.stringify(value));
  };
  visit(json, '');
  return flat;
}

function otherHistory(version: number): CeremonyError {
  return new CeremonyError(
    'WRONG_BASE',
    `Root version ${version} in this event does not follow from the root that you trust; do not sign, and ask by another way who made this event.`,
  );
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
