import { beforeAll, describe, expect, it, vi } from 'vitest';
import { generateSigner, rootOf, signerAs } from '../../test/tools/tuf-signers.ts';
import type { TestSigner } from '../../test/tools/tuf-signers.ts';
import { defaultCrypto } from './default-crypto.ts';
import { Delegations } from './delegations.ts';
import { DelegatedRole } from './delegated-role.ts';
import { RoleNotFoundError, UnsignedMetadataError } from './errors.ts';
import { MetaFile } from './file.ts';
import { Key } from './key.ts';
import { Metadata, signMetadata } from './metadata.ts';
import { Role } from './role.ts';
import { Signature } from './signature.ts';
import type { Signer } from './signer.ts';
import { Snapshot } from './snapshot.ts';
import { SuccinctRoles } from './succinct-roles.ts';
import { Targets } from './targets.ts';
import { Timestamp } from './timestamp.ts';
import { requireVerified, verifySignatures } from './verification.ts';

const expires = new Date('2030-01-01T00:00:00Z');
const snapshot = new Snapshot({ version: 4, expires, meta: new Map() });
const timestamp = new Timestamp({ version: 4, expires, snapshotMeta: new MetaFile({ version: 1 }) });
const targets = new Targets({ version: 4, expires, targets: new Map() });
let [a, b, c]: TestSigner[] = [];
const get = (signer: TestSigner | undefined) => signer ?? expect.unreachable();
const keysOf = (signers: readonly Signer[]) => new Map(signers.map(({ key }) => [key.keyId, key]));
const roleOf = (signers: readonly Signer[], threshold: number) => ({ keyIds: signers.map(({ key }) => key.keyId), threshold }); // prettier-ignore

beforeAll(() => {
  [a, b, c] = [generateSigner(), generateSigner('ecdsa-sha2-nistp256'), generateSigner()];
});

