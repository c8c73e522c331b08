import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { makeBins, makeRoot, makeTargets } from '../../src/ceremony/offline-roles.ts';
import { claimListRole, claimLists } from '../../src/claims/claim-lists.ts';
import { projectRoleName } from '../../src/claims/names.ts';
import { newProjectRole } from '../../src/claims/project-role.ts';
import { pageTargets } from '../../src/claims/page-targets.ts';
import { MetaFile } from '../../src/tuf/file.ts';
import { signMetadata } from '../../src/tuf/metadata.ts';
import type { Signed } from '../../src/tuf/signed.ts';
import { Snapshot } from '../../src/tuf/snapshot.ts';
import { Timestamp } from '../../src/tuf/timestamp.ts';
import { DownloadHttpError, Updater, type Fetcher } from '../../src/updater/index.ts';
import { ownersFor } from '../support/claimed-fixture.ts';
import { newSigner, sha256 } from '../support/index-fixture.ts';
import { isQuick, type Table } from './report.ts';

const COUNTS = isQuick ? [10, 100] : [100, 10_000, 100_000];
/** Further packages of the install. */
const FURTHER = 20;
const FILES = 100;
const EXPIRES = new Date('2036-01-01T00:00:00Z');
const common = { version: 1, expires: EXPIRES };

/** Metadata that claimed projects add to an install, in an index that has so many of them. */
export async function benchClaimedInstalls(folder: string): Promise<Table> {
  const rows: string[][] = [];
  for (const count of COUNTS) rows.push(await row(join(folder, String(count)), count));
  return {
    title: 'Metadata of claimed projects, for who installs',
    method: `Bytes (gzip) that a client fetches for claimed projects of ${FILES} files, at first contact: what the snapshot lists of them, \`claimed\`, its part and the project's own role. Each project has a key of its own; names begin at random. Made up with the functions that the index uses.`,
    columns: ['claimed projects', 'parts of the list', 'largest part', 'first package', 'of it the snapshot', 'snapshot, unpacked', 'each further package', 'time'], // prettier-ignore
    rows,
    missing: [],
  };
}

function nameOf(number: number): string {
  const digest = createHash('sha256').update(`project ${number}`).digest();
  const letters = [...digest.subarray(0, 6)].map((byte) => String.fromCharCode(97 + (byte % 26))).join('');
  return `${letters}-${number}`;
}

async function row(folder: string, count: number): Promise<string[]> {
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
  await write('bins', makeBins([signer.key], { count: 256, layout: 'path_hash_prefixes' }, common));
  const alone = gzipSync((await signMetadata(new Snapshot({ ...common, meta: new Map(meta) }), [signer])).toBytes()).length; // prettier-ignore
  const names = Array.from({ length: count }, (_, number) => nameOf(number));
  const installed = names.slice(0, FURTHER + 1);
  const projects = names.map((project) => ({
    project,
    owners: ownersFor(installed.includes(project) ? [signer] : [newSigner()]),
  }));
  const sizes: number[] = [];
  for (const [role, delegations] of claimLists('claimed', projects, party))
    sizes.push((await write(role, claimListRole(role, delegations, common))).length);
  for (const project of installed) await write(projectRoleName(project), projectRole(project, ownersFor([signer]))); // prettier-ignore
  // The others are as long as these: nobody fetches them, the snapshot lists them.
  for (const project of names.slice(FURTHER + 1)) {
    const hashes = new Map([['sha256', sha256(project)]]);
    meta.set(`${projectRoleName(project)}.json`, new MetaFile({ version: 7, length: 20_123, hashes }));
  }
  const snapshot = await write('snapshot', new Snapshot({ ...common, meta }), false);
  const snapshotMeta = new MetaFile({ version: 1, length: snapshot.length, hashes: new Map([['sha256', sha256(snapshot)]]) }); // prettier-ignore
  await write('timestamp', new Timestamp({ ...common, snapshotMeta }), false);
  const added = gzipSync(snapshot).length - alone;
  const { first, further, time } = await install(folder, world, bootstrapRoot, installed);
  const kilobytes = (bytes: number) => `${(bytes / 1000).toFixed(1)} KB`;
  return [
    count.toLocaleString('en'),
    String(sizes.length - 1),
    kilobytes(Math.max(...sizes)),
    kilobytes(first + added),
    kilobytes(added),
    kilobytes(snapshot.length),
    kilobytes(further),
    `${time.toFixed(0)} ms`,
  ];
}

function projectRole(project: string, owners: ReturnType<typeof ownersFor>) {
  const files = Array.from({ length: FILES }, (_, number) => {
    const filename = `${project.replaceAll('-', '_')}-1.${number}-py3-none-any.whl`;
    const hash = sha256(filename);
    return { filename, version: `1.${number}`, sha256: hash, size: 100_000 + number, uploadTime: '2026-11-22T12:00:00.000000Z' }; // prettier-ignore
  });
  const { targets } = pageTargets({ name: project, files });
  return newProjectRole({ ...common, project, owners, targets });
}

/** Bytes beside root, timestamp, snapshot and targets, which clients fetch anyway. */
async function install(
  folder: string,
  world: ReadonlyMap<string, Uint8Array>,
  bootstrapRoot: Uint8Array,
  projects: readonly string[],
): Promise<{ first: number; further: number; time: number }> {
  await mkdir(folder, { recursive: true });
  let sent = 0;
  const fetcher: Fetcher = {
    async *fetch(url) {
      const bytes = world.get(new URL(url).pathname);
      if (bytes === undefined) throw new DownloadHttpError('Not Found', 404, { url });
      sent += gzipSync(bytes).length;
      yield bytes;
    },
  };
  const base = 'http://rind.test/';
  const updater = new Updater({ metadataDir: join(folder, 'metadata'), metadataBaseUrl: `${base}metadata/`, targetBaseUrl: base, bootstrapRoot, fetcher }); // prettier-ignore
  const started = performance.now();
  await updater.refresh();
  sent = 0;
  let first = 0;
  for (const [position, project] of projects.entries()) {
    const found = await updater.getSignedTarget(`simple/${project}/index.json`);
    if (found?.role !== projectRoleName(project)) throw new Error(`${project} is not found where it is`);
    if (position === 0) first = sent;
  }
  const time = performance.now() - started;
  return { first, further: (sent - first) / (projects.length - 1), time };
}
