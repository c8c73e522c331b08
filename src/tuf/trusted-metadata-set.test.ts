import { beforeEach, describe, expect, it } from 'vitest';
import { NOW, TestRepository, delegationsTo, entryFor } from '../../test/tools/tuf-repository.ts';
import { generateSigner, rootOf, signerAs } from '../../test/tools/tuf-signers.ts';
import type { TufCrypto } from './crypto.ts';
import { defaultCrypto } from './default-crypto.ts';
import {
  BadVersionNumberError,
  EqualVersionNumberError,
  ExpiredMetadataError,
  LengthOrHashMismatchError,
  MalformedMetadataError,
  RoleNotFoundError,
  UnsignedMetadataError,
  WorkflowOrderError,
} from './errors.ts';
import { MetaFile } from './file.ts';
import { Key } from './key.ts';
import { Role } from './role.ts';
import { ROLE_NAME_FIELD } from './targets.ts';
import { TrustedMetadataSet } from './trusted-metadata-set.ts';
import { WebCrypto } from './web-crypto.ts';

const PAST = new Date('2026-06-01T11:59:59Z');
let repository: TestRepository;
let set: TrustedMetadataSet;

const start = async (referenceTime = NOW) =>
  TrustedMetadataSet.create(await repository.bytes(repository.root), { referenceTime });
const timestamp = async (changes = {}) =>
  set.updateTimestamp(await repository.bytes(repository.timestamp.with(changes)));
const snapshot = async (changes = {}, options = {}) =>
  set.updateSnapshot(await repository.bytes(repository.snapshot.with(changes)), options);
const targets = async (changes = {}) =>
  set.updateTargets(await repository.bytes(repository.targets.with(changes)));
const upToSnapshot = async () => {
  await timestamp();
  await snapshot();
};
const upToTargets = async () => {
  await upToSnapshot();
  await targets();
};
const delegated = async (
  role: string,
  delegator: string,
  ...signers: Parameters<TestRepository['bytes']>[1][]
) => set.updateDelegatedTargets(await repository.bytes(repository.delegated, ...signers), role, delegator);

beforeEach(async () => {
  repository = new TestRepository();
  set = await start();
});

