import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Key } from '../tuf/key.ts';
import { Metadata, signMetadata } from '../tuf/metadata.ts';
import { Signature } from '../tuf/signature.ts';
import type { Signer } from '../tuf/signer.ts';
import type { Targets } from '../tuf/targets.ts';
import { DelegatedRole } from '../tuf/delegated-role.ts';
import { Delegations } from '../tuf/delegations.ts';
import { TargetFile } from '../tuf/file.ts';
import { ClaimError } from './errors.ts';
import { projectRoleName, releaseRoleName, wheelsRoleName } from './names.ts';
import type { Owners } from './owners.ts';
import { pageTargets } from './page-targets.ts';
import {
  newProjectRole,
  newReleaseRole,
  newWheelsRole,
  type ProjectRoleFields,
  type SignedTarget,
} from './project-role.ts';
import { checkTransaction, type ClaimState, type TransactionCheck } from './transaction.ts';
import type { SignedTransaction } from './transaction-form.ts';

const NOW = new Date('2026-11-22T22:00:00Z');
const NEXT_YEAR = new Date('2027-11-22T22:00:00Z');
const ROLE = projectRoleName('foo');
const RELEASE = releaseRoleName('foo');
const WHEELS = wheelsRoleName('foo');

class TestSigner implements Signer {
  readonly key: Key;
  readonly #private: KeyObject;

  constructor() {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
    this.key = Key.fromPublicKey('ed25519', 'ed25519', raw.toString('hex'));
    this.#private = privateKey;
  }

  async sign(bytes: Uint8Array): Promise<Signature> {
    return new Signature(this.key.keyId, sign(null, bytes, this.#private).toString('hex'));
  }
}

const alice = new TestSigner();
const bob = new TestSigner();
const mallory = new TestSigner();

function owners(signers: readonly TestSigner[], threshold = 1): Owners {
  return { keys: signers.map(({ key }) => key), threshold };
}

const SDIST = {
  filename: 'foo-1.0.tar.gz',
  version: '1.0',
  sha256: 'ab'.repeat(32),
  size: 1234,
  uploadTime: '2026-11-22T21:59:00.000000Z',
};
const WHEEL_PATH = 'packages/foo/foo-1.0-py3-none-any.whl';
const WHEEL: SignedTarget = { length: 99, sha256: 'cd'.repeat(32) };
const EXPECTED = pageTargets({ name: 'foo', files: [SDIST] }).targets;

async function signed(role: Targets, signers: readonly TestSigner[]): Promise<Metadata<Targets>> {
  return signMetadata(role, signers);
}

function projectRole(fields: Partial<ProjectRoleFields> = {}): Targets {
  return newProjectRole({
    project: 'foo',
    version: 1,
    expires: NEXT_YEAR,
    owners: owners([alice]),
    targets: EXPECTED,
    ...fields,
  });
}

function transaction(
  roles: Readonly<Record<string, Metadata<Targets>>>,
  more: Partial<SignedTransaction> = {},
): SignedTransaction {
  return {
    base: new Map(),
    roles: new Map(Object.entries(roles).map(([role, metadata]) => [role, metadata.toBytes()])),
    files: [],
    changes: [],
    ...more,
  };
}

const UNCLAIMED: ClaimState = {
  project: 'foo',
  standing: 'unclaimed',
  owners: undefined,
  roles: new Map(),
};

async function claimedState(
  standing: 'recently-claimed' | 'claimed',
  wanted: Owners,
  signers: readonly TestSigner[],
): Promise<ClaimState> {
  const metadata = await signed(projectRole({ owners: wanted }), signers);
  const effective = standing === 'claimed' ? wanted : { ...wanted, threshold: 1 };
  return { project: 'foo', standing, owners: effective, roles: new Map([[ROLE, metadata]]) };
}

function check(fields: Partial<TransactionCheck> & Pick<TransactionCheck, 'transaction'>) {
  return checkTransaction({ state: UNCLAIMED, expected: EXPECTED, now: NOW, ...fields });
}

async function refusal(promise: Promise<unknown>): Promise<ClaimError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ClaimError)) throw new Error(`not refused as it should be: ${String(error)}`);
  return error;
}

