import { createHash } from 'node:crypto';
import { canonicalJsonText, encodeCanonicalJson } from '../tuf/canonical-json.ts';
import { unexpectedStatus } from '../updater/errors.ts';
import type { Fetcher, FetchOptions } from '../updater/fetcher.ts';
import { plainObject, toJsonValue } from './metadata-json.ts';
import type {
  MetaFileJson,
  MetaJson,
  RootJson,
  SignedJson,
  TargetFileJson,
  TargetsJson,
} from './metadata-json.ts';
import { misbehave } from './misbehaviour.ts';
import type { Misbehaviour } from './misbehaviour.ts';
import { SimulatorKey } from './simulator-key.ts';
import type { SimulatorScheme } from './simulator-key.ts';

/** How a {@link RepositorySimulator} starts; nothing has to be said. */
export interface RepositorySimulatorOptions {
  /** Metadata made without an expiry of its own is valid for 30 days from here. */
  readonly referenceTime?: Date;
  readonly consistentSnapshot?: boolean;
  /** List length and sha256 in snapshot and timestamp. */
  readonly listHashes?: boolean;
  readonly scheme?: SimulatorScheme;
}

/** What `publish` leaves undone; both are done if nothing is said. */
export interface PublishOptions {
  /** Give every role published before the next version. */
  readonly bumpVersion?: boolean;
  /** Let snapshot and timestamp list what was published last. */
  readonly updateMeta?: boolean;
}

/** How a delegation is made; `paths` is `['*']` if nothing else is said. */
export interface DelegationOptions {
  readonly threshold?: number;
  readonly terminating?: boolean;
  readonly paths?: readonly string[];
  readonly pathHashPrefixes?: readonly string[];
}

const CHUNK = 65_536;
const THIRTY_DAYS = 30 * 86_400_000;

/**
 * A TUF repository in memory that is also the fetcher of its clients. The metadata (`root`, `timestamp`, `snapshot`,
 * `targets`, `role(name)`) are plain wire-format objects: change any field, then `publish`. What clients can fetch is
 * in `files`, by the URL path below the repository; what they asked for is in `requests`.
 *
 * @example
 * const repository = new RepositorySimulator();
 * repository.addTarget('targets', 'a.txt', Buffer.from('hello'));
 * repository.publishAll();
 * const updater = new Updater({ ...repository.location, fetcher: repository, metadataDir, bootstrapRoot: repository.initialRoot });
 */
export class RepositorySimulator implements Fetcher {
  /** `https` URLs of a host that does not exist. */
  readonly location = {
    metadataBaseUrl: 'https://repository.invalid/metadata/',
    targetBaseUrl: 'https://repository.invalid/targets/',
  } as const;
  readonly files = new Map<string, Uint8Array>();
  readonly requests: string[] = [];
  /** Runs before a request is answered; may change the repository. */
  beforeRequest: ((path: string) => void) | undefined;
  listHashes: boolean;
  /** Spaces of indentation; undefined publishes canonical JSON. */
  indentation: number | undefined;

  readonly root: RootJson;
  readonly timestamp: MetaJson;
  readonly snapshot: MetaJson;
  readonly targets: TargetsJson;
  readonly #roles = new Map<string, SignedJson>();
  readonly #signers = new Map<string, SimulatorKey[]>();
  readonly #published = new Map<string, Uint8Array[]>();
  readonly #misbehaviours: { readonly pattern: string | RegExp; readonly behaviour: Misbehaviour }[] = [];
  readonly #expires: string;
  readonly #scheme: SimulatorScheme;

