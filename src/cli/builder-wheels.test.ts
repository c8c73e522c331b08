import { describe, expect, it } from 'vitest';
import { newSigner } from '../../test/support/index-fixture.ts';
import { newProjectRole, newReleaseRole, newWheelsRole } from '../claims/project-role.ts';
import { Metadata } from '../tuf/metadata.ts';
import type { Signer } from '../tuf/signer.ts';
import type { Targets } from '../tuf/targets.ts';
import { builderTransaction, isBuilder } from './builder-wheels.ts';
import type { LocalDistribution } from './local-distribution.ts';

const NOW = new Date('2026-11-22T12:00:00Z');
const EXPIRES = new Date('2027-11-22T12:00:00Z');
const [owner, machine, farm, second] = [newSigner(), newSigner(), newSigner(), newSigner()];
const of = (signers: readonly Signer[], threshold = 1) => ({
  keys: signers.map(({ key }) => key),
  threshold,
});
const OLD = { length: 7, sha256: 'ab'.repeat(32) };
const common = { project: 'foo', version: 3, expires: EXPIRES };

function project(builders = of([owner, farm])) {
  const listed = new Map([['packages/foo/foo-1.0-py3-none-any.whl', OLD]]);
  const roles = new Map<string, Targets>([
    [
      'project-foo',
      newProjectRole({ ...common, owners: of([owner]), release: of([machine]), wheels: builders }),
    ],
    ['project-foo.release', newReleaseRole({ ...common, targets: new Map() })],
    ['project-foo.wheels', newWheelsRole({ ...common, targets: listed })],
  ]);
  return { page: { name: 'foo', files: [] }, roles };
}

function local(name: string, kind: 'wheel' | 'sdist'): LocalDistribution {
  const filename = { filename: name, kind, project: 'foo' };
  return { filename, length: 9, sha256: 'cd'.repeat(32) } as unknown as LocalDistribution;
}
const WHEEL = local('foo-2.0-cp313-cp313-win_amd64.whl', 'wheel');

describe('a builder of wheels', () => {
  it('is who signs wheels and nothing else of the project', () => {
    const is = (signer: Signer) => isBuilder(project(), signer.key.keyId);
    expect([owner, machine, farm, second].map(is)).toEqual([false, false, true, false]);
  });

  it('adds to what it has listed, in its own role alone, and changes no page', async () => {
    const { base, roles, files, changes } = await builderTransaction(project(), [WHEEL], farm, NOW);
    expect([[...roles.keys()], files, changes]).toEqual([['project-foo.wheels'], [], []]);
    expect([...base.values()]).toEqual([3, 3, 3]);
    const { signed, signatures } = Metadata.fromBytes(
      roles.get('project-foo.wheels') ?? new Uint8Array(),
      'targets',
    );
    expect(signed.version).toBe(4);
    expect([...signed.targets.keys()].toSorted()).toEqual([
      'packages/foo/foo-1.0-py3-none-any.whl',
      'packages/foo/foo-2.0-cp313-cp313-win_amd64.whl',
    ]);
    expect(signatures.map(({ keyId }) => keyId)).toEqual([farm.key.keyId]);
  });

  it('is told what its key cannot do: an sdist, and the word of two builders', async () => {
    const sdist = builderTransaction(project(), [local('foo-2.0.tar.gz', 'sdist')], farm, NOW);
    await expect(sdist).rejects.toThrow('signs wheels, not foo-2.0.tar.gz');
    const alone = builderTransaction(project(of([farm, second], 2)), [WHEEL], farm, NOW);
    await expect(alone).rejects.toMatchObject({
      hints: [expect.stringContaining('rind key threshold foo 1')],
    });
  });
});
