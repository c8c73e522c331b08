import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { newSigner, sha256 } from '../../test/support/index-fixture.ts';
import { targetPathPrefix } from '../db/targets.ts';
import { canonicalJsonText } from '../tuf/canonical-json.ts';
import { TargetFile } from '../tuf/file.ts';
import { Metadata, signMetadata } from '../tuf/metadata.ts';
import { ROLE_NAME_FIELD, Targets } from '../tuf/targets.ts';
import { BinLayout, encodeBin } from './bins.ts';
import { makeBins } from '../ceremony/offline-roles.ts';
import { signedRole, signEncoded } from './signed-role.ts';

const ROLE = 'bin-00';
const EXPIRES = new Date('2026-03-08T12:00:00Z');
const model = (version: number, targets: readonly { path: string; length: number; sha256: string }[]) =>
  new Targets({
    version,
    expires: EXPIRES,
    targets: new Map(
      targets.map(({ path, length, sha256: hash }) => [
        path,
        new TargetFile({ path, length, hashes: new Map([['sha256', hash]]) }),
      ]),
    ),
    unrecognizedFields: new Map([[ROLE_NAME_FIELD, ROLE]]),
  });
const target = fc.record({
  path: fc.string({ unit: 'binary', minLength: 1 }).filter((text) => !/[\p{Cc}\p{Surrogate}]/u.test(text)),
  length: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
  sha256: fc.string({ minLength: 1 }).map((text) => sha256(text)),
});

describe('encodeBin', () => {
  it('gives byte for byte the canonical encoding of the model, in whatever order the targets come', () => {
    const targets = fc.uniqueArray(target, { selector: ({ path }) => path });
    fc.assert(
      fc.property(targets, fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), (list, version) => {
        const encoded = encodeBin({ role: ROLE, version, expires: EXPIRES, targets: list });
        expect(encoded).toBe(canonicalJsonText(model(version, list).toJson()));
      }),
      { numRuns: 500 },
    );
  });

  it('signs to the very file that the model signs to', async () => {
    const signer = newSigner();
    const targets = Array.from({ length: 200 }, (_, index) => ({
      path: `packages/p${index % 7}/p${index}-1.0.tar.gz`,
      length: index,
      sha256: sha256(String(index)),
    }));
    const role = { role: 'bin-00', version: 3, expires: EXPIRES };
    const fast = await signEncoded(role, encodeBin({ ...role, targets }), [signer]);
    const slow = signedRole('bin-00', await signMetadata(model(3, targets), [signer]));
    expect(new TextDecoder().decode(fast.bytes)).toBe(new TextDecoder().decode(slow.bytes));
    expect(fast).toEqual(slow);
  });
});

describe('BinLayout', () => {
  it.each([1, 2, 256, 4096, 16_384])(
    'sends each path to the bin that clients look in, with %i bins',
    (count) => {
      const layout = new BinLayout(count);
      const { delegations } = makeBins(
        [newSigner().key],
        { count, layout: 'path_hash_prefixes' },
        { version: 1, expires: EXPIRES },
      );
      for (let index = 0; index < 2000; index++) {
        const path = `packages/p/p-${index}.tar.gz`;
        const found = delegations?.rolesForTarget(path).map(({ name }) => name);
        expect(found).toEqual([layout.nameOf(targetPathPrefix(path))]);
      }
    },
  );

  it('cuts the prefixes of the database into ranges without gap or overlap', () => {
    for (const count of [1, 256, 16_384]) {
      const layout = new BinLayout(count);
      let next = 0;
      for (const name of layout.names) {
        const { first, last } = layout.rangeOf(name);
        expect(first).toBe(next);
        expect(layout.nameOf(first)).toBe(name);
        expect(layout.nameOf(last)).toBe(name);
        next = last + 1;
      }
      expect(next).toBe(2 ** 24);
    }
  });

  it('reads itself back from the metadata of bins', async () => {
    const signer = newSigner();
    const signed = await signMetadata(
      makeBins(
        [signer.key],
        { count: 16_384, layout: 'path_hash_prefixes' },
        { version: 1, expires: EXPIRES },
      ),
      [signer],
    );
    const { delegations } = Metadata.fromBytes(signed.toBytes(), 'targets').signed;
    expect(delegations && BinLayout.fromDelegations(delegations).names).toEqual(new BinLayout(16_384).names);
  });

  it('refuses a number of bins that is no power of two', () => {
    expect(() => new BinLayout(100)).toThrow(expect.objectContaining({ code: 'UNUSABLE_METADATA' }));
    expect(() => new BinLayout(0)).toThrow(expect.objectContaining({ code: 'UNUSABLE_METADATA' }));
  });
});
