import { createHash } from 'node:crypto';
import type { ObjectStore } from '../storage/object-store.ts';
import { findRoleVersion } from '../db/roles.ts';
import type { Executor } from '../db/schema.ts';
import type { FindingCode, Findings } from './finding.ts';
import type { ServedTree } from './served-tree.ts';

/** Length and sha256 of a stored object. */
export interface ObjectDigest {
  readonly length: number;
  readonly sha256: string;
}

/** Reads an object as a stream, however long; undefined when it is absent. */
export async function digestObject(store: ObjectStore, key: string): Promise<ObjectDigest | undefined> {
  const object = await store.open(key);
  if (object === undefined) return undefined;
  try {
    const hash = createHash('sha256');
    let length = 0;
    for await (const chunk of object.stream() as AsyncIterable<Uint8Array>) {
      hash.update(chunk);
      length += chunk.length;
    }
    return { length, sha256: hash.digest('hex') };
  } finally {
    await object.close();
  }
}

/** That an object is there with exactly these bytes; `codes` for absent and for other bytes. */
export async function checkObject(
  store: ObjectStore,
  key: string,
  expected: { readonly length?: number; readonly sha256: string },
  codes: readonly [missing: FindingCode, changed: FindingCode],
  findings: Findings,
): Promise<void> {
  const found = await digestObject(store, key);
  if (found === undefined) {
    findings.add(codes[0], `${key} is not in the store.`, { path: key });
  } else if (found.sha256 !== expected.sha256 || (expected.length ?? found.length) !== found.length) {
    findings.add(
      codes[1],
      `${key} has ${found.length} bytes with the sha256 ${found.sha256}, but ${expected.sha256} is signed.`,
      { path: key },
    );
  }
}

const NUMBERED = /^([1-9][0-9]{0,15})\.(.+)\.json$/;

/** I2: every numbered metadata object in the store has the bytes that were reserved for its role and version. */
export async function checkReservations(
  db: Executor,
  store: ObjectStore,
  tree: ServedTree,
  indexId: number,
  findings: Findings,
): Promise<void> {
  const folder = tree.plain('metadata/');
  for await (const { key } of store.list(folder)) {
    const [, number, role] = NUMBERED.exec(key.slice(folder.length)) ?? [];
    if (number === undefined || role === undefined) continue;
    const version = Number(number);
    const reserved = await findRoleVersion(db, indexId, roleOfFileName(role), version);
    const place = { role, version, path: key };
    if (reserved === undefined) {
      findings.add(
        'VERSION_NOT_RESERVED',
        `${key} is in the store, but this database never reserved it.`,
        place,
      );
      continue;
    }
    const found = await digestObject(store, key);
    if (found !== undefined && found.sha256 !== reserved.sha256) {
      findings.add('EQUIVOCATION', `${key} has other bytes than those that were reserved for it.`, place);
    }
  }
}

/** The role of a metadata file's name; a name that no role has stays as it is. */
function roleOfFileName(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