describe('a first claim', () => {
  it('is taken when the new owner signed exactly the pages and files of the project', async () => {
    const metadata = await signed(projectRole(), [alice]);
    const checked = await check({ transaction: transaction({ [ROLE]: metadata }) });
    expect(checked.roles.map(({ role }) => role)).toEqual([ROLE]);
    expect(checked.owners.keys.map(({ keyId }) => keyId)).toEqual([alice.key.keyId]);
    expect(checked.changesOwners).toBe(true);
    expect(checked.missing).toEqual([]);
  });

  it('refuses owners whose keys have not all signed: nobody registers a key of somebody else', async () => {
    const metadata = await signed(projectRole({ owners: owners([alice, bob]) }), [alice]);
    const error = await refusal(check({ transaction: transaction({ [ROLE]: metadata }) }));
    expect(error).toMatchObject({ code: 'OWNERS', keyId: bob.key.keyId });
  });

  it('refuses metadata that names no owners', async () => {
    const role = projectRole().with({ unrecognizedFields: new Map([['x-rind-role', ROLE]]) });
    const error = await refusal(check({ transaction: transaction({ [ROLE]: await signed(role, [alice]) }) }));
    expect(error.code).toBe('OWNERS');
  });

  it('refuses a key under the id of another: in a list of many projects it would take its place', async () => {
    const json = new Map(mallory.key.toJson());
    const disguised = Key.fromJson(alice.key.keyId, json);
    const role = projectRole({ owners: { keys: [disguised], threshold: 1 } });
    const error = await refusal(
      check({ transaction: transaction({ [ROLE]: await signed(role, [mallory]) }) }),
    );
    expect(error.code).toBe('OWNERS');
  });
});

