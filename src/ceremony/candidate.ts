import { encodeCeremonyJson } from './ceremony-json.ts';
import { formatExpires, readExpires } from '../tuf/expiry.ts';
import {
  asObject,
  asString,
  check,
  readArray,
  readBoolean,
  readInteger,
  readObject,
  readString,
  readStrings,
} from '../tuf/fields.ts';
import { encodeHex } from '../tuf/hex.ts';
import { parseJson, type JsonObject, type JsonValue } from '../tuf/json.ts';
import { sha256 } from '../tuf/sha256.ts';
import { Root } from '../tuf/root.ts';
import { Targets } from '../tuf/targets.ts';
import { CeremonyError } from './errors.ts';
import { isSafeRoleName } from '../tuf/layout.ts';
import { OFFLINE_ROLES, type PlanProfile, type SignedRoleName } from './plan.ts';

const TYPE = 'rind-signing-event';
const FORMAT = 1;

/** The public version of a role that a candidate replaces; `sha256` of its signed part, lower-case hex. */
export interface BaseVersion {
  readonly version: number;
  readonly sha256: string;
}

/** Exactly what is to be signed, frozen: nothing of it changes while signatures arrive. */
export interface Candidate {
  /** `claims`: nothing but other projects in claimed, or others of their keys. */
  readonly kind: 'ceremony' | 'renewal' | 'claims';
  /** A rehearsal is never imported. */
  readonly rehearsal: boolean;
  readonly profile: PlanProfile;
  readonly created: Date;
  /** Signatures given later are refused. */
  readonly deadline: Date;
  /** sha256 of the plan file. */
  readonly plan: string;
  /** What it is made on top of; empty for the first ceremony. */
  readonly base: ReadonlyMap<SignedRoleName, BaseVersion>;
  /** Who holds which key, by key id. */
  readonly holders: ReadonlyMap<string, string>;
  /** Keys that were made, used and discarded when this was frozen. */
  readonly oneTimeKeys: readonly string[];
  /** The new signed parts. */
  readonly root: Root | undefined;
  readonly targets: ReadonlyMap<Exclude<SignedRoleName, 'root'>, Targets>;
}

/** The candidate's file: canonical JSON. */
export function encodeCandidate(candidate: Candidate): Uint8Array {
  const roles = new Map<string, JsonValue>();
  if (candidate.root !== undefined) roles.set('root', candidate.root.toJson());
  for (const [role, targets] of candidate.targets) roles.set(role, targets.toJson());
  const base = [...candidate.base].map(
    ([role, { version, sha256: hash }]) => [role, new Map<string, JsonValue>([['version', version], ['sha256', hash]])] as const, // prettier-ignore
  );
  return encodeCeremonyJson(
    new Map<string, JsonValue>([
      ['_type', TYPE],
      ['format', FORMAT],
      ['kind', candidate.kind],
      ['rehearsal', candidate.rehearsal],
      ['profile', candidate.profile],
      ['created', formatExpires(candidate.created)],
      ['deadline', formatExpires(candidate.deadline)],
      ['plan', candidate.plan],
      ['base', new Map(base)],
      ['holders', candidate.holders],
      ['one_time_keys', candidate.oneTimeKeys],
      ['roles', roles],
    ]),
  );
}

/** Reads a candidate's file. Throws MALFORMED_FILE; also when the bytes are not the canonical ones, because their hash is what people compare. */
export function readCandidate(bytes: Uint8Array): Candidate {
  try {
    const json = asObject(parseJson(bytes), 'candidate');
    check(
      readString(json, '_type') === TYPE && readInteger(json, 'format') === FORMAT,
      '_type',
      'is no signing event that this version of Rind reads',
    );
    const candidate = fromJson(json);
    check(equalBytes(encodeCandidate(candidate), bytes), 'candidate', 'is not written as Rind writes it');
    return candidate;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CeremonyError('MALFORMED_FILE', `This is no candidate of a signing event: ${reason}.`, {
      cause,
    });
  }
}

/** The id of an event: sha256 of the candidate's file, lower-case hex. People read its beginning to each other. */
export function eventId(candidateBytes: Uint8Array): string {
  return encodeHex(sha256(candidateBytes));
}

function fromJson(json: JsonObject): Candidate {
  const kind = readString(json, 'kind');
  const profile = readString(json, 'profile');
  check(kind === 'ceremony' || kind === 'renewal' || kind === 'claims', 'kind', 'is not known');
  check(profile === 'team' || profile === 'pypi', 'profile', 'is not known');
  const roles = readObject(json, 'roles');
  const targets = new Map<Exclude<SignedRoleName, 'root'>, Targets>();
  for (const role of signedRoles(roles.keys())) {
    const value = roles.get(role);
    if (value !== undefined && role !== 'root') targets.set(role, Targets.fromJson(asObject(value, role)));
  }
  const root = roles.get('root');
  check([...roles.keys()].every(isSignedRole), 'roles', 'names a role that is not signed in ceremonies');
  return {
    kind,
    rehearsal: readBoolean(json, 'rehearsal'),
    profile,
    created: readExpires(readString(json, 'created')),
    deadline: readExpires(readString(json, 'deadline')),
    plan: readString(json, 'plan'),
    base: readBase(readObject(json, 'base')),
    holders: new Map(
      [...readObject(json, 'holders')].map(([id, holder]) => [id, asString(holder, 'holders')]),
    ),
    oneTimeKeys: readStrings(json, 'one_time_keys'),
    root: root === undefined ? undefined : Root.fromJson(asObject(root, 'root')),
    targets,
  };
}

function readBase(json: JsonObject): ReadonlyMap<SignedRoleName, BaseVersion> {
  const base = new Map<SignedRoleName, BaseVersion>();
  for (const [role, value] of json) {
    check(isSignedRole(role), 'base', 'names an unknown role');
    const entry = asObject(value, role);
    base.set(role, { version: readInteger(entry, 'version'), sha256: readString(entry, 'sha256') });
  }
  return base;
}

/** Whether offline keys sign a role of this name. */
export function isSignedRole(name: string): name is SignedRoleName {
  return (
    (OFFLINE_ROLES as readonly string[]).includes(name) || (/^claimed-./.test(name) && isSafeRoleName(name))
  );
}

/** Names of roles in the order in which they trust each other: parts of claimed follow it. */
function signedRoles(names: Iterable<string>): readonly SignedRoleName[] {
  const found = [...names].filter(isSignedRole);
  const parts = found.filter((name) => name.startsWith('claimed-')).toSorted((a, b) => (a < b ? -1 : 1));
  return OFFLINE_ROLES.flatMap((role) => [
    ...(found.includes(role) ? [role] : []),
    ...(role === 'claimed' ? parts : []),
  ]);
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

/** The roles that a candidate holds, in the order in which they trust each other. */
export function candidateRoles(candidate: Candidate): readonly SignedRoleName[] {
  return signedRoles([...(candidate.root === undefined ? [] : ['root']), ...candidate.targets.keys()]);
}

/** All of `readArray`'s values as objects. */
export function readObjects(json: JsonObject, name: string): readonly JsonObject[] {
  return readArray(json, name).map((value) => asObject(value, name));
}
