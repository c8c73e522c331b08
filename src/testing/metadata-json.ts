import type { JsonObject, JsonValue } from '../tuf/json.ts';

/** The wire format of the specification, open for any edit: unknown fields, wrong types, impossible values. */
export interface SignedJson {
  _type: string;
  spec_version: string;
  version: number;
  /** `YYYY-MM-DDTHH:MM:SSZ` when it is to be valid. */
  expires: string;
  [field: string]: unknown;
}

/** A public key (spec 4.2). */
export interface KeyJson {
  keytype: string;
  scheme: string;
  keyval: { public: string; [field: string]: unknown };
  [field: string]: unknown;
}

/** Key ids and threshold of a role (spec 4.3). */
export interface RoleJson {
  keyids: string[];
  threshold: number;
  [field: string]: unknown;
}

/** The signed part of root (spec 4.3). */
export interface RootJson extends SignedJson {
  consistent_snapshot?: boolean;
  keys: Record<string, KeyJson>;
  roles: Record<string, RoleJson>;
}

/** What snapshot and timestamp say about a file (spec 4.4). */
export interface MetaFileJson {
  version: number;
  length?: number;
  hashes?: Record<string, string>;
  [field: string]: unknown;
}

/** Timestamp and snapshot. */
export interface MetaJson extends SignedJson {
  meta: Record<string, MetaFileJson>;
}

/** What a targets role says about a target (spec 4.5). */
export interface TargetFileJson {
  length: number;
  hashes: Record<string, string>;
  custom?: unknown;
  [field: string]: unknown;
}

/** One of the delegations of a targets role (spec 4.5). */
export interface DelegatedRoleJson extends RoleJson {
  name: string;
  terminating: boolean;
  paths?: string[];
  path_hash_prefixes?: string[];
}

/** `succinct_roles` (TAP 15): `2 ** bit_length` bins. */
export interface SuccinctRolesJson extends RoleJson {
  bit_length: number;
  name_prefix: string;
}

/** `delegations` of targets metadata (spec 4.5): `roles`, or `succinct_roles` (TAP 15). */
export interface DelegationsJson {
  keys: Record<string, KeyJson>;
  roles?: DelegatedRoleJson[];
  succinct_roles?: SuccinctRolesJson;
  [field: string]: unknown;
}

/** The signed part of targets (spec 4.5). */
export interface TargetsJson extends SignedJson {
  targets: Record<string, TargetFileJson>;
  delegations?: DelegationsJson;
}

/** An object without prototype, so that `__proto__` and `constructor` are names like any other. */
export function plainObject<T>(entries: Iterable<readonly [string, T]> = []): Record<string, T> {
  const object = Object.create(null) as Record<string, T>;
  for (const [name, value] of entries) {
    object[name] = value;
  }
  return object;
}

/** Plain values as the core's JSON. Members that are undefined are left out. */
export function toJsonValue(value: unknown): JsonValue {
  if (Array.isArray(value)) {
    return value.map(toJsonValue);
  }
  if (typeof value === 'object' && value !== null) {
    return toJsonObject(value);
  }
  return value as JsonValue;
}

function toJsonObject(value: object): JsonObject {
  const members = new Map<string, JsonValue>();
  for (const [name, member] of Object.entries(value)) {
    if (member !== undefined) {
      members.set(name, toJsonValue(member));
    }
  }
  return members;
}