describe('the six checks', () => {
  const OTHER_WAY = {
    role: ROLE,
    message: expect.stringContaining('delegates in another way than a project may') as string,
  };
  const attacks: readonly {
    readonly name: string;
    readonly code: ClaimError['code'];
    readonly detail?: Partial<ClaimError>;
    readonly role: () => Targets;
    readonly signers?: readonly TestSigner[];
    readonly more?: Partial<SignedTransaction>;
  }[] = [
    { name: 'nobody signed', code: 'THRESHOLD', role: projectRole, signers: [] },
    {
      name: 'a key that is not the project’s signed too',
      code: 'SIGNATURE',
      detail: { keyId: mallory.key.keyId },
      role: projectRole,
      signers: [alice, mallory],
    },
    { name: 'expired', code: 'EXPIRY', role: () => projectRole({ expires: NOW }) },
    {
      name: 'valid for longer than 400 days',
      code: 'EXPIRY',
      role: () => projectRole({ expires: new Date('2027-12-28T22:00:00Z') }),
    },
    {
      name: 'another content of a file',
      code: 'FILES',
      detail: { path: 'packages/foo/foo-1.0.tar.gz' },
      role: () =>
        projectRole({ targets: new Map([...EXPECTED, ['packages/foo/foo-1.0.tar.gz', { ...WHEEL }]]) }),
    },
    {
      name: 'a file that the project does not have',
      code: 'FILES',
      detail: { path: WHEEL_PATH },
      role: () => projectRole({ targets: new Map([...EXPECTED, [WHEEL_PATH, WHEEL]]) }),
    },
    {
      name: 'a page left out',
      code: 'FILES',
      detail: { path: 'simple/foo/index.json' },
      role: () =>
        projectRole({ targets: new Map([...EXPECTED].filter(([path]) => path !== 'simple/foo/index.json')) }),
    },
    {
      name: 'a target of another project',
      code: 'FOREIGN_TARGET',
      detail: { path: 'packages/foobar/foobar-1.0.tar.gz' },
      role: () =>
        projectRole({ targets: new Map([...EXPECTED, ['packages/foobar/foobar-1.0.tar.gz', WHEEL]]) }),
    },
    {
      name: 'more said of a target than length and sha256',
      code: 'FILES',
      role: () =>
        projectRole().with({
          targets: new Map(
            [...EXPECTED].map(([path, { length, sha256 }]) => [
              path,
              new TargetFile({
                path,
                length,
                hashes: new Map([['sha256', sha256]]),
                unrecognizedFields: new Map([['custom', new Map()]]),
              }),
            ]),
          ),
        }),
    },
    {
      name: 'a delegation of another project’s role',
      code: 'DELEGATION',
      detail: { role: 'project-bar', message: expect.stringContaining('it may delegate to') as string },
      role: () => withDelegation('project-bar', ['packages/foo/*', 'simple/foo/*'], true),
    },
    {
      name: 'a delegation of paths of others',
      code: 'DELEGATION',
      detail: OTHER_WAY,
      role: () => withDelegation(RELEASE, ['packages/*/*', 'simple/*/*'], true),
    },
    {
      name: 'a release role after which the search goes on',
      code: 'DELEGATION',
      detail: OTHER_WAY,
      role: () => withDelegation(RELEASE, ['packages/foo/*', 'simple/foo/*'], false),
    },
    {
      name: 'a delegation to a role that nobody has signed',
      code: 'DELEGATION',
      detail: { role: RELEASE },
      role: () => projectRole({ release: owners([bob]) }),
    },
    { name: 'not the next version', code: 'VERSION', role: () => projectRole({ version: 2 }) },
    {
      name: 'an upload time eleven minutes ago',
      code: 'UPLOAD_TIME',
      detail: { path: SDIST.filename },
      role: projectRole,
      more: {
        files: [
          { filename: SDIST.filename, sha256: SDIST.sha256, uploadTime: '2026-11-22T21:49:00.000000Z' },
        ],
      },
    },
    {
      name: 'metadata that says it is another role',
      code: 'MALFORMED',
      role: () => projectRole().with({ unrecognizedFields: new Map([['x-rind-role', 'project-bar']]) }),
    },
    {
      name: 'made on top of a version that never was',
      code: 'BASE_CHANGED',
      role: projectRole,
      more: { base: new Map([[ROLE, 1]]) },
    },
  ];

  it.each(attacks)('refuse $name', async ({ code, detail = {}, role, signers = [alice], more = {} }) => {
    const metadata = await signed(role(), signers);
    const error = await refusal(check({ transaction: transaction({ [ROLE]: metadata }, more) }));
    expect(error).toMatchObject({ code, ...detail });
  });

  it('refuse a signature that is not over these bytes', async () => {
    const metadata = await signed(projectRole(), [alice]);
    const other = await signed(projectRole({ expires: new Date('2027-01-01T00:00:00Z') }), [alice]);
    const forged = metadata.withSignatures(other.signatures);
    const error = await refusal(check({ transaction: transaction({ [ROLE]: forged }) }));
    expect(error).toMatchObject({ code: 'SIGNATURE', keyId: alice.key.keyId });
  });

  it('refuse the same metadata in other bytes', async () => {
    const bytes = new TextEncoder().encode(
      `${new TextDecoder().decode((await signed(projectRole(), [alice])).toBytes())}\n`,
    );
    const sent = { ...transaction({}), roles: new Map([[ROLE, bytes]]) };
    expect((await refusal(check({ transaction: sent }))).code).toBe('MALFORMED');
  });
});

