import { createHash } from 'node:crypto';
import type { MetaFileJson } from '../../src/testing/index.ts';
import { plainObject } from '../../src/testing/index.ts';
import { binName, binPathHashPrefixes } from '../../src/tuf/index.ts';
import { cloneLoose, loose, looseText, tolerantCanonical } from './loose-json.ts';
import type { Loose } from './loose-json.ts';
import { Random } from './random.ts';
import { SeededKey, keysJson } from './seeded-key.ts';

/** The moment in which all differential cases play. */
export const NOW = '2026-06-01T12:00:00+00:00';
const EXPIRES = '2026-07-01T00:00:00Z';
const EXPIRED = '2026-05-01T00:00:00Z';

/** One call of the trusted metadata set. A document is bytes, or the name of one of the world's own. */
export type Operation =
  | readonly [method: 'create' | 'root' | 'timestamp' | 'targets', document: Uint8Array | string]
  | readonly [method: 'snapshot', document: Uint8Array | string, isTrusted: boolean]
  | readonly [method: 'delegated', document: Uint8Array | string, role: string, delegator: string];

export type Layout = 'paths' | 'path_hash_prefixes' | 'succinct_roles';
export type StateName =
  'nothing' | 'root' | 'root2' | 'timestamp' | 'snapshot' | 'snapshot-baseline' | 'targets' | 'delegated';

/** A signed part with those who sign it, to be changed. */
export interface Template {
  readonly signed: Loose;
  readonly signers: readonly SeededKey[];
}

/** Role names that are special somewhere, listed by every snapshot. */
export const ODD_ROLES = [
  '1',
  '10',
  '2',
  'constructor',
  '__proto__',
  'toString',
  '\u00e9',
  'e\u0301',
  'a/b',
  '..',
  'bin-+f',
  'bin-0X',
  'BIN-0',
];

/** A small repository made from a seed: valid metadata of every role, and the sessions in which a client can be. */
export class TufWorld {
  readonly id: string;
  readonly layout: Layout;
  readonly documents = new Map<string, Uint8Array>();
  readonly templates = new Map<string, Template>();
  /** The delegated role under test. */
  readonly role: string;
  readonly states: ReadonlyMap<StateName, readonly Operation[]>;
  readonly #random: Random;
  readonly #keys: ReadonlyMap<string, readonly SeededKey[]>;
  readonly #thresholds: ReadonlyMap<string, number>;
  /** What snapshot and timestamp list beside versions. */
  readonly #hashes: 'none' | 'roles' | 'all';

