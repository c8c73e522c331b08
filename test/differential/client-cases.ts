import { createHash } from 'node:crypto';
import type { DelegatedRoleJson } from '../../src/testing/index.ts';
import { plainObject } from '../../src/testing/index.ts';
import { loose } from './loose-json.ts';
import type { Random } from './random.ts';
import { SeededKey, keysJson } from './seeded-key.ts';
import { envelope } from './tuf-world.ts';

/** A whole repository and what a client that knows its root looks for: one session for each target. */
export interface ClientCase {
  readonly kind: 'client';
  readonly root: Uint8Array;
  /** By the path below the metadata URL. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly targets: readonly string[];
}

const EXPIRES = '2026-07-01T00:00:00Z';
const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'x.y', '1', '10', 'é', 'a/b', 'A', 'constructor'];
const PATHS = ['p/one', 'p/two', 'q/one', 'three', 'p/é', 'constructor', '10'];
const PATTERNS = ['*', 'p/*', 'q/*', 'p/one', 'p/?ne', 't*', 'p/[a-z]*', '[!a]*', 'x', 'constructor'];
const KEYS = Array.from({ length: 4 }, (_, index) => new SeededKey(`client ${index}`));

/** A graph of delegations nobody planned: diamonds, cycles, wrong keys, roles that are absent, old or expired. */
export function clientCase(random: Random): ClientCase {
  const files = new Map<string, Uint8Array>();
  const top = KEYS[0] as SeededKey;
  const isConsistent = random.chance(0.8);
  const names = random.shuffled(NAMES).slice(0, 2 + random.below(6));
  const meta = new Map<string, object>();
  for (const name of ['targets', ...names]) addRole(name, names, { files, meta, random, isConsistent });
  const put = (name: string, version: number, signed: object) => {
    const isVersioned = isConsistent && name !== 'timestamp';
    files.set(`${isVersioned ? `${version}.` : ''}${name}.json`, envelope(loose(signed), [top]));
  };
  put('snapshot', 3, { ...common('snapshot', 3), meta: plainObject(meta) });
  put('timestamp', 4, { ...common('timestamp', 4), meta: { 'snapshot.json': { version: 3 } } });
  const role = { keyids: [top.keyId], threshold: 1 };
  const rootOf = (version: number) => ({
    ...common('root', version),
    consistent_snapshot: isConsistent,
    keys: keysJson([top]),
    roles: { root: role, timestamp: role, snapshot: role, targets: role },
  });
  if (random.chance(0.3)) files.set('2.root.json', envelope(loose(rootOf(2)), [top]));
  const targets = random.shuffled(PATHS).slice(0, 2);
  return { kind: 'client', root: envelope(loose(rootOf(1)), [top]), files, targets };
}

interface Writing {
  readonly files: Map<string, Uint8Array>;
  readonly meta: Map<string, object>;
  readonly random: Random;
  readonly isConsistent: boolean;
}

function addRole(
  name: string,
  names: readonly string[],
  { files, meta, random, isConsistent }: Writing,
): void {
  const version = 1 + random.below(3);
  const listed = random.shuffled(PATHS).slice(0, random.below(3));
  // The length says which role a target was found in.
  const fileOf = (path: string) => ({ length: 1000 + NAMES.indexOf(name), hashes: { sha256: sha256(path) } });
  const signed = {
    ...common('targets', random.chance(0.95) ? version : version + 1),
    ...(random.chance(0.96) ? {} : { expires: '2026-05-01T00:00:00Z' }),
    targets: plainObject(
      name === 'targets' && random.chance(0.7) ? [] : listed.map((path) => [path, fileOf(path)]),
    ),
    ...(name === 'targets' || random.chance(0.5) ? { delegations: delegationsTo(names, random) } : {}),
  };
  const signers = name === 'targets' ? [KEYS[0] as SeededKey] : [KEYS[1] as SeededKey];
  if (random.chance(0.95)) meta.set(`${name}.json`, { version });
  if (random.chance(0.95)) {
    const fileName = `${isConsistent ? `${version}.` : ''}${encodeURIComponent(name)}.json`;
    files.set(fileName, envelope(loose(signed), signers));
  }
}

function delegationsTo(names: readonly string[], random: Random): object {
  const good = KEYS[1] as SeededKey;
  const wrong = KEYS[2] as SeededKey;
  const chosen = random.shuffled(names).slice(0, 1 + random.below(4));
  const roles = chosen.map((name): DelegatedRoleJson => {
    const key = random.chance(0.93) ? good : wrong;
    const scope = random.chance(0.8)
      ? { paths: random.shuffled(PATTERNS).slice(0, 1 + random.below(3)) }
      : {
          path_hash_prefixes: Array.from({ length: 1 + random.below(8) }, () =>
            random.below(16).toString(16),
          ),
        };
    return { name, keyids: [key.keyId], threshold: 1, terminating: random.chance(0.15), ...scope };
  });
  return { keys: keysJson([good, wrong]), roles };
}

function common(type: string, version: number): object {
  return { _type: type, spec_version: '1.0.34', version, expires: EXPIRES };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