describe('verifySignatures', () => {
  it('counts to the threshold and says who signed and who is missing', async () => {
    const all = [get(a), get(b), get(c)];
    const metadata = await signMetadata(snapshot, [get(a), get(b)]);
    const two = await verifySignatures(roleOf(all, 2), keysOf(all), metadata);
    expect(two).toMatchObject({ verified: true, threshold: 2 });
    expect([...two.signed.keys()]).toEqual([get(a).key.keyId, get(b).key.keyId]);
    expect([...two.missing.values()]).toEqual([get(c).key]);
    const three = await verifySignatures(roleOf(all, 3), keysOf(all), metadata);
    expect(three.verified).toBe(false);
    expect(() => requireVerified(three, { role: 'snapshot', version: 4, delegator: 'root' })).toThrow(
      'snapshot: version 4 is signed by 2 of the 3 keys that root asks for',
    );
  });

  it('ignores signatures of keys that are not of the role', async () => {
    const metadata = await signMetadata(snapshot, [get(b), get(c)]);
    const result = await verifySignatures(roleOf([get(a)], 1), keysOf([get(a), get(b), get(c)]), metadata);
    expect(result).toMatchObject({ verified: false, signed: new Map() });
  });

  it('ignores key ids of the role for which there is no key', async () => {
    const metadata = await signMetadata(snapshot, [get(a), get(b)]);
    const result = await verifySignatures(roleOf([get(a), get(b)], 2), keysOf([get(a)]), metadata);
    expect(result.verified).toBe(false);
    expect(result.missing.size).toBe(0);
  });

  it('refuses a threshold of 0 even when handed one', async () => {
    const metadata = await signMetadata(snapshot, []);
    expect((await verifySignatures(roleOf([get(a)], 0), keysOf([get(a)]), metadata)).verified).toBe(false);
    expect((await verifySignatures(roleOf([get(a)], -1), keysOf([get(a)]), metadata)).verified).toBe(false);
    expect((await verifySignatures(roleOf([get(a)], Number.NaN), keysOf([get(a)]), metadata)).verified).toBe(
      false,
    );
  });

  it('counts one key under two key ids once (TAP 12)', async () => {
    const alias = signerAs(get(a), Key.fromJson('alias', get(a).key.toJson()));
    const pem = get(a).publicKey.export({ format: 'pem', type: 'spki' }) as string;
    const asPem = signerAs(get(a), Key.fromPublicKey('ed25519', 'ed25519', pem));
    const signers = [get(a), alias, asPem];
    const metadata = await signMetadata(snapshot, signers);
    const result = await verifySignatures(roleOf(signers, 2), keysOf(signers), metadata);
    expect(result.signed.size).toBe(3);
    expect(result.verified).toBe(false);
    expect(() => requireVerified(result, { role: 'x', version: 1, delegator: 'y' })).toThrow(
      'signed by 1 of the 2',
    );
    expect((await verifySignatures(roleOf(signers, 1), keysOf(signers), metadata)).verified).toBe(true);
  });

  it('honours declared key ids that are no hash of the key', async () => {
    const odd = signerAs(get(a), Key.fromJson('constructor', get(a).key.toJson()));
    const metadata = await signMetadata(snapshot, [odd]);
    expect((await verifySignatures(roleOf([odd], 1), keysOf([odd]), metadata)).verified).toBe(true);
  });

  it.each(['', 'zz', '0', 'ff'.repeat(10_000), '\u0000'])(
    'takes the signature %j for no signature',
    async (sig) => {
      const metadata = Metadata.unsigned(snapshot).withSignatures([new Signature(get(a).key.keyId, sig)]);
      const result = await verifySignatures(roleOf([get(a)], 1), keysOf([get(a)]), metadata);
      expect(result).toMatchObject({ verified: false, missing: keysOf([get(a)]), unusable: new Map() });
    },
  );

  it('names keys of unsupported schemes and malformed keys instead of failing on them', async () => {
    const keyval = new Map([['public', 'x']]);
    const unknown = Key.fromJson('unknown', new Map<string, never>([['keytype', 'k'], ['scheme', 's'], ['keyval', keyval]] as never)); // prettier-ignore
    const bad = Key.fromJson('bad', new Map<string, never>([['keytype', 'ed25519'], ['scheme', 'ed25519'], ['keyval', keyval]] as never)); // prettier-ignore
    const metadata = (await signMetadata(snapshot, [get(a)])).withSignatures([
      new Signature('unknown', '00'),
      new Signature('bad', '00'),
      await get(a).sign(Metadata.unsigned(snapshot).signedBytes),
    ]);
    const keys = new Map([['unknown', unknown], ['bad', bad], [get(a).key.keyId, get(a).key]]); // prettier-ignore
    const role = { keyIds: [...keys.keys()], threshold: 1 };
    expect((await verifySignatures(role, keys, metadata)).verified).toBe(true);
    const result = await verifySignatures({ ...role, threshold: 2 }, keys, metadata);
    expect([...result.unusable].map(([keyId, error]) => [keyId, error.code])).toEqual([
      ['unknown', 'UNSUPPORTED_SCHEME'],
      ['bad', 'MALFORMED_KEY'],
    ]);
    expect(() => requireVerified(result, { role: 'snapshot', version: 4, delegator: 'root' })).toThrow(
      'key unknown: unsupported scheme "s" for key type "k"',
    );
    expect(() => requireVerified(result, { role: 'snapshot', version: 4, delegator: 'root' })).toThrow(
      UnsignedMetadataError,
    );
  });

  it('verifies at most one signature per key of the role, however many stand there (CVE-2020-6173)', async () => {
    const signatures = Array.from(
      { length: 10_000 },
      (_, index) => new Signature(`k${index}`, '00'.repeat(64)),
    );
    const metadata = Metadata.unsigned(snapshot).withSignatures([...signatures, new Signature(get(a).key.keyId, '00'.repeat(64))]); // prettier-ignore
    const verify = vi.spyOn(defaultCrypto, 'verify');
    await verifySignatures(roleOf([get(a)], 1), keysOf([get(a)]), metadata);
    expect(verify).toHaveBeenCalledTimes(1);
    verify.mockRestore();
  });

  it('lets errors of the cryptography itself through', async () => {
    const metadata = await signMetadata(snapshot, [get(a)]);
    const broken = {
      ...defaultCrypto,
      digest: () => new Uint8Array(),
      verify: () => Promise.reject(new Error('HSM gone')),
    };
    await expect(verifySignatures(roleOf([get(a)], 1), keysOf([get(a)]), metadata, broken)).rejects.toThrow(
      'HSM gone',
    );
  });
});

