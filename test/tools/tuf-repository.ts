import {
  DelegatedRole,
  Delegations,
  MetaFile,
  Role,
  Snapshot,
  TargetFile,
  Targets,
  Timestamp,
  encodeHex,
  sha256,
} from '../../src/tuf/index.ts';
import type { Root, Signed, Signer } from '../../src/tuf/index.ts';
import { TrustedMetadataSet } from '../../src/tuf/trusted-metadata-set.ts';
import { generateSigner, rootOf, signedBytes } from './tuf-signers.ts';
import type { TestSigner } from './tuf-signers.ts';

/** The moment in which the tests of the client workflow play. */
export const NOW = new Date('2026-06-01T12:00:00Z');
/** What ended then is over. */
export const PAST = new Date('2026-06-01T11:59:59Z');
const EXPIRES = new Date('2026-07-01T00:00:00Z');

/** A small repository of models: change the models, then ask for their signed bytes. */
export class TestRepository {
  readonly signers: Readonly<Record<'root' | 'timestamp' | 'snapshot' | 'targets' | 'a' | 'b', TestSigner>> =
    {
      root: generateSigner(),
      timestamp: generateSigner(),
      snapshot: generateSigner(),
      targets: generateSigner(),
      a: generateSigner(),
      b: generateSigner(),
    };
  root: Root;
  timestamp = new Timestamp({ version: 1, expires: EXPIRES, snapshotMeta: new MetaFile({ version: 1 }) });
  snapshot = new Snapshot({
    version: 1,
    expires: EXPIRES,
    meta: new Map(
      ['targets.json', 'a.json', 'b.json', 'c.json'].map((name) => [name, new MetaFile({ version: 1 })]),
    ),
  });
  /** Delegates everything to a, then b. */
  targets: Targets;
  delegated = new Targets({ version: 1, expires: EXPIRES, targets: new Map() });

  constructor() {
    const { root, timestamp, snapshot, targets, a, b } = this.signers;
    const roleOf = (signer: Signer) => new Role({ keyIds: [signer.key.keyId], threshold: 1 });
    this.root = rootOf([root, timestamp, snapshot, targets], {
      expires: EXPIRES,
      roles: new Map([
        ['root', roleOf(root)],
        ['timestamp', roleOf(timestamp)],
        ['snapshot', roleOf(snapshot)],
        ['targets', roleOf(targets)],
      ]),
    });
    this.targets = this.delegated.with({ delegations: delegationsTo({ a: [a], b: [b] }) });
  }

  /** The model's bytes, signed by the role of its type unless other signers are named. */
  bytes(signed: Signed, ...signers: readonly Signer[]): Promise<Uint8Array> {
    return signedBytes(signed, signers.length === 0 ? [this.signers[signed.type]] : signers);
  }
}

/** A client of a small repository, which takes its roles one by one as the test says. */
export class RoleSession {
  readonly repository = new TestRepository();
  set!: TrustedMetadataSet;

  static async start(): Promise<RoleSession> {
    const session = new RoleSession();
    await session.start();
    return session;
  }

  /** Anew, from the repository's root. */
  async start(options: Partial<Parameters<typeof TrustedMetadataSet.create>[1]> = {}): Promise<void> {
    const { repository } = this;
    const root = await repository.bytes(repository.root);
    this.set = await TrustedMetadataSet.create(root, { referenceTime: NOW, ...options });
  }

  async timestamp(changes = {}) {
    const { repository } = this;
    return this.set.updateTimestamp(await repository.bytes(repository.timestamp.with(changes)));
  }

  async snapshot(changes = {}, options = {}) {
    const { repository } = this;
    return this.set.updateSnapshot(await repository.bytes(repository.snapshot.with(changes)), options);
  }

  async targets(changes = {}) {
    const { repository } = this;
    return this.set.updateTargets(await repository.bytes(repository.targets.with(changes)));
  }

  async upToSnapshot(): Promise<void> {
    await this.timestamp();
    await this.snapshot();
  }

  async upToTargets(): Promise<void> {
    await this.upToSnapshot();
    await this.targets();
  }

  async delegated(role: string, delegator: string, ...signers: readonly Signer[]) {
    const { repository } = this;
    const bytes = await repository.bytes(repository.delegated, ...signers);
    return this.set.updateDelegatedTargets(bytes, role, delegator);
  }
}

/** Delegations to roles by name, each with its signers and every path. */
export function delegationsTo(
  roles: Readonly<Record<string, readonly Signer[]>>,
  threshold = 1,
): Delegations {
  return new Delegations({
    keys: new Map(
      Object.values(roles).flatMap((signers) => signers.map(({ key }) => [key.keyId, key] as const)),
    ),
    roles: Object.entries(roles).map(
      ([name, signers]) =>
        new DelegatedRole({
          name,
          keyIds: signers.map(({ key }) => key.keyId),
          threshold,
          terminating: false,
          paths: ['*', '*/*', '*/*/*'],
        }),
    ),
  });
}

/** A snapshot or timestamp entry with length and hash. */
export function entryFor(bytes: Uint8Array, version: number): MetaFile {
  return new MetaFile({
    version,
    length: bytes.length,
    hashes: new Map([['sha256', encodeHex(sha256(bytes))]]),
  });
}

/** A target with its sha256. */
export function targetFor(path: string, bytes: Uint8Array): TargetFile {
  return new TargetFile({
    path,
    length: bytes.length,
    hashes: new Map([['sha256', encodeHex(sha256(bytes))]]),
  });
}
