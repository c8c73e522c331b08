import { createHash } from 'node:crypto';
import { makeBins, makeRoot, makeTargets } from '../../src/ceremony/offline-roles.ts';
import { claimListRole, claimLists } from '../../src/claims/claim-lists.ts';
import { projectRoleName } from '../../src/claims/names.ts';
import { newProjectRole } from '../../src/claims/project-role.ts';
import { pageTargets } from '../../src/claims/page-targets.ts';
import { targetPathPrefix } from '../../src/db/targets.ts';
import { hashedPath } from '../../src/pypi/layout.ts';
import { BinLayout } from '../../src/repository/bins.ts';
import { MetaFile, TargetFile } from '../../src/tuf/file.ts';
import { signMetadata } from '../../src/tuf/metadata.ts';
import type { Signed } from '../../src/tuf/signed.ts';
import { Snapshot } from '../../src/tuf/snapshot.ts';
import { ROLE_NAME_FIELD, Targets } from '../../src/tuf/targets.ts';
import { Timestamp } from '../../src/tuf/timestamp.ts';
import { ownersFor, targetOf } from '../support/claimed-fixture.ts';
import { newSigner, sha256 } from '../support/index-fixture.ts';

const FILES = 100;
const EXPIRES = new Date('2036-01-01T00:00:00Z');
const common = { version: 1, expires: EXPIRES };

/** A target of a project that nobody has claimed. */
export const UNCLAIMED = 'simple/zzz-not-claimed/index.json';

/** The tree of an index with many claimed projects, made up with the functions that the index uses. */
export interface ClaimedWorld {
  /** By path from the root of the server. */
  readonly world: ReadonlyMap<string, Uint8Array>;
  readonly bootstrapRoot: Uint8Array;
  /** Projects whose roles and pages are there; the others are only listed. */
  readonly installed: readonly string[];
  /** Bytes of claimed and each of its parts. */
  readonly sizes: readonly number[];
  readonly snapshot: Uint8Array;
  /** The snapshot of the same index without claimed projects. */
  readonly withoutProjects: Uint8Array;
}

export interface ClaimedWorldOptions {
  /** How many projects can be installed. */
  readonly installed: number;
  readonly bins?: number;
}

function nameOf(number: number): string {
  const digest = createHash('sha256').update(`project ${number}`).digest();
  const letters = [...digest.subarray(0, 6)].map((byte) => String.fromCharCode(97 + (byte % 26))).join('');
  return `${letters}-${number}`;
}

export async function claimedWorld(
  count: number,
  { installed: most, bins = 256 }: ClaimedWorldOptions,
): Promise<ClaimedWorld> {
  const world = new Map<string, Uint8Array>();
  const signer = newSigner();
  const party = { keys: [signer.key], threshold: 1 };
  const meta = new Map<string, MetaFile>();
  const write = async (role: string, signed: Signed, listed = true): Promise<Uint8Array> => {
    const bytes = (await signMetadata(signed, [signer])).toBytes();
    world.set(`/metadata/${role === 'timestamp' ? '' : `${signed.version}.`}${role}.json`, bytes);
    const hashes = new Map([['sha256', sha256(bytes)]]);
    if (listed) meta.set(`${role}.json`, new MetaFile({ version: 1, length: bytes.length, hashes }));
    return bytes;
  };
  const parties = { root: party, targets: party, claimed: party, bins: party, online: [signer.key] };
  const bootstrapRoot = await write('root', makeRoot(parties, common), false);
  await write('targets', makeTargets(parties, common));
  await write('bins', makeBins([signer.key], { count: bins, layout: 'path_hash_prefixes' }, common));
  const noProjects = claimLists('recently-claimed', [], party).get('recently-claimed');
  if (noProjects !== undefined)
    await write('recently-claimed', claimListRole('recently-claimed', noProjects, common));
  await writeBins(bins, write, world, meta);
  const withoutProjects = await signMetadata(new Snapshot({ ...common, meta: new Map(meta) }), [signer]);
  const names = Array.from({ length: count }, (_, number) => nameOf(number));
  const installed = names.slice(0, most);
  const projects = names.map((project) => ({
    project,
    owners: ownersFor(installed.includes(project) ? [signer] : [newSigner()]),
  }));
  const sizes: number[] = [];
  for (const [role, delegations] of claimLists('claimed', projects, party))
    sizes.push((await write(role, claimListRole(role, delegations, common))).length);
  for (const project of installed) {
    const { targets, pages } = pageTargets({ name: project, files: filesOf(project) });
    for (const [path, bytes] of pages) world.set(`/${hashedPath(path, sha256(bytes))}`, bytes);
    await write(
      projectRoleName(project),
      newProjectRole({ ...common, project, owners: ownersFor([signer]), targets }),
    );
  }
  // The others are as long as these: nobody fetches them, the snapshot lists them.
  for (const project of names.slice(most)) {
    const hashes = new Map([['sha256', sha256(project)]]);
    meta.set(`${projectRoleName(project)}.json`, new MetaFile({ version: 7, length: 20_123, hashes }));
  }
  const snapshot = await write('snapshot', new Snapshot({ ...common, meta }), false);
  const snapshotMeta = new MetaFile({ version: 1, length: snapshot.length, hashes: new Map([['sha256', sha256(snapshot)]]) }); // prettier-ignore
  await write('timestamp', new Timestamp({ ...common, snapshotMeta }), false);
  return { world, bootstrapRoot, installed, sizes, snapshot, withoutProjects: withoutProjects.toBytes() };
}

/** The bin of the project that nobody claimed; the snapshot lists all of them. */
async function writeBins(
  count: number,
  write: (role: string, signed: Signed) => Promise<Uint8Array>,
  world: Map<string, Uint8Array>,
  meta: Map<string, MetaFile>,
): Promise<void> {
  const layout = new BinLayout(count);
  const own = layout.nameOf(targetPathPrefix(UNCLAIMED));
  for (const name of layout.names) if (name !== own) meta.set(`${name}.json`, new MetaFile({ version: 7 }));
  const content = 'a page that the index signs';
  const { length, sha256: hash } = targetOf(content);
  world.set(`/${hashedPath(UNCLAIMED, hash)}`, Buffer.from(content));
  const targets = new Map([[UNCLAIMED, TargetFile.withSha256(UNCLAIMED, length, hash)]]);
  await write(
    own,
    new Targets({ ...common, targets, unrecognizedFields: new Map([[ROLE_NAME_FIELD, own]]) }),
  );
}

function filesOf(project: string) {
  return Array.from({ length: FILES }, (_, number) => {
    const filename = `${project.replaceAll('-', '_')}-1.${number}-py3-none-any.whl`;
    return { filename, version: `1.${number}`, sha256: sha256(filename), size: 100_000 + number, uploadTime: '2026-11-22T12:00:00.000000Z' }; // prettier-ignore
  });
}