  constructor(seed: number) {
    this.id = `world-${seed}`;
    this.#random = new Random(seed);
    this.layout = this.#random.pick(['paths', 'path_hash_prefixes', 'succinct_roles']);
    this.#hashes = this.#random.weighted([
      [6, 'none'],
      [3, 'roles'],
      [1, 'all'],
    ] as const);
    this.role = this.layout === 'paths' ? 'a' : 'bin-0';
    const names = ['root', 'timestamp', 'snapshot', 'targets', 'delegated'];
    this.#keys = new Map(names.map((name) => [name, this.#makeKeys(`${seed} ${name}`)]));
    this.#thresholds = new Map(names.map((name) => [name, 1 + this.#random.below(this.keys(name).length)]));
    this.#addRoots();
    this.#addTargets();
    this.#addSnapshots();
    this.#addTimestamps();
    this.states = states();
  }

  keys(role: string): readonly SeededKey[] {
    return this.#keys.get(role) ?? [];
  }

  document(name: string): Uint8Array {
    const bytes = this.documents.get(name);
    if (bytes === undefined) throw new TypeError(`${this.id} has no document ${name}`);
    return bytes;
  }

  #makeKeys(seed: string): readonly SeededKey[] {
    const count = this.#random.weighted([
      [5, 1],
      [3, 2],
      [1, 3],
    ] as const);
    return Array.from({ length: count }, (_, index) => {
      const scheme = this.#random.chance(0.1) ? 'ecdsa-sha2-nistp256' : 'ed25519';
      return new SeededKey(`${seed} ${index}`, scheme);
    });
  }

  #add(name: string, signed: object, signers: readonly SeededKey[]): void {
    const template = { signed: loose(signed), signers };
    this.templates.set(name, template);
    this.documents.set(name, envelope(template.signed, signers));
  }

  #addRoots(): void {
    const names = ['root', 'timestamp', 'snapshot', 'targets'];
    const rootOf = (version: number, expires = EXPIRES) => ({
      ...common('root', version, expires),
      consistent_snapshot: true,
      keys: keysJson(names.flatMap((name) => this.keys(name))),
      roles: plainObject(names.map((name) => [name, this.#delegation(name)])),
    });
    this.#add('root1', rootOf(1), this.keys('root'));
    this.#add('root2', rootOf(2), this.keys('root'));
    this.#add('root2-expired', rootOf(2, EXPIRED), this.keys('root'));
    this.#add('root3', rootOf(3), this.keys('root'));
  }

  #addTargets(): void {
    const targets = plainObject([
      ['a.txt', fileOf('a')],
      ['dir/é.txt', fileOf('é')],
      ['constructor', fileOf('c')],
      ['10', fileOf('ten')],
    ]);
    const delegating = (version: number, expires = EXPIRES) => ({
      ...common('targets', version, expires),
      targets,
      delegations: this.#delegations(),
    });
    this.#add('targets', delegating(2), this.keys('targets'));
    this.#add('targets-old', delegating(1), this.keys('targets'));
    this.#add('targets-new', delegating(3), this.keys('targets'));
    this.#add('targets-expired', delegating(2, EXPIRED), this.keys('targets'));
    const leaf = (version: number, expires = EXPIRES) => ({
      ...common('targets', version, expires),
      targets,
    });
    this.#add('delegated', leaf(2), this.keys('delegated'));
    this.#add('delegated-old', leaf(1), this.keys('delegated'));
    this.#add('delegated-expired', leaf(2, EXPIRED), this.keys('delegated'));
  }

  #delegations(): object {
    const keys = keysJson(this.keys('delegated'));
    const role = this.#delegation('delegated');
    if (this.layout === 'succinct_roles') {
      return {
        keys,
        succinct_roles: { ...role, bit_length: this.#random.pick([1, 2, 4]), name_prefix: 'bin' },
      };
    }
    if (this.layout === 'path_hash_prefixes') {
      const roles = Array.from({ length: 4 }, (_, index) => ({
        name: binName('bin', index, 4),
        ...role,
        terminating: false,
        path_hash_prefixes: [...binPathHashPrefixes(index, 4)],
      }));
      return { keys, roles };
    }
    const paths = { a: ['*', 'dir/*'], b: ['*.txt'], c: ['dir/[!x]?txt'], constructor: ['10'] };
    const roles = Object.entries(paths).map(([name, patterns]) => ({
      name,
      ...role,
      terminating: this.#random.chance(0.2),
      paths: patterns,
    }));
    return { keys, roles };
  }

  #delegation(name: string): { keyids: string[]; threshold: number } {
    return { keyids: this.keys(name).map(({ keyId }) => keyId), threshold: this.#thresholds.get(name) ?? 1 };
  }

  #addSnapshots(): void {
    const meta = (targets: number, delegated: number) => {
      const entries = new Map<string, MetaFileJson>([['targets.json', this.#entry('targets', targets)]]);
      for (const name of ['b', 'c', 'bin-1', 'bin-2', 'bin-3', 'bin-f', ...ODD_ROLES]) {
        entries.set(`${name}.json`, this.#entry('delegated', delegated));
      }
      entries.set(`${this.role}.json`, this.#entry('delegated', delegated));
      return plainObject(entries);
    };
    const snapshotOf = (version: number, entries: object, expires = EXPIRES) => ({
      ...common('snapshot', version, expires),
      meta: entries,
    });
    const signers = this.keys('snapshot');
    this.#add('snapshot-old', snapshotOf(3, meta(1, 1)), signers);
    this.#add('snapshot', snapshotOf(4, meta(2, 2)), signers);
    this.#add('snapshot-expired', snapshotOf(4, meta(2, 2), EXPIRED), signers);
    this.#add('snapshot-rolled-back', snapshotOf(4, meta(2, 1)), signers);
    this.#add(
      'snapshot-without-role',
      snapshotOf(4, plainObject([['targets.json', { version: 2 }]])),
      signers,
    );
    this.#add('snapshot-new', snapshotOf(5, meta(3, 2)), signers);
  }

  #addTimestamps(): void {
    const timestampOf = (version: number, snapshot: number, expires = EXPIRES) => ({
      ...common('timestamp', version, expires),
      meta: {
        'snapshot.json':
          snapshot === 4 && this.#hashes === 'all'
            ? metaFor(this.document('snapshot'), 4)
            : { version: snapshot },
      },
    });
    const signers = this.keys('timestamp');
    this.#add('timestamp-old', timestampOf(5, 3), signers);
    this.#add('timestamp', timestampOf(6, 4), signers);
    this.#add('timestamp-expired', timestampOf(6, 4, EXPIRED), signers);
    this.#add('timestamp-rolled-back', timestampOf(7, 2), signers);
    this.#add('timestamp-new', timestampOf(8, 5), signers);
  }

  #entry(name: 'targets' | 'delegated', version: number): MetaFileJson {
    return this.#hashes === 'none' || version !== 2 ? { version } : metaFor(this.document(name), version);
  }
}

/** Bytes of an envelope over the canonical form, signed by all of them. */
export function envelope(signed: Loose, signers: readonly SeededKey[]): Uint8Array {
  const bytes = Buffer.from(tolerantCanonical(signed));
  const signatures = signers.map((key) => ({ keyid: key.keyId, sig: key.sign(bytes) }));
  return Buffer.from(
    `{"signatures":${JSON.stringify(signatures)},"signed":${looseText(cloneLoose(signed))}}`,
  );
}

function states(): ReadonlyMap<StateName, readonly Operation[]> {
  const root: Operation[] = [['create', 'root1']];
  const root2: Operation[] = [...root, ['root', 'root2']];
  const snapshot: Operation[] = [...root2, ['timestamp', 'timestamp']];
  const targets: Operation[] = [...snapshot, ['snapshot', 'snapshot', false]];
  return new Map<StateName, readonly Operation[]>([
    ['nothing', []],
    ['root', root],
    ['root2', root2],
    ['timestamp', [...root2, ['timestamp', 'timestamp-old']]],
    ['snapshot', snapshot],
    ['snapshot-baseline', [...snapshot, ['snapshot', 'snapshot-old', true]]],
    ['targets', targets],
    ['delegated', [...targets, ['targets', 'targets']]],
  ]);
}

function common(type: string, version: number, expires: string): object {
  return { _type: type, spec_version: '1.0.34', version, expires };
}

function fileOf(content: string): object {
  return { length: content.length, hashes: { sha256: createHash('sha256').update(content).digest('hex') } };
}

function metaFor(bytes: Uint8Array, version: number): MetaFileJson {
  return {
    version,
    length: bytes.length,
    hashes: { sha256: createHash('sha256').update(bytes).digest('hex') },
  };
}