describe('verifyDelegate', () => {
  it('of root verifies top-level roles by their own type only', async () => {
    const root = rootOf([get(a)]);
    expect((await root.verifyDelegate('snapshot', await signMetadata(snapshot, [get(a)]))).verified).toBe(
      true,
    );
    expect((await root.verifyDelegate('targets', await signMetadata(targets, [get(a)]))).verified).toBe(true);
    const signed = await signMetadata(timestamp, [get(a)]);
    expect((await root.verifyDelegate('timestamp', signed)).verified).toBe(true);
    await expect(root.verifyDelegate('snapshot', signed)).rejects.toThrow(RoleNotFoundError);
    await expect(root.verifyDelegate('bin-0', await signMetadata(targets, [get(a)]))).rejects.toThrow(
      RoleNotFoundError,
    );
    const mirrors = new Map(root.roles).set('mirrors', new Role({ keyIds: [], threshold: 1 }));
    await expect(root.with({ roles: mirrors }).verifyDelegate('mirrors', signed)).rejects.toThrow(
      RoleNotFoundError,
    );
  });

  it('of targets verifies the roles it delegates to, with the keys it lists', async () => {
    const role = new DelegatedRole({
      ...roleOf([get(a)], 1),
      name: 'project-foo',
      terminating: false,
      paths: ['*'],
    });
    const delegations = new Delegations({ keys: keysOf([get(a)]), roles: [role] });
    const delegator = targets.with({ delegations });
    const metadata = await signMetadata(targets, [get(a)]);
    expect((await delegator.verifyDelegate('project-foo', metadata)).verified).toBe(true);
    expect(
      (await delegator.verifyDelegate('project-foo', await signMetadata(targets, [get(c)]))).verified,
    ).toBe(false);
    await expect(delegator.verifyDelegate('project-bar', metadata)).rejects.toThrow(RoleNotFoundError);
    await expect(delegator.verifyDelegate('__proto__', metadata)).rejects.toThrow(RoleNotFoundError);
    await expect(targets.verifyDelegate('project-foo', metadata)).rejects.toThrow(RoleNotFoundError);
    const wrongType = await signMetadata(snapshot, [get(a)]);
    await expect(delegator.verifyDelegate('project-foo', wrongType)).rejects.toThrow(RoleNotFoundError);
  });

  it('of succinct roles verifies the names of its bins only (GHSA-77hh-43cm-v8j6)', async () => {
    const succinctRoles = new SuccinctRoles({ ...roleOf([get(a)], 1), bitLength: 5, namePrefix: 'bin' });
    const delegator = targets.with({
      delegations: new Delegations({ keys: keysOf([get(a)]), succinctRoles }),
    });
    const metadata = await signMetadata(targets, [get(a)]);
    expect((await delegator.verifyDelegate('bin-00', metadata)).verified).toBe(true);
    expect((await delegator.verifyDelegate('bin-1f', metadata)).verified).toBe(true);
    const outside = ['bin-20', 'bin-1F', 'bin-1', 'bin-001', 'bin-', 'bin', 'bin-0x', 'Bin-00', 'bin_00', 'xbin-00', 'bin-00 ', 'bin--1', '', 'targets']; // prettier-ignore
    for (const name of outside) {
      await expect(delegator.verifyDelegate(name, metadata), name).rejects.toThrow(RoleNotFoundError);
    }
  });
});
