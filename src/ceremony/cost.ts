import { gzipSync } from 'node:zlib';
import { MetaFile, TargetFile } from '../tuf/file.ts';
import { Key } from '../tuf/key.ts';
import { binName } from '../tuf/layout.ts';
import { Metadata } from '../tuf/metadata.ts';
import { sha256 } from '../tuf/sha256.ts';
import { encodeHex } from '../tuf/hex.ts';
import { Signature } from '../tuf/signature.ts';
import type { Signed } from '../tuf/signed.ts';
import { Snapshot } from '../tuf/snapshot.ts';
import { ROLE_NAME_FIELD, Targets } from '../tuf/targets.ts';
import { Timestamp } from '../tuf/timestamp.ts';
import { makeBins, makeClaimed, makeRoot, makeTargets, type Parties, type Party } from './offline-roles.ts';
import type { CeremonyPlan, PlanRole } from './plan.ts';

/** Bytes of one file as it is, and with HTTP content coding (gzip). */
export interface Size {
  readonly plain: number;
  readonly gzip: number;
}

/** What metadata weighs and what changing it takes, measured on metadata of that many bins and targets, not estimated. */
export interface PlanCost {
  readonly roles: ReadonlyMap<string, Size>;
  /** Whoever has no metadata yet and installs one project: everything on the way, and two bins (page and file). */
  readonly newUser: Size;
  /** Somebody with everything, after one further snapshot: timestamp, snapshot, two bins. */
  readonly returningUser: Size;
  /** Somebody with everything and nothing new: timestamp. */
  readonly unchanged: Size;
  readonly targetsPerBin: number;
  /** Sentences: what each later change takes. */
  readonly changes: readonly string[];
}

const BINS_OF_AN_INSTALL = 2;
const SAMPLE_EXPIRY = new Date('2030-01-01T00:00:00Z');
const SAMPLE_VERSION = 1000;

/** Encodes what the plan would make, with keys of the plan's number, and measures it. */
export function measurePlan(plan: CeremonyPlan): PlanCost {
  const parties = sampleParties(plan);
  const common = { version: SAMPLE_VERSION, expires: SAMPLE_EXPIRY };
  const targetsPerBin = Math.ceil(plan.expectedTargets / plan.bins);
  const bins = makeBins(parties.online, { count: plan.bins, layout: plan.layout }, common);
  const measured: readonly (readonly [string, Size])[] = [
    ['root', sizeOf(makeRoot(parties, common), plan.roles.root.threshold)],
    ['timestamp', sizeOf(sampleTimestamp(common), 1)],
    ['snapshot', sizeOf(sampleSnapshot(plan.bins, common), 1)],
    ['targets', sizeOf(makeTargets(parties, common), plan.roles.targets.threshold)],
    ['claimed', sizeOf(makeClaimed(common), plan.roles.claimed.threshold)],
    ['recently-claimed', sizeOf(new Targets({ ...common, targets: new Map() }), 1)],
    ['bins', sizeOf(bins, plan.roles.bins.threshold)],
    ['bin-n', sizeOf(sampleBin(targetsPerBin, common), 1)],
  ];
  const roles = new Map(measured);
  const one = measured.filter(([role]) => role !== 'bin-n').map(([, size]) => size);
  const installed = times(roles.get('bin-n'), BINS_OF_AN_INSTALL);
  const timestamp = roles.get('timestamp') ?? NOTHING;
  return {
    roles,
    newUser: sum([...one, installed]),
    returningUser: sum([timestamp, roles.get('snapshot') ?? NOTHING, installed]),
    unchanged: timestamp,
    targetsPerBin,
    changes: changesOf(plan),
  };
}

const NOTHING: Size = { plain: 0, gzip: 0 };

/** What every later change costs in signatures. */
function changesOf({ roles, bins }: CeremonyPlan): readonly string[] {
  const root = people(roles.root);
  const kept = (role: PlanRole) => role.oneTimeKeys === 0;
  const oneTime = (['targets', 'claimed', 'bins'] as const).filter((name) => !kept(roles[name]));
  const rekeyed =
    oneTime.length === 0 ? '' : ` (${oneTime.join(', ')}: new one-time keys, made and discarded)`;
  const binsChange = kept(roles.bins)
    ? `one signing event of bins: ${people(roles.bins)}; no root signature`
    : `a renewal: ${root}${rekeyed}`;
  return [
    `yearly renewal of root, targets, claimed and bins: ${root}${rekeyed}${keptParts(roles)}`,
    `another root key, holder or threshold: ${root}, and as many of the new ones as the new threshold`,
    `another online key, planned: two renewals, each ${root}; at once after a theft: one`,
    `another number of bins or another layout: ${binsChange}; the server signs the new bins itself`,
    `new or changed files, pages, yanks, removals, expiry of timestamp, snapshot and ${bins} bins: the online key alone`,
  ];
}