describe('TrustedMetadataSet', () => {
  it('takes a whole repository in order', async () => {
    await upToTargets();
    const { a, b } = repository.signers;
    const role = await delegated('a', 'targets', a);
    await delegated('b', 'targets', b);
    expect(await set.delegatedTargets('a', 'targets')).toBe(role);
    expect([set.root, set.timestamp, set.snapshot, set.targets].map((signed) => signed?.version)).toEqual([
      1, 1, 1, 1,
    ]);
    expect(set.referenceTime).toBe(NOW);
    expect(set.onlineKeysRotated).toBe(false);
  });

  it('takes it with WebCrypto too', async () => {
    set = await TrustedMetadataSet.create(await repository.bytes(repository.root), {
      referenceTime: NOW,
      crypto: new WebCrypto(),
    });
    await upToTargets();
    await expect(targets({ version: 2 })).rejects.toThrow(BadVersionNumberError);
  });

  it('lets errors of the cryptography itself through', async () => {
    const crypto = {
      digest: () => Promise.reject(new Error('out of memory')),
      verify: () => true,
    };
    set = await TrustedMetadataSet.create(await repository.bytes(repository.root), {
      referenceTime: NOW,
      crypto,
    });
    await timestamp({ snapshotMeta: new MetaFile({ version: 1, hashes: new Map([['sha256', 'ab']]) }) });
    await expect(snapshot()).rejects.toThrow('out of memory');
    await expect(snapshot({}, { trusted: true })).rejects.toThrow('out of memory');
    expect(set.snapshot).toBeUndefined();
  });

  it('obeys the limits on parsing for every role', async () => {
    const options = { referenceTime: NOW, limits: { maxLength: 3000 } };
    set = await TrustedMetadataSet.create(await repository.bytes(repository.root), options);
    const long = new Map([['x', 'x'.repeat(3000)]]);
    await expect(timestamp({ unrecognizedFields: long })).rejects.toThrow(MalformedMetadataError);
  });

  it('refuses to be used in the wrong order', async () => {
    const nextRoot = await repository.bytes(repository.root.with({ version: 2 }));
    await expect(snapshot()).rejects.toThrow(WorkflowOrderError);
    await expect(targets()).rejects.toThrow(WorkflowOrderError);
    expect(() => set.snapshotEntry('targets')).toThrow(WorkflowOrderError);
    await timestamp();
    await expect(set.updateRoot(nextRoot)).rejects.toThrow(WorkflowOrderError);
    await expect(targets()).rejects.toThrow(WorkflowOrderError);
    await snapshot();
    await expect(timestamp({ version: 2 })).rejects.toThrow(WorkflowOrderError);
    await expect(delegated('a', 'targets', repository.signers.a)).rejects.toThrow(WorkflowOrderError);
    await targets();
    await expect(snapshot()).rejects.toThrow(WorkflowOrderError);
    await expect(delegated('a', 'b', repository.signers.a)).rejects.toThrow(WorkflowOrderError);
    expect(await set.delegatedTargets('a', 'targets')).toBeUndefined();
  });

  it('says that the order is wrong before it looks at the bytes', async () => {
    const garbage = new TextEncoder().encode('no metadata');
    await timestamp();
    await expect(set.updateRoot(garbage)).rejects.toThrow(WorkflowOrderError);
    await snapshot();
    await expect(set.updateTimestamp(garbage)).rejects.toThrow(WorkflowOrderError);
    await targets();
    await expect(set.updateSnapshot(garbage)).rejects.toThrow(WorkflowOrderError);
  });

  describe('while an update is being verified', () => {
    let open: () => void;

    /** A set whose metadata of one type and version is verified only once `open` is called. */
    async function held(type: string, version: number): Promise<void> {
      const gate = new Promise<void>((resolve) => {
        open = resolve;
      });
      const crypto = {
        digest: (...args: Parameters<TufCrypto['digest']>) => defaultCrypto.digest(...args),
        verify: async (...[key, signature, bytes]: Parameters<TufCrypto['verify']>) => {
          const text = new TextDecoder().decode(bytes);
          if (text.includes(`"_type":"${type}"`) && text.endsWith(`"version":${version}}`)) await gate;
          return defaultCrypto.verify(key, signature, bytes);
        },
      };
      set = await TrustedMetadataSet.create(await repository.bytes(repository.root), {
        referenceTime: NOW,
        crypto,
      });
    }

    it('a timestamp does not take the place of the one a snapshot was checked against', async () => {
      await held('timestamp', 2);
      const first = await timestamp();
      const second = timestamp({ version: 2 });
      await snapshot();
      open();
      await expect(second).rejects.toThrow(WorkflowOrderError);
      expect(set.timestamp).toBe(first);
    });

    it('a snapshot is not taken that was checked against another timestamp', async () => {
      await held('snapshot', 1);
      await timestamp();
      const checked = snapshot();
      await timestamp({ version: 2, snapshotMeta: new MetaFile({ version: 1 }) });
      open();
      await expect(checked).rejects.toThrow(WorkflowOrderError);
      expect(set.snapshot).toBeUndefined();
    });
  });

  it('refuses two updates at once instead of letting the older win', async () => {
    const two = await repository.bytes(repository.root.with({ version: 2 }));
    const roots = await Promise.allSettled([set.updateRoot(two), set.updateRoot(two)]);
    expect(roots.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const timestamps = await Promise.allSettled([timestamp({ version: 5 }), timestamp({ version: 4 })]);
    expect(timestamps.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(set.timestamp?.version).toBe(5);
  });
});

describe('the trusted root', () => {
  it('must be signed by itself (CVE-2020-15163)', async () => {
    const bytes = await repository.bytes(repository.root, repository.signers.snapshot);
    await expect(TrustedMetadataSet.create(bytes, { referenceTime: NOW })).rejects.toThrow(
      UnsignedMetadataError,
    );
  });

  it('may be expired when the session starts, as long as the last root is not', async () => {
    repository.root = repository.root.with({ expires: PAST });
    set = await start();
    await expect(timestamp()).rejects.toThrow(ExpiredMetadataError);
    await set.updateRoot(
      await repository.bytes(repository.root.with({ version: 2, expires: repository.timestamp.expires })),
    );
    expect((await timestamp()).version).toBe(1);
  });

  it('must be a root', async () => {
    const bytes = await repository.bytes(repository.timestamp);
    await expect(TrustedMetadataSet.create(bytes, { referenceTime: NOW })).rejects.toThrow(
      MalformedMetadataError,
    );
  });
});

describe('updateRoot', () => {
  it.each([1, 3, 7])('refuses version %d after version 1: exactly N+1 (CVE-2025-2885)', async (version) => {
    const bytes = await repository.bytes(repository.root.with({ version }));
    await expect(set.updateRoot(bytes)).rejects.toThrow(
      expect.objectContaining({
        code: 'BAD_VERSION_NUMBER',
        role: 'root',
        version,
        message: `root: version ${version} came where version 2 must follow`,
      }),
    );
    expect(set.root.version).toBe(1);
  });

  it('refuses a root that the trusted root did not sign, though it signed itself', async () => {
    const thief = generateSigner();
    const bytes = await repository.bytes(rootOf([thief], { version: 2 }), thief);
    await expect(set.updateRoot(bytes)).rejects.toThrow(UnsignedMetadataError);
  });

  it('refuses a root that did not sign itself with its own new keys and threshold', async () => {
    const next = generateSigner();
    const successor = rootOf([next], { version: 2 });
    await expect(set.updateRoot(await repository.bytes(successor, repository.signers.root))).rejects.toThrow(
      'root: version 2 is signed by 0 of the 1 keys that root 2 asks for',
    );
    expect(set.root.version).toBe(1);
    await set.updateRoot(await repository.bytes(successor, repository.signers.root, next));
    expect(set.root.version).toBe(2);
  });

  it('counts keys, not signatures, towards the threshold of the new root (GMS-2022-4197)', async () => {
    const { root } = repository.signers;
    const alias = signerAs(root, Key.fromJson('alias', root.key.toJson()));
    const successor = rootOf([root, alias], { version: 2, threshold: 2 });
    await expect(set.updateRoot(await repository.bytes(successor, root, alias))).rejects.toThrow(
      UnsignedMetadataError,
    );
  });

  it('ignores the expiry of intermediate roots and checks the last one only', async () => {
    await set.updateRoot(await repository.bytes(repository.root.with({ version: 2, expires: PAST })));
    await expect(timestamp()).rejects.toThrow(
      expect.objectContaining({ code: 'EXPIRED_METADATA', role: 'root', version: 2 }),
    );
    await set.updateRoot(await repository.bytes(repository.root.with({ version: 3 })));
    await timestamp();
  });

  it('verifies later roles with the new keys only', async () => {
    const next = generateSigner();
    const rotated = rootOf([next], { version: 2 });
    await set.updateRoot(await repository.bytes(rotated, repository.signers.root, next));
    await expect(timestamp()).rejects.toThrow(UnsignedMetadataError);
    await set.updateTimestamp(await repository.bytes(repository.timestamp, next));
  });
});

describe('fast-forward recovery (spec 5.3.11)', () => {
  const after = async (changes: (roles: Map<string, Role>) => void, keys = new Map(repository.root.keys)) => {
    const roles = new Map(repository.root.roles);
    changes(roles);
    await set.updateRoot(await repository.bytes(repository.root.with({ version: 2, roles, keys })));
    return set.onlineKeysRotated;
  };
  const roleOf = (signers: readonly { readonly key: Key }[], threshold = 1) =>
    new Role({ keyIds: signers.map(({ key }) => key.keyId), threshold });

  it.each(['timestamp', 'snapshot'])('is due when the %s key was replaced', async (role) => {
    const next = generateSigner();
    const keys = new Map(repository.root.keys).set(next.key.keyId, next.key);
    expect(await after((roles) => roles.set(role, roleOf([next])), keys)).toBe(true);
  });

  it.each(['timestamp', 'snapshot'] as const)(
    'is due when a key was added to %s, or the threshold changed',
    async (role) => {
      const { [role]: old, a } = repository.signers;
      const keys = new Map(repository.root.keys).set(a.key.keyId, a.key);
      expect(await after((roles) => roles.set(role, roleOf([old, a])), keys)).toBe(true);
      set = await start();
      expect(await after((roles) => roles.set(role, roleOf([old], 2)))).toBe(true);
    },
  );

  it('is due when a key id was added whose key is not there yet', async () => {
    const old = repository.signers.timestamp.key.keyId;
    const role = new Role({ keyIds: [old, 'announced'], threshold: 1 });
    expect(await after((roles) => roles.set('timestamp', role))).toBe(true);
  });

  it('is not due for a new root as such, a new targets key, or the same key under another id', async () => {
    expect(await after(() => undefined)).toBe(false);
    set = await start();
    const { a, timestamp: old } = repository.signers;
    const keys = new Map(repository.root.keys).set(a.key.keyId, a.key);
    expect(await after((roles) => roles.set('targets', roleOf([a])), keys)).toBe(false);
    set = await start();
    const alias = Key.fromJson('alias', old.key.toJson());
    const withAlias = new Map(repository.root.keys).set('alias', alias);
    expect(await after((roles) => roles.set('timestamp', roleOf([{ key: alias }])), withAlias)).toBe(false);
    set = await start();
    expect(await after((roles) => roles.set('timestamp', roleOf([old, { key: alias }])), withAlias)).toBe(
      false,
    );
  });

  it('stays due when a later root changes nothing more', async () => {
    const next = generateSigner();
    const keys = new Map(repository.root.keys).set(next.key.keyId, next.key);
    const roles = new Map(repository.root.roles).set('snapshot', roleOf([next]));
    const rotated = repository.root.with({ version: 2, keys, roles });
    await set.updateRoot(await repository.bytes(rotated));
    await set.updateRoot(await repository.bytes(rotated.with({ version: 3 })));
    expect(set.onlineKeysRotated).toBe(true);
  });
});

describe('updateTimestamp', () => {
  it('refuses a version that rolled back', async () => {
    await timestamp({ version: 5 });
    await expect(timestamp({ version: 4 })).rejects.toThrow(BadVersionNumberError);
    expect(set.timestamp?.version).toBe(5);
  });

  it('says so when the version is the trusted one, and does not take its content', async () => {
    await timestamp({ version: 5 });
    const other = { version: 5, snapshotMeta: new MetaFile({ version: 9 }) };
    await expect(timestamp(other)).rejects.toThrow(EqualVersionNumberError);
    await expect(timestamp(other)).rejects.toThrow(expect.objectContaining({ code: 'EQUAL_VERSION_NUMBER' }));
    expect(set.timestamp?.snapshotMeta.version).toBe(1);
  });

  it('refuses a snapshot version that rolled back inside a newer timestamp', async () => {
    await timestamp({ version: 5, snapshotMeta: new MetaFile({ version: 3 }) });
    await expect(timestamp({ version: 6, snapshotMeta: new MetaFile({ version: 2 }) })).rejects.toThrow(
      BadVersionNumberError,
    );
    await timestamp({ version: 6, snapshotMeta: new MetaFile({ version: 3 }) });
  });

  it('refuses an expired one, at the very second too, and still holds it against a rollback', async () => {
    await expect(timestamp({ version: 5, expires: NOW })).rejects.toThrow(ExpiredMetadataError);
    await expect(timestamp({ version: 4 })).rejects.toThrow(BadVersionNumberError);
    await expect(snapshot()).rejects.toThrow(ExpiredMetadataError);
    await timestamp({ version: 6, expires: new Date(NOW.getTime() + 1000) });
  });

  it('checks the signature before it looks at the version or the expiry', async () => {
    await timestamp({ version: 5 });
    const old = repository.timestamp.with({ version: 4, expires: PAST });
    await expect(
      set.updateTimestamp(await repository.bytes(old, repository.signers.snapshot)),
    ).rejects.toThrow(UnsignedMetadataError);
  });
});

describe('updateSnapshot', () => {
  const listing = async (changes = {}) => {
    const bytes = await repository.bytes(repository.snapshot.with(changes));
    await timestamp({ snapshotMeta: entryFor(bytes, 1) });
    return bytes;
  };

  it('refuses bytes of another length or hash before it parses them', async () => {
    await listing();
    await expect(set.updateSnapshot(new TextEncoder().encode('{'))).rejects.toThrow(
      LengthOrHashMismatchError,
    );
    await expect(snapshot({ expires: new Date('2026-07-02T00:00:00Z') })).rejects.toThrow('sha256');
    expect(set.snapshot).toBeUndefined();
  });

  it('refuses hashes it cannot compute', async () => {
    const hashes = new Map([['sha256', 'aa'], ['md5', 'bb']]); // prettier-ignore
    await timestamp({ snapshotMeta: new MetaFile({ version: 1, hashes: new Map([...hashes].reverse()) }) });
    await expect(snapshot()).rejects.toThrow('the listed hash "md5" is not supported');
  });

  it('refuses another version than the timestamp lists', async () => {
    await timestamp();
    await expect(snapshot({ version: 2 })).rejects.toThrow(BadVersionNumberError);
  });

  it('refuses an expired one', async () => {
    await timestamp();
    await expect(snapshot({ expires: NOW })).rejects.toThrow(ExpiredMetadataError);
    expect(set.snapshot).toBeUndefined();
    await expect(targets()).rejects.toThrow(WorkflowOrderError);
  });

  it('takes the right one after a mirror sent another in its place', async () => {
    await timestamp();
    const newer = new Map(repository.snapshot.meta).set('targets.json', new MetaFile({ version: 9 }));
    await expect(snapshot({ version: 2, meta: newer })).rejects.toThrow(BadVersionNumberError);
    await expect(snapshot({ expires: NOW, meta: newer })).rejects.toThrow(ExpiredMetadataError);
    await snapshot();
    await targets();
  });

  it('refuses one that root did not delegate to', async () => {
    await timestamp();
    const bytes = await repository.bytes(repository.snapshot, repository.signers.timestamp);
    await expect(set.updateSnapshot(bytes)).rejects.toThrow(UnsignedMetadataError);
  });

  const metaOf = (versions: Readonly<Record<string, number>>) =>
    new Map(Object.entries(versions).map(([name, version]) => [name, new MetaFile({ version })]));

  it('holds the stored snapshot against a rollback or a loss of any role', async () => {
    await timestamp({ snapshotMeta: new MetaFile({ version: 7 }) });
    const old = { version: 6, meta: metaOf({ 'targets.json': 3, 'a.json': 4 }) };
    await expect(snapshot(old, { trusted: true })).rejects.toThrow(BadVersionNumberError);
    await expect(snapshot({ version: 7, meta: metaOf({ 'targets.json': 3 }) })).rejects.toThrow(
      RoleNotFoundError,
    );
    await expect(snapshot({ version: 7, meta: metaOf({ 'targets.json': 2, 'a.json': 4 }) })).rejects.toThrow(
      'rollback',
    );
    await expect(snapshot({ version: 7, meta: metaOf({ 'targets.json': 3, 'a.json': 3 }) })).rejects.toThrow(
      'rollback',
    );
    await snapshot({ version: 7, meta: metaOf({ 'targets.json': 3, 'a.json': 5, 'new.json': 1 }) });
  });

  it('takes the stored snapshot as the current one only when the timestamp lists exactly its bytes', async () => {
    const bytes = await listing();
    const other = await repository.bytes(
      repository.snapshot.with({ unrecognizedFields: new Map([['x', 1]]) }),
    );
    await expect(set.updateSnapshot(other, { trusted: true })).rejects.toThrow(LengthOrHashMismatchError);
    await expect(targets()).rejects.toThrow(LengthOrHashMismatchError);
    await set.updateSnapshot(bytes);
    await targets();
    set = await start();
    await listing();
    await set.updateSnapshot(bytes, { trusted: true });
    await targets();
  });

  it('uses a stored snapshot that has expired as the baseline', async () => {
    await timestamp();
    await expect(snapshot({ expires: PAST }, { trusted: true })).rejects.toThrow(ExpiredMetadataError);
    const meta = new Map(repository.snapshot.meta);
    meta.delete('a.json');
    await expect(snapshot({ meta })).rejects.toThrow(RoleNotFoundError);
    await snapshot();
  });
});

describe('updateTargets and updateDelegatedTargets', () => {
  it('refuse a role that the snapshot does not list', async () => {
    await timestamp();
    const meta = new Map(repository.snapshot.meta);
    meta.delete('targets.json');
    await snapshot({ meta });
    await expect(targets()).rejects.toThrow(
      expect.objectContaining({ code: 'ROLE_NOT_FOUND', role: 'targets' }),
    );
  });

  it('refuse another version than the snapshot lists: rollback and fast-forward (CVE-2025-2887)', async () => {
    await upToSnapshot();
    await expect(targets({ version: 2 })).rejects.toThrow(BadVersionNumberError);
    await targets();
    const bytes = await repository.bytes(repository.delegated.with({ version: 2 }), repository.signers.a);
    await expect(set.updateDelegatedTargets(bytes, 'a', 'targets')).rejects.toThrow(
      expect.objectContaining({ code: 'BAD_VERSION_NUMBER', role: 'a', version: 2 }),
    );
  });

  it('refuse the old version of a role of which the snapshot lists a newer one', async () => {
    await timestamp();
    const meta = new Map(repository.snapshot.meta).set('targets.json', new MetaFile({ version: 2 }));
    await snapshot({ meta: meta.set('a.json', new MetaFile({ version: 2 })) });
    await expect(targets()).rejects.toThrow(
      expect.objectContaining({ code: 'BAD_VERSION_NUMBER', role: 'targets', version: 1 }),
    );
    await targets({ version: 2 });
    await expect(delegated('a', 'targets', repository.signers.a)).rejects.toThrow(BadVersionNumberError);
  });

  it('refuse expired metadata, delegated too (CVE-2026-6967)', async () => {
    await upToSnapshot();
    await expect(targets({ expires: NOW })).rejects.toThrow(ExpiredMetadataError);
    await targets();
    const bytes = await repository.bytes(repository.delegated.with({ expires: PAST }), repository.signers.a);
    await expect(set.updateDelegatedTargets(bytes, 'a', 'targets')).rejects.toThrow(ExpiredMetadataError);
  });

  it('refuse bytes of another length or hash, delegated too (CVE-2026-6967)', async () => {
    const good = await repository.bytes(repository.delegated, repository.signers.a);
    const other = await repository.bytes(
      repository.delegated.with({ specVersion: '1.0.99' }),
      repository.signers.a,
    );
    await timestamp();
    await snapshot({ meta: new Map(repository.snapshot.meta).set('a.json', entryFor(good, 1)) });
    await targets();
    await expect(set.updateDelegatedTargets(other, 'a', 'targets')).rejects.toThrow(
      LengthOrHashMismatchError,
    );
    await expect(set.updateDelegatedTargets(good.subarray(1), 'a', 'targets')).rejects.toThrow('bytes');
    await set.updateDelegatedTargets(good, 'a', 'targets');
  });

  it('refuse metadata of another role: keys of a role are no keys of its neighbour', async () => {
    await upToTargets();
    await expect(delegated('a', 'targets', repository.signers.b)).rejects.toThrow(UnsignedMetadataError);
    await expect(delegated('c', 'targets', repository.signers.a)).rejects.toThrow(RoleNotFoundError);
    await expect(delegated('a', 'root', repository.signers.a)).rejects.toThrow(RoleNotFoundError);
    expect(await set.delegatedTargets('a', 'targets')).toBeUndefined();
  });

  it('refuse one bin served as another of the same keys and version, where the bin says its name', async () => {
    const { a } = repository.signers;
    repository.targets = repository.targets.with({ delegations: delegationsTo({ a: [a], b: [a] }) });
    await upToTargets();
    const named = repository.delegated.with({ unrecognizedFields: new Map([[ROLE_NAME_FIELD, 'a']]) });
    expect(named.roleName).toBe('a');
    expect(repository.delegated.roleName).toBeUndefined();
    const bytes = await repository.bytes(named, a);
    await expect(set.updateDelegatedTargets(bytes, 'b', 'targets')).rejects.toThrow(
      expect.objectContaining({
        code: 'UNSIGNED_METADATA',
        message: expect.stringContaining('for the role "a"'),
      }),
    );
    await set.updateDelegatedTargets(bytes, 'a', 'targets');
  });

  it('refuse a delegated threshold reached by one key twice (CVE-2026-6966)', async () => {
    const { a } = repository.signers;
    const alias = signerAs(a, Key.fromJson('alias', a.key.toJson()));
    repository.targets = repository.targets.with({ delegations: delegationsTo({ a: [a, alias] }, 2) });
    await upToTargets();
    await expect(delegated('a', 'targets', a, alias)).rejects.toThrow(UnsignedMetadataError);
  });

  it('verify a loaded role again for every delegator (diamond, python-tuf #2977)', async () => {
    const { a, b } = repository.signers;
    const c = generateSigner();
    await upToTargets();
    const withC = repository.delegated.with({ delegations: delegationsTo({ c: [c] }) });
    const withOtherC = repository.delegated.with({ delegations: delegationsTo({ c: [generateSigner()] }) });
    await set.updateDelegatedTargets(await repository.bytes(withC, a), 'a', 'targets');
    await set.updateDelegatedTargets(await repository.bytes(withOtherC, b), 'b', 'targets');
    const loaded = await delegated('c', 'a', c);
    expect(await set.delegatedTargets('c', 'a')).toBe(loaded);
    await expect(set.delegatedTargets('c', 'b')).rejects.toThrow(
      expect.objectContaining({
        code: 'UNSIGNED_METADATA',
        role: 'c',
        message: expect.stringContaining('that b asks for'),
      }),
    );
    await expect(delegated('c', 'b', c)).rejects.toThrow(UnsignedMetadataError);
    await expect(set.delegatedTargets('c', 'targets')).rejects.toThrow(RoleNotFoundError);
  });

  it('keep working when leaf roles are forgotten to save memory', async () => {
    set = await TrustedMetadataSet.create(await repository.bytes(repository.root), {
      referenceTime: NOW,
      loadedBytes: 1,
    });
    await upToTargets();
    const { a, b } = repository.signers;
    await delegated('a', 'targets', a);
    expect(await set.delegatedTargets('a', 'targets')).toBeDefined();
    await delegated('b', 'targets', b);
    expect(await set.delegatedTargets('a', 'targets')).toBeUndefined();
    await delegated('a', 'targets', a);
    expect(await set.delegatedTargets('a', 'targets')).toBeDefined();
  });
});
