import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  DelegatedRole,
  Delegations,
  MetaFile,
  Role,
  Root,
  Snapshot,
  SuccinctRoles,
  TargetFile,
  Targets,
  Timestamp,
  binForPathHash,
  binName,
  binPathHashPrefixes,
  encodeHex,
  metadataFileName,
  sha256,
  signMetadata,
  targetPathHash,
} from '../../src/tuf/index.ts';
import type { Signed } from '../../src/tuf/index.ts';
import { generateSigner } from '../tools/tuf-signers.ts';
import type { TestSigner } from '../tools/tuf-signers.ts';

export type BinLayout = 'path_hash_prefixes' | 'succinct_roles';

const EXPIRES = new Date('2036-01-01T00:00:00Z');
const ORDINARY = 'cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl';

/**
 * The metadata of an index with 20 million targets on disk, as PEP 458 lays it out: targets delegates to bins, bins to
 * 16,384 bins with 1,221 targets each. Only the bins that are looked into are written; the snapshot lists all.
 */
export class TufTree {
  readonly folder: string;
  readonly layout: BinLayout;
  readonly count: number;
  readonly signer: TestSigner;
  readonly #targetsPerBin: number;
  readonly #versions = new Map<string, number>();
  #snapshotVersion = 0;

  private constructor(folder: string, layout: BinLayout, count: number, targetsPerBin: number) {
    this.folder = folder;
    this.layout = layout;
    this.count = count;
    this.signer = generateSigner();
    this.#targetsPerBin = targetsPerBin;
  }

  static async create(
    folder: string,
    layout: BinLayout,
    count = 16_384,
    targetsPerBin = 1221,
  ): Promise<TufTree> {
    const tree = new TufTree(folder, layout, count, targetsPerBin);
    await mkdir(folder, { recursive: true });
    const role = tree.#role;
    const top = ['root', 'timestamp', 'snapshot', 'targets'] as const;
    const root = new Root({
      version: 1,
      expires: EXPIRES,
      keys: tree.#keys,
      roles: new Map(top.map((name) => [name, role])),
      consistentSnapshot: true,
    });
    await tree.#write('root', root);
    await tree.#write('targets', tree.#targets(new Map(), delegationTo('bins', tree)));
    await tree.#write('bins', tree.#targets(new Map(), tree.binDelegations()));
    for (let bin = 0; bin < count; bin++) tree.#versions.set(binName('bin', bin, count), 1);
    await tree.publish();
    return tree;
  }

  /** The bin of a path. */
  binOf(path: string): string {
    return binName('bin', binForPathHash(targetPathHash(path), this.count), this.count);
  }

  /** Paths that all lie in different bins. */
  paths(count: number): readonly string[] {
    const paths = new Map<string, string>();
    for (let index = 0; paths.size < count; index++) {
      const path = `packages/project-${index}/project_${index}-1.0-py3-none-any.whl`;
      if (!paths.has(this.binOf(path))) paths.set(this.binOf(path), path);
    }
    return [...paths.values()];
  }

  /** Writes the bin of a path, with as many other targets as a bin has. Clients do not ask whether those belong there. */
  async writeBin(path: string, version = 1): Promise<void> {
    this.#versions.set(this.binOf(path), version);
    const targets = new Map([[path, targetOf(path, version)]]);
    for (let index = 1; index < this.#targetsPerBin; index++) {
      const other = `packages/other-${index}/other_${index}-1.2.3-${ORDINARY}`;
      targets.set(other, targetOf(other, index));
    }
    const sorted = new Map([...targets].sort(([a], [b]) => (a < b ? -1 : 1)));
    await this.#write(this.binOf(path), this.#targets(sorted, undefined, version));
  }

  /** A new snapshot and timestamp over everything written so far. */
  async publish(): Promise<void> {
    const version = ++this.#snapshotVersion;
    const named = [['targets', 1] as const, ['bins', 1] as const, ...this.#versions];
    const meta = new Map(named.map(([name, each]) => [`${name}.json`, new MetaFile({ version: each })]));
    await this.#write('snapshot', new Snapshot({ version, expires: EXPIRES, meta }));
    const snapshotMeta = new MetaFile({ version });
    await this.#write('timestamp', new Timestamp({ version, expires: EXPIRES, snapshotMeta }));
  }

  binDelegations(): Delegations {
    const { keyIds, threshold } = this.#role;
    const namePrefix = 'bin';
    if (this.layout === 'succinct_roles') {
      const succinctRoles = new SuccinctRoles({
        keyIds,
        threshold,
        bitLength: Math.log2(this.count),
        namePrefix,
      });
      return new Delegations({ keys: this.#keys, succinctRoles });
    }
    const roles = Array.from({ length: this.count }, (_, index) => {
      const pathHashPrefixes = binPathHashPrefixes(index, this.count);
      return new DelegatedRole({
        name: binName(namePrefix, index, this.count),
        keyIds,
        threshold,
        terminating: false,
        pathHashPrefixes,
      });
    });
    return new Delegations({ keys: this.#keys, roles });
  }

  get #role(): Role {
    return new Role({ keyIds: [this.signer.key.keyId], threshold: 1 });
  }

  get #keys() {
    return new Map([[this.signer.key.keyId, this.signer.key]]);
  }

  #targets(
    targets: ReadonlyMap<string, TargetFile>,
    delegations: Delegations | undefined,
    version = 1,
  ): Targets {
    return new Targets({ version, expires: EXPIRES, targets, delegations });
  }

  async #write(role: string, signed: Signed): Promise<void> {
    const name = metadataFileName(role, role === 'timestamp' ? undefined : signed.version);
    await writeFile(join(this.folder, name), (await signMetadata(signed, [this.signer])).toBytes());
  }
}

function delegationTo(name: string, { signer }: TufTree): Delegations {
  const keyIds = [signer.key.keyId];
  const role = new DelegatedRole({
    name,
    keyIds,
    threshold: 1,
    terminating: false,
    paths: ['simple/*/*', 'packages/*/*'],
  });
  return new Delegations({ keys: new Map([[signer.key.keyId, signer.key]]), roles: [role] });
}

function targetOf(path: string, salt: number): TargetFile {
  const digest = encodeHex(sha256(new TextEncoder().encode(`${path} ${salt}`)));
  return new TargetFile({ path, length: 100_000 + salt, hashes: new Map([['sha256', digest]]) });
}
