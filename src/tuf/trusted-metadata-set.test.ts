import { beforeEach, describe, expect, it } from 'vitest';
import { NOW, PAST, RoleSession, entryFor } from '../../test/tools/tuf-repository.ts';
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
import { WebCrypto } from './web-crypto.ts';

let session: RoleSession;
beforeEach(async () => {
  session = await RoleSession.start();
});

describe('TrustedMetadataSet', () => {
  it('takes a whole repository in order', async () => {
    await session.upToTargets();
    const { a, b } = session.repository.signers;
    const role = await session.delegated('a', 'targets', a);
    await session.delegated('b', 'targets', b);
    expect(await session.set.delegatedTargets('a', 'targets')).toBe(role);
    expect(
      [session.set.root, session.set.timestamp, session.set.snapshot, session.set.targets].map(
        (signed) => signed?.version,
      ),
    ).toEqual([1, 1, 1, 1]);
    expect(session.set.referenceTime).toBe(NOW);
    expect(session.set.onlineKeysRotated).toBe(false);
  });

  it('takes it with WebCrypto too', async () => {
    await session.start({
      referenceTime: NOW,
      crypto: new WebCrypto(),
    });
    await session.upToTargets();
    await expect(session.targets({ version: 2 })).rejects.toThrow(BadVersionNumberError);
  });

  it('lets errors of the cryptography itself through', async () => {
    const crypto = {
      digest: () => Promise.reject(new Error('out of memory')),
      verify: () => true,
    };
    await session.start({
      referenceTime: NOW,
      crypto,
    });
    await session.timestamp({
      snapshotMeta: new MetaFile({ version: 1, hashes: new Map([['sha256', 'ab']]) }),
    });
    await expect(session.snapshot()).rejects.toThrow('out of memory');
    await expect(session.snapshot({}, { trusted: true })).rejects.toThrow('out of memory');
    expect(session.set.snapshot).toBeUndefined();
  });

  it('obeys the limits on parsing for every role', async () => {
    const options = { referenceTime: NOW, limits: { maxLength: 3000 } };
    await session.start(options);
    const long = new Map([['x', 'x'.repeat(3000)]]);
    await expect(session.timestamp({ unrecognizedFields: long })).rejects.toThrow(MalformedMetadataError);
  });

  it('refuses to be used in the wrong order', async () => {
    const nextRoot = await session.repository.bytes(session.repository.root.with({ version: 2 }));
    await expect(session.snapshot()).rejects.toThrow(WorkflowOrderError);
    await expect(session.targets()).rejects.toThrow(WorkflowOrderError);
    expect(() => session.set.snapshotEntry('targets')).toThrow(WorkflowOrderError);
    await session.timestamp();
    await expect(session.set.updateRoot(nextRoot)).rejects.toThrow(WorkflowOrderError);
    await expect(session.targets()).rejects.toThrow(WorkflowOrderError);
    await session.snapshot();
    await expect(session.timestamp({ version: 2 })).rejects.toThrow(WorkflowOrderError);
    await expect(session.delegated('a', 'targets', session.repository.signers.a)).rejects.toThrow(
      WorkflowOrderError,
    );
    await session.targets();
    await expect(session.snapshot()).rejects.toThrow(WorkflowOrderError);
    await expect(session.delegated('a', 'b', session.repository.signers.a)).rejects.toThrow(
      WorkflowOrderError,
    );
    expect(await session.set.delegatedTargets('a', 'targets')).toBeUndefined();
  });

  it('says that the order is wrong before it looks at the bytes', async () => {
    const garbage = new TextEncoder().encode('no metadata');
    await session.timestamp();
    await expect(session.set.updateRoot(garbage)).rejects.toThrow(WorkflowOrderError);
    await session.snapshot();
    await expect(session.set.updateTimestamp(garbage)).rejects.toThrow(WorkflowOrderError);
    await session.targets();
    await expect(session.set.updateSnapshot(garbage)).rejects.toThrow(WorkflowOrderError);
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
      await session.start({
        referenceTime: NOW,
        crypto,
      });
    }

    it('a timestamp does not take the place of the one a snapshot was checked against', async () => {
      await held('timestamp', 2);
      const first = await session.timestamp();
      const second = session.timestamp({ version: 2 });
      await session.snapshot();
      open();
      await expect(second).rejects.toThrow(WorkflowOrderError);
      expect(session.set.timestamp).toBe(first);
    });

    it('a snapshot is not taken that was checked against another timestamp', async () => {
      await held('snapshot', 1);
      await session.timestamp();
      const checked = session.snapshot();
      await session.timestamp({ version: 2, snapshotMeta: new MetaFile({ version: 1 }) });
      open();
      await expect(checked).rejects.toThrow(WorkflowOrderError);
      expect(session.set.snapshot).toBeUndefined();
    });
  });

  it('refuses two updates at once instead of letting the older win', async () => {
    const two = await session.repository.bytes(session.repository.root.with({ version: 2 }));
    const roots = await Promise.allSettled([session.set.updateRoot(two), session.set.updateRoot(two)]);
    expect(roots.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const timestamps = await Promise.allSettled([
      session.timestamp({ version: 5 }),
      session.timestamp({ version: 4 }),
    ]);
    expect(timestamps.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(session.set.timestamp?.version).toBe(5);
  });
});

describe('updateTimestamp', () => {
  it('refuses a version that rolled back', async () => {
    await session.timestamp({ version: 5 });
    await expect(session.timestamp({ version: 4 })).rejects.toThrow(BadVersionNumberError);
    expect(session.set.timestamp?.version).toBe(5);
  });

  it('says so when the version is the trusted one, and does not take its content', async () => {
    await session.timestamp({ version: 5 });
    const other = { version: 5, snapshotMeta: new MetaFile({ version: 9 }) };
    await expect(session.timestamp(other)).rejects.toThrow(EqualVersionNumberError);
    await expect(session.timestamp(other)).rejects.toThrow(
      expect.objectContaining({ code: 'EQUAL_VERSION_NUMBER' }),
    );
    expect(session.set.timestamp?.snapshotMeta.version).toBe(1);
  });

  it('refuses a snapshot version that rolled back inside a newer timestamp', async () => {
    await session.timestamp({ version: 5, snapshotMeta: new MetaFile({ version: 3 }) });
    await expect(
      session.timestamp({ version: 6, snapshotMeta: new MetaFile({ version: 2 }) }),
    ).rejects.toThrow(BadVersionNumberError);
    await session.timestamp({ version: 6, snapshotMeta: new MetaFile({ version: 3 }) });
  });

  it('refuses an expired one, at the very second too, and still holds it against a rollback', async () => {
    await expect(session.timestamp({ version: 5, expires: NOW })).rejects.toThrow(ExpiredMetadataError);
    await expect(session.timestamp({ version: 4 })).rejects.toThrow(BadVersionNumberError);
    await expect(session.snapshot()).rejects.toThrow(ExpiredMetadataError);
    await session.timestamp({ version: 6, expires: new Date(NOW.getTime() + 1000) });
  });

  it('checks the signature before it looks at the version or the expiry', async () => {
    await session.timestamp({ version: 5 });
    const old = session.repository.timestamp.with({ version: 4, expires: PAST });
    await expect(
      session.set.updateTimestamp(await session.repository.bytes(old, session.repository.signers.snapshot)),
    ).rejects.toThrow(UnsignedMetadataError);
  });
});

describe('updateSnapshot', () => {
  const listing = async (changes = {}) => {
    const bytes = await session.repository.bytes(session.repository.snapshot.with(changes));
    await session.timestamp({ snapshotMeta: entryFor(bytes, 1) });
    return bytes;
  };

  it('refuses bytes of another length or hash before it parses them', async () => {
    await listing();
    await expect(session.set.updateSnapshot(new TextEncoder().encode('{'))).rejects.toThrow(
      LengthOrHashMismatchError,
    );
    await expect(session.snapshot({ expires: new Date('2026-07-02T00:00:00Z') })).rejects.toThrow('sha256');
    expect(session.set.snapshot).toBeUndefined();
  });

  it('refuses hashes it cannot compute', async () => {
    const hashes = new Map([['sha256', 'aa'], ['md5', 'bb']]); // prettier-ignore
    await session.timestamp({
      snapshotMeta: new MetaFile({ version: 1, hashes: new Map([...hashes].reverse()) }),
    });
    await expect(session.snapshot()).rejects.toThrow('the listed hash "md5" is not supported');
  });

  it('refuses another version than the timestamp lists', async () => {
    await session.timestamp();
    await expect(session.snapshot({ version: 2 })).rejects.toThrow(BadVersionNumberError);
  });

  it('refuses an expired one', async () => {
    await session.timestamp();
    await expect(session.snapshot({ expires: NOW })).rejects.toThrow(ExpiredMetadataError);
    expect(session.set.snapshot).toBeUndefined();
    await expect(session.targets()).rejects.toThrow(WorkflowOrderError);
  });

  it('takes the right one after a mirror sent another in its place', async () => {
    await session.timestamp();
    const newer = new Map(session.repository.snapshot.meta).set('targets.json', new MetaFile({ version: 9 }));
    await expect(session.snapshot({ version: 2, meta: newer })).rejects.toThrow(BadVersionNumberError);
    await expect(session.snapshot({ expires: NOW, meta: newer })).rejects.toThrow(ExpiredMetadataError);
    await session.snapshot();
    await session.targets();
  });

  it('refuses one that root did not delegate to', async () => {
    await session.timestamp();
    const bytes = await session.repository.bytes(
      session.repository.snapshot,
      session.repository.signers.timestamp,
    );
    await expect(session.set.updateSnapshot(bytes)).rejects.toThrow(UnsignedMetadataError);
  });

  const metaOf = (versions: Readonly<Record<string, number>>) =>
    new Map(Object.entries(versions).map(([name, version]) => [name, new MetaFile({ version })]));

  it('holds the stored snapshot against a rollback or a loss of any role', async () => {
    await session.timestamp({ snapshotMeta: new MetaFile({ version: 7 }) });
    const old = { version: 6, meta: metaOf({ 'targets.json': 3, 'a.json': 4 }) };
    await expect(session.snapshot(old, { trusted: true })).rejects.toThrow(BadVersionNumberError);
    await expect(session.snapshot({ version: 7, meta: metaOf({ 'targets.json': 3 }) })).rejects.toThrow(
      RoleNotFoundError,
    );
    await expect(
      session.snapshot({ version: 7, meta: metaOf({ 'targets.json': 2, 'a.json': 4 }) }),
    ).rejects.toThrow('rollback');
    await expect(
      session.snapshot({ version: 7, meta: metaOf({ 'targets.json': 3, 'a.json': 3 }) }),
    ).rejects.toThrow('rollback');
    await session.snapshot({ version: 7, meta: metaOf({ 'targets.json': 3, 'a.json': 5, 'new.json': 1 }) });
  });

  it('takes the stored snapshot as the current one only when the timestamp lists exactly its bytes', async () => {
    const bytes = await listing();
    const other = await session.repository.bytes(
      session.repository.snapshot.with({ unrecognizedFields: new Map([['x', 1]]) }),
    );
    await expect(session.set.updateSnapshot(other, { trusted: true })).rejects.toThrow(
      LengthOrHashMismatchError,
    );
    await expect(session.targets()).rejects.toThrow(LengthOrHashMismatchError);
    await session.set.updateSnapshot(bytes);
    await session.targets();
    await session.start();
    await listing();
    await session.set.updateSnapshot(bytes, { trusted: true });
    await session.targets();
  });

  it('uses a stored snapshot that has expired as the baseline', async () => {
    await session.timestamp();
    await expect(session.snapshot({ expires: PAST }, { trusted: true })).rejects.toThrow(
      ExpiredMetadataError,
    );
    const meta = new Map(session.repository.snapshot.meta);
    meta.delete('a.json');
    await expect(session.snapshot({ meta })).rejects.toThrow(RoleNotFoundError);
    await session.snapshot();
  });
});
