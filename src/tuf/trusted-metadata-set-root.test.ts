import { beforeEach, describe, expect, it } from 'vitest';
import { NOW, PAST, RoleSession } from '../../test/tools/tuf-repository.ts';
import { generateSigner, rootOf, signerAs } from '../../test/tools/tuf-signers.ts';
import { ExpiredMetadataError, MalformedMetadataError, UnsignedMetadataError } from './errors.ts';
import { Key } from './key.ts';
import { Role } from './role.ts';
import { TrustedMetadataSet } from './trusted-metadata-set.ts';

let session: RoleSession;
beforeEach(async () => {
  session = await RoleSession.start();
});

describe('the trusted root', () => {
  it('must be signed by itself (CVE-2020-15163)', async () => {
    const bytes = await session.repository.bytes(
      session.repository.root,
      session.repository.signers.snapshot,
    );
    await expect(TrustedMetadataSet.create(bytes, { referenceTime: NOW })).rejects.toThrow(
      UnsignedMetadataError,
    );
  });

  it('may be expired when the session starts, as long as the last root is not', async () => {
    session.repository.root = session.repository.root.with({ expires: PAST });
    await session.start();
    await expect(session.timestamp()).rejects.toThrow(ExpiredMetadataError);
    await session.set.updateRoot(
      await session.repository.bytes(
        session.repository.root.with({ version: 2, expires: session.repository.timestamp.expires }),
      ),
    );
    expect((await session.timestamp()).version).toBe(1);
  });

  it('must be a root', async () => {
    const bytes = await session.repository.bytes(session.repository.timestamp);
    await expect(TrustedMetadataSet.create(bytes, { referenceTime: NOW })).rejects.toThrow(
      MalformedMetadataError,
    );
  });
});

describe('updateRoot', () => {
  it.each([1, 3, 7])('refuses version %d after version 1: exactly N+1 (CVE-2025-2885)', async (version) => {
    const bytes = await session.repository.bytes(session.repository.root.with({ version }));
    await expect(session.set.updateRoot(bytes)).rejects.toThrow(
      expect.objectContaining({
        code: 'BAD_VERSION_NUMBER',
        role: 'root',
        version,
        message: `root: version ${version} came where version 2 must follow`,
      }),
    );
    expect(session.set.root.version).toBe(1);
  });

  it('refuses a root that the trusted root did not sign, though it signed itself', async () => {
    const thief = generateSigner();
    const bytes = await session.repository.bytes(rootOf([thief], { version: 2 }), thief);
    await expect(session.set.updateRoot(bytes)).rejects.toThrow(UnsignedMetadataError);
  });

  it('refuses a root that did not sign itself with its own new keys and threshold', async () => {
    const next = generateSigner();
    const successor = rootOf([next], { version: 2 });
    await expect(
      session.set.updateRoot(await session.repository.bytes(successor, session.repository.signers.root)),
    ).rejects.toThrow('root: version 2 is signed by 0 of the 1 keys that root 2 asks for');
    expect(session.set.root.version).toBe(1);
    await session.set.updateRoot(
      await session.repository.bytes(successor, session.repository.signers.root, next),
    );
    expect(session.set.root.version).toBe(2);
  });

  it('counts keys, not signatures, towards the threshold of the new root (GMS-2022-4197)', async () => {
    const { root } = session.repository.signers;
    const alias = signerAs(root, Key.fromJson('alias', root.key.toJson()));
    const successor = rootOf([root, alias], { version: 2, threshold: 2 });
    await expect(
      session.set.updateRoot(await session.repository.bytes(successor, root, alias)),
    ).rejects.toThrow(UnsignedMetadataError);
  });

  it('ignores the expiry of intermediate roots and checks the last one only', async () => {
    await session.set.updateRoot(
      await session.repository.bytes(session.repository.root.with({ version: 2, expires: PAST })),
    );
    await expect(session.timestamp()).rejects.toThrow(
      expect.objectContaining({ code: 'EXPIRED_METADATA', role: 'root', version: 2 }),
    );
    await session.set.updateRoot(
      await session.repository.bytes(session.repository.root.with({ version: 3 })),
    );
    await session.timestamp();
  });

  it('verifies later roles with the new keys only', async () => {
    const next = generateSigner();
    const rotated = rootOf([next], { version: 2 });
    await session.set.updateRoot(
      await session.repository.bytes(rotated, session.repository.signers.root, next),
    );
    await expect(session.timestamp()).rejects.toThrow(UnsignedMetadataError);
    await session.set.updateTimestamp(await session.repository.bytes(session.repository.timestamp, next));
  });
});

describe('fast-forward recovery (spec 5.3.11)', () => {
  const after = async (
    changes: (roles: Map<string, Role>) => void,
    keys = new Map(session.repository.root.keys),
  ) => {
    const roles = new Map(session.repository.root.roles);
    changes(roles);
    await session.set.updateRoot(
      await session.repository.bytes(session.repository.root.with({ version: 2, roles, keys })),
    );
    return session.set.onlineKeysRotated;
  };
  const roleOf = (signers: readonly { readonly key: Key }[], threshold = 1) =>
    new Role({ keyIds: signers.map(({ key }) => key.keyId), threshold });

  it.each(['timestamp', 'snapshot'])('is due when the %s key was replaced', async (role) => {
    const next = generateSigner();
    const keys = new Map(session.repository.root.keys).set(next.key.keyId, next.key);
    expect(await after((roles) => roles.set(role, roleOf([next])), keys)).toBe(true);
  });

  it.each(['timestamp', 'snapshot'] as const)(
    'is due when a key was added to %s, or the threshold changed',
    async (role) => {
      const { [role]: old, a } = session.repository.signers;
      const keys = new Map(session.repository.root.keys).set(a.key.keyId, a.key);
      expect(await after((roles) => roles.set(role, roleOf([old, a])), keys)).toBe(true);
      await session.start();
      expect(await after((roles) => roles.set(role, roleOf([old], 2)))).toBe(true);
    },
  );

  it('is due when a key id was added whose key is not there yet', async () => {
    const old = session.repository.signers.timestamp.key.keyId;
    const role = new Role({ keyIds: [old, 'announced'], threshold: 1 });
    expect(await after((roles) => roles.set('timestamp', role))).toBe(true);
  });

  it('is not due for a new root as such, a new targets key, or the same key under another id', async () => {
    expect(await after(() => undefined)).toBe(false);
    await session.start();
    const { a, timestamp: old } = session.repository.signers;
    const keys = new Map(session.repository.root.keys).set(a.key.keyId, a.key);
    expect(await after((roles) => roles.set('targets', roleOf([a])), keys)).toBe(false);
    await session.start();
    const alias = Key.fromJson('alias', old.key.toJson());
    const withAlias = new Map(session.repository.root.keys).set('alias', alias);
    expect(await after((roles) => roles.set('timestamp', roleOf([{ key: alias }])), withAlias)).toBe(false);
    await session.start();
    expect(await after((roles) => roles.set('timestamp', roleOf([old, { key: alias }])), withAlias)).toBe(
      false,
    );
  });

  it('stays due when a later root changes nothing more', async () => {
    const next = generateSigner();
    const keys = new Map(session.repository.root.keys).set(next.key.keyId, next.key);
    const roles = new Map(session.repository.root.roles).set('snapshot', roleOf([next]));
    const rotated = session.repository.root.with({ version: 2, keys, roles });
    await session.set.updateRoot(await session.repository.bytes(rotated));
    await session.set.updateRoot(await session.repository.bytes(rotated.with({ version: 3 })));
    expect(session.set.onlineKeysRotated).toBe(true);
  });
});