function keptParts(roles: CeremonyPlan['roles']): string {
  const kept = (['targets', 'claimed', 'bins'] as const).filter((name) => roles[name].oneTimeKeys === 0);
  return kept.map((name) => `, ${name} by ${people(roles[name])}`).join('');
}

function people({ threshold, keys }: PlanRole): string {
  return `${threshold} of ${keys.length} key holders`;
}

function sampleParties({ roles, online }: CeremonyPlan): Parties {
  let made = 0;
  const keys = (count: number) =>
    Array.from({ length: Math.max(1, count) }, () =>
      Key.fromPublicKey('ed25519', 'ed25519', encodeHex(sha256(new TextEncoder().encode(`key ${made++}`)))),
    );
  const party = ({ keys: { length }, oneTimeKeys, threshold }: PlanRole): Party => ({
    keys: keys(length + oneTimeKeys),
    threshold: Math.max(1, threshold),
  });
  return {
    root: party(roles.root),
    targets: party(roles.targets),
    claimed: party(roles.claimed),
    bins: party(roles.bins),
    online: keys(online.length),
  };
}

function sampleTimestamp(common: { readonly version: number; readonly expires: Date }): Timestamp {
  const hashes = new Map([['sha256', 'a0'.repeat(32)]]);
  return new Timestamp({
    ...common,
    snapshotMeta: new MetaFile({ version: SAMPLE_VERSION, length: 100_000, hashes }),
  });
}

function sampleSnapshot(
  bins: number,
  common: { readonly version: number; readonly expires: Date },
): Snapshot {
  const meta = new Map<string, MetaFile>();
  for (const role of ['targets', 'claimed', 'bins']) {
    const hashes = new Map([['sha256', sampleHash(role)]]);
    meta.set(`${role}.json`, new MetaFile({ version: 12, length: 1234, hashes }));
  }
  meta.set('recently-claimed.json', new MetaFile({ version: SAMPLE_VERSION }));
  for (let index = 0; index < bins; index++)
    meta.set(`${binName('bin', index, bins)}.json`, new MetaFile({ version: SAMPLE_VERSION + (index % 97) }));
  return new Snapshot({ ...common, meta });
}

function sampleBin(targets: number, common: { readonly version: number; readonly expires: Date }): Targets {
  const files = new Map<string, TargetFile>();
  for (let index = 0; index < targets; index++) {
    const hash = sampleHash(`target ${index}`);
    // Names of average length: half the targets are pages, half are files.
    const project = `project-${hash.slice(0, 6)}`;
    const path =
      index % 2 === 0
        ? `packages/${project}/project_${hash.slice(0, 6)}-1.${index}.0-py3-none-any.whl`
        : `simple/${project}/index.json`;
    files.set(path, new TargetFile({ path, length: 10_000 + index, hashes: new Map([['sha256', hash]]) }));
  }
  return new Targets({
    ...common,
    targets: files,
    unrecognizedFields: new Map([[ROLE_NAME_FIELD, 'bin-0000']]),
  });
}

function sampleHash(text: string): string {
  return encodeHex(sha256(new TextEncoder().encode(text)));
}

/** The size with `signatures` Ed25519 signatures. */
function sizeOf(signed: Signed, signatures: number): Size {
  const made = Array.from({ length: Math.max(1, signatures) }, (_, index) => {
    const id = sampleHash(`signature ${index}`);
    return new Signature(id, sampleHash(`${id} r`) + sampleHash(`${id} s`));
  });
  const bytes = Metadata.unsigned(signed).withSignatures(made).toBytes();
  return { plain: bytes.length, gzip: gzipSync(bytes).length };
}

function sum(sizes: readonly Size[]): Size {
  let plain = 0;
  let gzip = 0;
  for (const size of sizes) {
    plain += size.plain;
    gzip += size.gzip;
  }
  return { plain, gzip };
}

function times(size: Size | undefined, factor: number): Size {
  return { plain: (size?.plain ?? 0) * factor, gzip: (size?.gzip ?? 0) * factor };
}
