import { beforeEach, describe, expect, it } from 'vitest';
import { NOW, PAST, RoleSession, delegationsTo, entryFor } from '../../test/tools/tuf-repository.ts';
import { generateSigner, signerAs } from '../../test/tools/tuf-signers.ts';
import {
  BadVersionNumberError,
  ExpiredMetadataError,
  LengthOrHashMismatchError,
  RoleNotFoundError,
  UnsignedMetadataError,
} from './errors.ts';
import { MetaFile } from './file.ts';
import { Key } from './key.ts';
import { ROLE_NAME_FIELD } from './targets.ts';

let session: RoleSession;
beforeEach(async () => {
  session = await RoleSession.start();
});

describe('updateTargets and updateDelegatedTargets', () => {
  it('refuse a role that the snapshot does not list', async () => {
    await session.timestamp();
    const meta = new Map(session.repository.snapshot.meta);
    meta.delete('targets.json');
    await session.snapshot({ meta });
    await expect(session.targets()).rejects.toThrow(
      expect.objectContaining({ code: 'ROLE_NOT_FOUND', role: 'targets' }),
    );
  });

  it('refuse another version than the snapshot lists: rollback and fast-forward (CVE-2025-2887)', async () => {
    await session.upToSnapshot();
    await expect(session.targets({ version: 2 })).rejects.toThrow(BadVersionNumberError);
    await session.targets();
    const bytes = await session.repository.bytes(
      session.repository.delegated.with({ version: 2 }),
      session.repository.signers.a,
    );
    await expect(session.set.updateDelegatedTargets(bytes, 'a', 'targets')).rejects.toThrow(
      expect.objectContaining({ code: 'BAD_VERSION_NUMBER', role: 'a', version: 2 }),
    );
  });

  it('refuse the old version of a role of which the snapshot lists a newer one', async () => {
    await session.timestamp();
    const meta = new Map(session.repository.snapshot.meta).set('targets.json', new MetaFile({ version: 2 }));
    await session.snapshot({ meta: meta.set('a.json', new MetaFile({ version: 2 })) });
    await expect(session.targets()).rejects.toThrow(
      expect.objectContaining({ code: 'BAD_VERSION_NUMBER', role: 'targets', version: 1 }),
    );
    await session.targets({ version: 2 });
    await expect(session.delegated('a', 'targets', session.repository.signers.a)).rejects.toThrow(
      BadVersionNumberError,
    );
  });

  it('refuse expired metadata, delegated too (CVE-2026-6967)', async () => {
    await session.upToSnapshot();
    await expect(session.targets({ expires: NOW })).rejects.toThrow(ExpiredMetadataError);
    await session.targets();
    const bytes = await session.repository.bytes(
      session.repository.delegated.with({ expires: PAST }),
      session.repository.signers.a,
    );
    await expect(session.set.updateDelegatedTargets(bytes, 'a', 'targets')).rejects.toThrow(
      ExpiredMetadataError,
    );
  });

  it('refuse bytes of another length or hash, delegated too (CVE-2026-6967)', async () => {
    const good = await session.repository.bytes(session.repository.delegated, session.repository.signers.a);
    const other = await session.repository.bytes(
      session.repository.delegated.with({ specVersion: '1.0.99' }),
      session.repository.signers.a,
    );
    await session.timestamp();
    await session.snapshot({
      meta: new Map(session.repository.snapshot.meta).set('a.json', entryFor(good, 1)),
    });
    await session.targets();
    await expect(session.set.updateDelegatedTargets(other, 'a', 'targets')).rejects.toThrow(
      LengthOrHashMismatchError,
    );
    await expect(session.set.updateDelegatedTargets(good.subarray(1), 'a', 'targets')).rejects.toThrow(
      'bytes',
    );
    await session.set.updateDelegatedTargets(good, 'a', 'targets');
  });

  it('refuse metadata of another role: keys of a role are no keys of its neighbour', async () => {
    await session.upToTargets();
    await expect(session.delegated('a', 'targets', session.repository.signers.b)).rejects.toThrow(
      UnsignedMetadataError,
    );
    await expect(session.delegated('c', 'targets', session.repository.signers.a)).rejects.toThrow(
      RoleNotFoundError,
    );
    await expect(session.delegated('a', 'root', session.repository.signers.a)).rejects.toThrow(
      RoleNotFoundError,
    );
    expect(await session.set.delegatedTargets('a', 'targets')).toBeUndefined();
  });

  it('refuse one bin served as another of the same keys and version, where the bin says its name', async () => {
    const { a } = session.repository.signers;
    session.repository.targets = session.repository.targets.with({
      delegations: delegationsTo({ a: [a], b: [a] }),
    });
    await session.upToTargets();
    const named = session.repository.delegated.with({
      unrecognizedFields: new Map([[ROLE_NAME_FIELD, 'a']]),
    });
    expect(named.roleName).toBe('a');
    expect(session.repository.delegated.roleName).toBeUndefined();
    const bytes = await session.repository.bytes(named, a);
    await expect(session.set.updateDelegatedTargets(bytes, 'b', 'targets')).rejects.toThrow(
      expect.objectContaining({
        code: 'UNSIGNED_METADATA',
        message: expect.stringContaining('for the role "a"'),
      }),
    );
    await session.set.updateDelegatedTargets(bytes, 'a', 'targets');
  });

  it('refuse a delegated threshold reached by one key twice (CVE-2026-6966)', async () => {
    const { a } = session.repository.signers;
    const alias = signerAs(a, Key.fromJson('alias', a.key.toJson()));
    session.repository.targets = session.repository.targets.with({
      delegations: delegationsTo({ a: [a, alias] }, 2),
    });
    await session.upToTargets();
    await expect(session.delegated('a', 'targets', a, alias)).rejects.toThrow(UnsignedMetadataError);
  });

  it('verify a loaded role again for every delegator (diamond, python-tuf #2977)', async () => {
    const { a, b } = session.repository.signers;
    const c = generateSigner();
    await session.upToTargets();
    const withC = session.repository.delegated.with({ delegations: delegationsTo({ c: [c] }) });
    const withOtherC = session.repository.delegated.with({
      delegations: delegationsTo({ c: [generateSigner()] }),
    });
    await session.set.updateDelegatedTargets(await session.repository.bytes(withC, a), 'a', 'targets');
    await session.set.updateDelegatedTargets(await session.repository.bytes(withOtherC, b), 'b', 'targets');
    const loaded = await session.delegated('c', 'a', c);
    expect(await session.set.delegatedTargets('c', 'a')).toBe(loaded);
    await expect(session.set.delegatedTargets('c', 'b')).rejects.toThrow(
      expect.objectContaining({
        code: 'UNSIGNED_METADATA',
        role: 'c',
        message: expect.stringContaining('that b asks for'),
      }),
    );
    await expect(session.delegated('c', 'b', c)).rejects.toThrow(UnsignedMetadataError);
    await expect(session.set.delegatedTargets('c', 'targets')).rejects.toThrow(RoleNotFoundError);
  });

  it('keep working when leaf roles are forgotten to save memory', async () => {
    await session.start({
      referenceTime: NOW,
      loadedBytes: 1,
    });
    await session.upToTargets();
    const { a, b } = session.repository.signers;
    await session.delegated('a', 'targets', a);
    expect(await session.set.delegatedTargets('a', 'targets')).toBeDefined();
    await session.delegated('b', 'targets', b);
    expect(await session.set.delegatedTargets('a', 'targets')).toBeUndefined();
    await session.delegated('a', 'targets', a);
    expect(await session.set.delegatedTargets('a', 'targets')).toBeDefined();
  });
});