  constructor(options: RepositorySimulatorOptions = {}) {
    this.#expires = timeText(new Date((options.referenceTime ?? new Date()).getTime() + THIRTY_DAYS));
    this.#scheme = options.scheme ?? 'ed25519';
    this.listHashes = options.listHashes ?? false;
    this.root = {
      ...this.#signed('root'),
      consistent_snapshot: options.consistentSnapshot ?? true,
      keys: plainObject(),
      roles: plainObject(),
    };
    this.timestamp = { ...this.#signed('timestamp'), meta: plainObject() };
    this.snapshot = { ...this.#signed('snapshot'), meta: plainObject() };
    this.targets = this.newTargets();
    for (const signed of [this.root, this.timestamp, this.snapshot, this.targets]) {
      this.#roles.set(signed._type, signed);
      this.root.roles[signed._type] = { keyids: [], threshold: 1 };
      this.addKey(signed._type);
    }
    this.publish(['root', 'targets', 'snapshot', 'timestamp']);
  }

  /** The root that clients are set up with. */
  get initialRoot(): Uint8Array {
    return this.versions('root')[0] ?? new Uint8Array();
  }

  /** The metadata of a delegated targets role (or of `targets`). */
  role(name: string): TargetsJson {
    const role = this.#roles.get(name);
    if (role === undefined) {
      throw new TypeError(`the simulated repository has no role ${name}`);
    }
    return role as TargetsJson;
  }

  /** Every published version of a role, oldest first. */
  versions(role: string): readonly Uint8Array[] {
    return this.#published.get(role) ?? [];
  }

  /** Empty targets metadata of version 1. */
  newTargets(): TargetsJson {
    return { ...this.#signed('targets'), targets: plainObject() };
  }

  /** Adds a key, to the role's delegator and to those that sign the role. */
  addKey(role: string, delegator = 'root', key = SimulatorKey.generate(this.#scheme)): SimulatorKey {
    const { keys, entries } = this.#delegation(delegator);
    keys[key.keyId] = key.json;
    for (const entry of entries(role)) {
      entry.keyids.push(key.keyId);
    }
    this.signers(role).push(key);
    return key;
  }

  /** The keys that sign a role; may be changed. */
  signers(role: string): SimulatorKey[] {
    const existing = this.#signers.get(role);
    if (existing !== undefined) {
      return existing;
    }
    const created: SimulatorKey[] = [];
    this.#signers.set(role, created);
    return created;
  }

  /** Takes all keys away from a role and gives it new ones. */
  rotateKeys(role: string, delegator = 'root'): void {
    this.signers(role).length = 0;
    for (const entry of this.#delegation(delegator).entries(role)) {
      entry.keyids.length = 0;
    }
    this.addKey(role, delegator);
  }

  /** Lists a target in a role and serves its bytes, plain and hash-prefixed. */
  addTarget(role: string, path: string, bytes: Uint8Array): TargetFileJson {
    const sha256 = sha256Hex(bytes);
    const entry: TargetFileJson = { length: bytes.length, hashes: { sha256 } };
    this.role(role).targets[path] = entry;
    const slash = path.lastIndexOf('/') + 1;
    this.files.set(`targets/${quotePath(path)}`, bytes);
    this.files.set(`targets/${quotePath(`${path.slice(0, slash)}${sha256}.${path.slice(slash)}`)}`, bytes);
    return entry;
  }

  /** Delegates to a role, new or known, with a key of its own. */
  addDelegation(delegator: string, name: string, options: DelegationOptions = {}): TargetsJson {
    const { threshold = 1, terminating = false, paths = ['*'], pathHashPrefixes } = options;
    const delegations = (this.role(delegator).delegations ??= { keys: plainObject(), roles: [] });
    const scope =
      pathHashPrefixes === undefined ? { paths: [...paths] } : { path_hash_prefixes: [...pathHashPrefixes] };
    (delegations.roles ??= []).push({ name, keyids: [], threshold, terminating, ...scope });
    this.addKey(name, delegator);
    if (!this.#roles.has(name)) {
      this.#roles.set(name, this.newTargets());
    }
    return this.role(name);
  }

  /** Delegates everything to `2 ** bitLength` bins of one key, by `succinct_roles` (TAP 15) or by explicit prefixes. Returns their names. */
  addBins(
    delegator: string,
    bitLength: number,
    form: 'succinct_roles' | 'path_hash_prefixes',
    prefix = 'bin',
  ): readonly string[] {
    const digits = Math.ceil(bitLength / 4);
    const names = Array.from(
      { length: 2 ** bitLength },
      (_, bin) => `${prefix}-${bin.toString(16).padStart(digits, '0')}`,
    );
    const key = SimulatorKey.generate(this.#scheme);
    const delegated = { keyids: [key.keyId], threshold: 1 };
    const keys = plainObject([[key.keyId, key.json]]);
    this.role(delegator).delegations =
      form === 'succinct_roles'
        ? { keys, succinct_roles: { ...delegated, bit_length: bitLength, name_prefix: prefix } }
        : {
            keys,
            roles: names.map((name, bin) => ({
              name,
              ...delegated,
              terminating: false,
              path_hash_prefixes: prefixesOfBin(bin, bitLength),
            })),
          };
    for (const name of names) {
      this.#roles.set(name, this.newTargets());
      this.#signers.set(name, [key]);
    }
    return names;
  }

  /** Signs the roles as they are now and serves them, in this order. */
  publish(roles: readonly string[], options: PublishOptions = {}): void {
    for (const role of roles) {
      const signed = this.role(role) as SignedJson;
      if (options.bumpVersion !== false && this.versions(role).length > 0) {
        signed.version += 1;
      }
      if (options.updateMeta !== false) {
        this.#updateMeta(role);
      }
      const bytes = this.sign(role);
      this.#published.set(role, [...this.versions(role), bytes]);
      this.files.set(this.metadataPath(role, signed.version), bytes);
    }
  }

  /** Publishes every targets role that is new or named, then snapshot and timestamp. */
  publishAll(...changed: readonly string[]): void {
    const isDue = (name: string) =>
      changed.includes(name) || name === 'targets' || !this.#published.has(name);
    this.publish([...this.#targetsRoles().filter(isDue), 'snapshot', 'timestamp']);
  }

  /** The envelope of a role as it is now, without publishing it. */
  sign(role: string, keys: readonly SimulatorKey[] = this.signers(role)): Uint8Array {
    const signed = this.role(role);
    const bytes = encodeCanonicalJson(toJsonValue(signed));
    const signatures = keys.map((key) => ({ keyid: key.keyId, sig: key.sign(bytes) }));
    if (this.indentation !== undefined) {
      return Buffer.from(JSON.stringify({ signed, signatures }, undefined, this.indentation));
    }
    return Buffer.from(escapeControls(canonicalJsonText(toJsonValue({ signed, signatures }))));
  }

  /** Where a version of a role is served. */
  metadataPath(role: string, version: number): string {
    const isVersioned = role === 'root' || (role !== 'timestamp' && this.root.consistent_snapshot === true);
    return `metadata/${isVersioned ? `${version}.` : ''}${quote(role)}.json`;
  }

  /** From now on requests whose path is, or matches, `pattern` are answered so. The latest call wins. */
  misbehave(pattern: string | RegExp, behaviour: Misbehaviour): void {
    this.#misbehaviours.unshift({ pattern, behaviour });
  }

  /** Ends all misbehaviour. */
  behave(): void {
    this.#misbehaviours.length = 0;
  }

  async *fetch(url: string, options: FetchOptions): AsyncGenerator<Uint8Array, void, undefined> {
    const path = new URL(url).pathname.slice(1);
    this.requests.push(path);
    this.beforeRequest?.(path);
    const bytes = this.files.get(path);
    const found = this.#misbehaviours.find(({ pattern }) =>
      typeof pattern === 'string' ? pattern === path : pattern.test(path),
    );
    if (found !== undefined) {
      yield* misbehave(found.behaviour, url, bytes, options.signal);
      return;
    }
    if (bytes === undefined) {
      throw unexpectedStatus(url, 404);
    }
    for (let start = 0; start < bytes.length; start += CHUNK) {
      yield bytes.subarray(start, start + CHUNK);
    }
  }

  #signed(type: string): SignedJson {
    return { _type: type, spec_version: '1.0.34', version: 1, expires: this.#expires };
  }

  #targetsRoles(): readonly string[] {
    return [...this.#roles].filter(([, signed]) => signed._type === 'targets').map(([name]) => name);
  }

  #updateMeta(role: string): void {
    if (role === 'timestamp') {
      this.timestamp.meta['snapshot.json'] = this.#metaFile('snapshot');
    } else if (role === 'snapshot') {
      for (const name of this.#targetsRoles().filter((each) => this.#published.has(each))) {
        this.snapshot.meta[`${name}.json`] = this.#metaFile(name);
      }
    }
  }

  #metaFile(role: string): MetaFileJson {
    const bytes = this.versions(role).at(-1) ?? new Uint8Array();
    const { version } = this.role(role);
    return this.listHashes
      ? { version, length: bytes.length, hashes: { sha256: sha256Hex(bytes) } }
      : { version };
  }

  #delegation(delegator: string): {
    readonly keys: RootJson['keys'];
    readonly entries: (role: string) => readonly { readonly keyids: string[] }[];
  } {
    if (delegator === 'root') {
      const { keys, roles } = this.root;
      return {
        keys,
        entries: (role) =>
          Object.entries(roles)
            .filter(([name]) => name === role)
            .map(([, entry]) => entry),
      };
    }
    const delegations = (this.role(delegator).delegations ??= { keys: plainObject(), roles: [] });
    return {
      keys: delegations.keys,
      entries: (role) =>
        delegations.succinct_roles === undefined
          ? (delegations.roles ?? []).filter(({ name }) => name === role)
          : [delegations.succinct_roles],
    };
  }
}

/** `YYYY-MM-DDTHH:MM:SSZ`, as metadata has it. */
export function timeText(time: Date): string {
  return `${time.toISOString().slice(0, 19)}Z`;
}

/** The prefixes of one of `2 ** bitLength` bins, four or more bits each. */
export function prefixesOfBin(bin: number, bitLength: number): string[] {
  const digits = Math.ceil(bitLength / 4);
  const width = 2 ** (4 * digits - bitLength);
  return Array.from({ length: width }, (_, index) =>
    (bin * width + index).toString(16).padStart(digits, '0'),
  );
}

/** Canonical JSON leaves control characters as they are, which JSON does not allow; they stand inside strings only. */
function escapeControls(text: string): string {
  return text.replace(/[^\u0020-\u{10ffff}]/gu, (character) => JSON.stringify(character).slice(1, -1));
}

function sha256Hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Python's `quote(text, "")`, which is what the conformance suite expects of role names. */
function quote(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function quotePath(path: string): string {
  return path.split('/').map(quote).join('/');
}