describe('a project that is claimed', () => {
  const second = (fields: Partial<ProjectRoleFields> = {}) => projectRole({ version: 2, ...fields });
  const onTop = { base: new Map([[ROLE, 1]]) };

  it('tells the second of two who publish at once to fetch and sign again', async () => {
    const state = await claimedState('recently-claimed', owners([alice]), [alice]);
    const sent = transaction({ [ROLE]: await signed(projectRole(), [alice]) });
    expect(await refusal(check({ state, transaction: sent }))).toMatchObject({
      code: 'BASE_CHANGED',
      role: ROLE,
    });
  });

  it('takes a new key with a signature of its own and of a present key', async () => {
    const state = await claimedState('recently-claimed', owners([alice]), [alice]);
    const role = second({ owners: owners([alice, bob], 2) });
    const checked = await check({
      state,
      transaction: transaction({ [ROLE]: await signed(role, [alice, bob]) }, onTop),
    });
    expect(checked.changesOwners).toBe(true);
  });

  it('refuses a new key for which no present key vouches', async () => {
    const state = await claimedState('recently-claimed', owners([alice]), [alice]);
    const role = second({ owners: owners([mallory]) });
    const error = await refusal(
      check({ state, transaction: transaction({ [ROLE]: await signed(role, [mallory]) }, onTop) }),
    );
    expect(error).toMatchObject({ code: 'THRESHOLD', role: ROLE });
  });

  it('asks for one key while it is recently claimed, whatever threshold the owners wish', async () => {
    const state = await claimedState('recently-claimed', owners([alice, bob], 2), [alice, bob]);
    const role = second({ owners: owners([alice, bob], 2) });
    const checked = await check({
      state,
      transaction: transaction({ [ROLE]: await signed(role, [bob]) }, onTop),
    });
    expect(checked).toMatchObject({ changesOwners: false, missing: [] });
  });

  it('collects in a proposal as many signatures as the owners wish: administrators move no project with fewer', async () => {
    const state = await claimedState('recently-claimed', owners([alice, bob], 2), [alice, bob]);
    const role = second({ owners: owners([alice, bob], 2) });
    const half = transaction({ [ROLE]: await signed(role, [bob]) }, onTop);
    const proposed = await check({ state, transaction: half, allowsPartial: true });
    expect(proposed.missing).toEqual([{ role: ROLE, have: 1, need: 2 }]);
    const whole = transaction({ [ROLE]: await signed(role, [alice, bob]) }, onTop);
    expect((await check({ state, transaction: whole, allowsPartial: true })).missing).toEqual([]);
  });

  it('asks for the whole threshold when it is claimed', async () => {
    const state = await claimedState('claimed', owners([alice, bob], 2), [alice, bob]);
    const role = second({ owners: owners([alice, bob], 2) });
    const sent = transaction({ [ROLE]: await signed(role, [bob]) }, onTop);
    expect(await refusal(check({ state, transaction: sent }))).toMatchObject({ code: 'THRESHOLD' });
    const proposed = await check({ state, transaction: sent, allowsPartial: true });
    expect(proposed.missing[0]).toEqual({ role: ROLE, have: 1, need: 2 });
  });

  it('takes nothing from a revoked key alone while claimed still names it: neither a release nor its own return', async () => {
    const before = await claimedState('claimed', owners([alice, bob]), [bob]);
    const revoked = await signed(projectRole({ owners: owners([bob]) }), [bob]);
    const state: ClaimState = { ...before, roles: new Map([[ROLE, revoked]]) };
    const base = new Map([[ROLE, 1]]);
    for (const wished of [owners([bob]), owners([alice]), owners([alice, bob])]) {
      const role = projectRole({ version: 2, owners: wished });
      const alone = transaction({ [ROLE]: await signed(role, [alice]) }, { base });
      expect((await refusal(check({ state, transaction: alone }))).code).toBe('THRESHOLD');
    }
    const role = projectRole({ version: 2, owners: owners([bob]) });
    const proper = transaction({ [ROLE]: await signed(role, [bob]) }, { base });
    const release = await check({ state, transaction: proper });
    expect([release.missing, release.changesOwners]).toEqual([[], false]);
  });

  it('calls another threshold other owners, in recently-claimed too: a maintainer does not lower what the owners wish', async () => {
    const state = await claimedState('recently-claimed', owners([alice, bob], 2), [alice, bob]);
    const role = projectRole({ version: 2, owners: owners([alice, bob]) });
    const sent = transaction({ [ROLE]: await signed(role, [alice]) }, { base: new Map([[ROLE, 1]]) });
    expect((await check({ state, transaction: sent })).changesOwners).toBe(true);
  });
  it('takes new owners of a claimed project only when old and new threshold are met, so that moving it breaks nothing', async () => {
    const state = await claimedState('claimed', owners([alice]), [alice]);
    const role = second({ owners: owners([alice, bob], 2) });
    const half = transaction({ [ROLE]: await signed(role, [bob]) }, onTop);
    expect((await refusal(check({ state, transaction: half }))).code).toBe('THRESHOLD');
    const whole = transaction({ [ROLE]: await signed(role, [alice, bob]) }, onTop);
    expect((await check({ state, transaction: whole })).changesOwners).toBe(true);
  });
});

