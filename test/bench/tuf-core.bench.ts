import { bench, group, run, summary } from 'mitata';
import {
  DelegatedRole,
  Delegations,
  MetaFile,
  Metadata,
  Snapshot,
  TargetFile,
  Targets,
  binName,
  binPathHashPrefixes,
  encodeHex,
  parseJson,
  sha256,
  signMetadata,
  verifySignatures,
} from '../../src/tuf/index.ts';
import type { Signed } from '../../src/tuf/index.ts';
import { generateSigner } from '../tools/tuf-signers.ts';

/**
 * What a client and a publisher pay for the TUF core: the bin of a repository of 20 million targets (16,384 bins with
 * 1,221 targets each), and whether the time grows with the size and not faster. Run with `npx tsx`.
 */
const EXPIRES = new Date('2030-01-01T00:00:00Z');
const signer = generateSigner();
const keys = new Map([[signer.key.keyId, signer.key]]);
const role = { keyIds: [signer.key.keyId], threshold: 1 };

function targetsOf(count: number): Targets {
  const targets = new Map<string, TargetFile>();
  for (let index = 0; index < count; index++) {
    const digest = encodeHex(sha256(new TextEncoder().encode(`${index}`)));
    const name = String(index).padStart(6, '0');
    const path = `packages/project-${name}/project_${name}-1.2.3-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl`;
    targets.set(path, new TargetFile({ path, length: 1000 + index, hashes: new Map([['sha256', digest]]) }));
  }
  return new Targets({ version: 1, expires: EXPIRES, targets });
}

function snapshotOf(count: number): Snapshot {
  const meta = new Map<string, MetaFile>();
  for (let index = 0; index < count; index++) {
    meta.set(`${binName('bin', index, count)}.json`, new MetaFile({ version: 1 + (index % 900) }));
  }
  return new Snapshot({ version: 1, expires: EXPIRES, meta });
}

function binsOf(count: number): Targets {
  const roles = Array.from(
    { length: count },
    (_, index) =>
      new DelegatedRole({
        name: binName('bin', index, count),
        ...role,
        terminating: false,
        pathHashPrefixes: binPathHashPrefixes(index, count),
      }),
  );
  return new Targets({
    version: 1,
    expires: EXPIRES,
    targets: new Map(),
    delegations: new Delegations({ keys, roles }),
  });
}

async function benchRead(name: string, signed: Signed): Promise<void> {
  const bytes = (await signMetadata(signed, [signer])).toBytes();
  bench(`${name}, ${Math.round(bytes.length / 1000)} KB`, async () => {
    const metadata = Metadata.fromBytes(bytes, signed.type);
    const { verified } = await verifySignatures(role, keys, metadata);
    if (!verified) throw new Error('not verified');
  });
}

const bin = targetsOf(1221);
const binBytes = (await signMetadata(bin, [signer])).toBytes();
const prettyBytes = new TextEncoder().encode(
  JSON.stringify(JSON.parse(new TextDecoder().decode(binBytes)), undefined, 1),
);

summary(() => {
  group('a bin with 1,221 targets', () => {
    bench('strict parse', () => parseJson(binBytes));
    bench('strict parse, model, verify', async () => {
      const metadata = Metadata.fromBytes(binBytes, 'targets');
      if (!(await verifySignatures(role, keys, metadata)).verified) throw new Error('not verified');
    });
    bench('the same, not canonical (indented)', async () => {
      const metadata = Metadata.fromBytes(prettyBytes, 'targets');
      if (!(await verifySignatures(role, keys, metadata)).verified) throw new Error('not verified');
    });
    bench('encode and sign', () => signMetadata(bin, [signer]));
    bench(
      'JSON.parse alone, for comparison',
      () => JSON.parse(new TextDecoder().decode(binBytes)) as unknown,
    );
  });
});

const counts = [4096, 8192, 16384];
for (const [name, make] of [
  ['snapshot, version only', snapshotOf],
  ['bins, explicit prefixes', binsOf],
  ['bin', targetsOf],
] as const) {
  const models = counts.map((count) => [count, make(count)] as const);
  for (const [count, model] of models) await benchRead(`${name} ${count}`, model);
}

const bins = binsOf(16384).delegations ?? new Delegations({ keys, roles: [] });
bins.rolesForTarget('simple/warm/index.json');
bench('find the bin among 16,384 explicit roles', () => bins.rolesForTarget('simple/requests/index.json'));

await run();
