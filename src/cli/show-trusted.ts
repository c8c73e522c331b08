import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Metadata } from '../tuf/metadata.ts';
import { readSelfSignedRoot, type SelfSignedRoot } from '../proxy/trusted-root.ts';
import type { TrustedIndex } from '../proxy/trust-store.ts';
import { chooseIndex, openTrustStore } from './open-index.ts';
import { print, say } from './terminal.ts';

/** How trust began, in words. */
export const ORIGINS = {
  'root-file': 'a root file',
  fingerprint: 'its fingerprint',
  'first-use': 'first use; nobody vouched for it',
} as const;

/** `rind trust list`: URL, root fingerprint, origin and mirrors of each. */
export async function listTrusted(asJson: boolean): Promise<void> {
  const indexes = await openTrustStore().list();
  if (asJson) return print(JSON.stringify(indexes.map(recordOf), undefined, 2));
  if (indexes.length === 0) return say('no index is trusted yet\nhint: rind trust add URL --fingerprint HEX');
  const width = Math.max(...indexes.map(({ url }) => url.length));
  for (const index of indexes) {
    print(
      `${index.url.padEnd(width)}  root ${index.rootVersion}  ${index.fingerprint}  by ${ORIGINS[index.origin]}`,
    );
    for (const mirror of index.mirrors) print(`  mirror ${mirror}`);
  }
}

/** `rind trust show`: the root trust began with, the newest root known here, its roles, and what was seen last. */
export async function showTrusted(url: string | undefined, asJson: boolean): Promise<void> {
  const index = await chooseIndex(openTrustStore(), url);
  const newest = await newestRoot(index);
  const timestamp = await lastTimestamp(index);
  if (asJson) {
    const roles = Object.fromEntries(rolesOf(newest));
    const root = {
      version: newest.root.version,
      fingerprint: newest.fingerprint,
      expires: newest.root.expires,
      roles,
    };
    return print(JSON.stringify({ ...recordOf(index), newestRoot: root, timestamp }, undefined, 2));
  }
  print(`index           ${index.url}`);
  for (const mirror of index.mirrors) print(`mirror          ${mirror}`);
  print(`trusted         since ${day(index.addedAt)}, by ${ORIGINS[index.origin]}`);
  print(`began with      root ${index.rootVersion}, ${index.fingerprint}`);
  print(
    `newest root     root ${newest.root.version}, ${newest.fingerprint}, expires ${day(newest.root.expires)}`,
  );
  for (const [name, { threshold, keys }] of rolesOf(newest)) {
    print(
      `  ${name.padEnd(13)} ${threshold} of ${keys.length} ${keys.length === 1 ? 'key' : 'keys'}: ${keys.join(', ')}`,
    );
  }
  if (timestamp === undefined) print('last seen       never');
  else print(`last seen       timestamp ${timestamp.version}, expires ${timestamp.expires}`);
  print(`kept in         ${index.metadataFolder}`);
}

/** A trusted index as JSON tells it. */
export function recordOf(index: TrustedIndex): object {
  const { url, mirrors, origin, rootVersion, fingerprint, addedAt } = index;
  return { url, mirrors, origin, rootVersion, fingerprint, addedAt };
}

/** The newest root that is known here. */
export async function newestRoot(index: TrustedIndex): Promise<SelfSignedRoot> {
  const newest = await readFile(join(index.metadataFolder, 'root.json')).catch(() => undefined);
  return readSelfSignedRoot(newest ?? (await readFile(index.rootPath)));
}

/** The newest timestamp that is known here. */
export async function lastTimestamp(
  index: TrustedIndex,
): Promise<{ version: number; expires: string } | undefined> {
  const bytes = await readFile(join(index.metadataFolder, 'timestamp.json')).catch(() => undefined);
  if (bytes === undefined) return undefined;
  const { version, expires } = Metadata.fromBytes(bytes, 'timestamp').signed;
  return { version, expires: expires.toISOString() };
}

/** The roles of a root with the beginnings of their key ids. */
export function rolesOf({ root }: SelfSignedRoot): [name: string, { threshold: number; keys: string[] }][] {
  return [...root.roles].map(([name, role]) => [
    name,
    {
      threshold: role.threshold,
      keys: role.keyIds.map((keyId) => `${root.keys.get(keyId)?.scheme} ${keyId.slice(0, 12)}`),
    },
  ]);
}

function day(moment: Date): string {
  return moment.toISOString().slice(0, 10);
}