describe('machines and builders', () => {
  const withRelease = { owners: owners([alice]), targets: new Map(), release: owners([bob]) };
  const release = (version = 1) =>
    newReleaseRole({ project: 'foo', version, expires: NEXT_YEAR, targets: EXPECTED });

  async function releaseState(): Promise<ClaimState> {
    return {
      project: 'foo',
      standing: 'claimed',
      owners: owners([alice]),
      roles: new Map([
        [ROLE, await signed(projectRole(withRelease), [alice])],
        [RELEASE, await signed(release(), [bob])],
      ]),
    };
  }

  it('lets a machine publish with its key alone', async () => {
    const sent = transaction(
      { [RELEASE]: await signed(release(2), [bob]) },
      { base: new Map([[ROLE, 1], [RELEASE, 1]]) }, // prettier-ignore
    );
    const checked = await check({ state: await releaseState(), transaction: sent });
    expect(checked.roles.map(({ role }) => role)).toEqual([RELEASE]);
    expect(checked.changesOwners).toBe(false);
  });

  it('refuses a release of a machine that the owners have revoked', async () => {
    const revoked = projectRole({ ...withRelease, version: 2, release: owners([mallory]) });
    const sent = transaction(
      { [ROLE]: await signed(revoked, [alice]) },
      { base: new Map([[ROLE, 1], [RELEASE, 1]]) }, // prettier-ignore
    );
    const error = await refusal(check({ state: await releaseState(), transaction: sent }));
    expect(error).toMatchObject({ code: 'SIGNATURE', role: RELEASE, keyId: bob.key.keyId });
  });

  it('lets a builder sign wheels and nothing else', async () => {
    const wheels = (path: string) =>
      newWheelsRole({ project: 'foo', version: 1, expires: NEXT_YEAR, targets: new Map([[path, WHEEL]]) });
    const role = projectRole({ wheels: owners([bob]) });
    const send = async (path: string) =>
      check({
        transaction: transaction({
          [ROLE]: await signed(role, [alice]),
          [WHEELS]: await signed(wheels(path), [bob]),
        }),
        builtWheels: new Map([[WHEEL_PATH, WHEEL]]),
      });
    expect((await send(WHEEL_PATH)).roles.map(({ role: name }) => name)).toEqual([ROLE, WHEELS]);
    expect(await refusal(send('packages/foo/foo-2.0.tar.gz'))).toMatchObject({
      code: 'FOREIGN_TARGET',
      role: WHEELS,
    });
    expect(await refusal(send('simple/foo/index.json'))).toMatchObject({ code: 'FOREIGN_TARGET' });
  });
});

function withDelegation(name: string, paths: readonly string[], terminating: boolean): Targets {
  const { keyId } = bob.key;
  return projectRole().with({
    delegations: new Delegations({
      keys: new Map([[keyId, bob.key]]),
      roles: [new DelegatedRole({ name, keyIds: [keyId], threshold: 1, terminating, paths })],
    }),
  });
}
