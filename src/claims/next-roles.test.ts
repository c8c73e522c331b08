import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Key } from '../tuf/key.ts';
import type { Targets } from '../tuf/targets.ts';
import { nextPage } from './next-page.ts';
import { nextRoles, type RolePlan } from './next-roles.ts';
import { ownersOf, type Owners } from './owners.ts';
import { pageTargets } from './page-targets.ts';
import { newWheelsRole } from './project-role.ts';

const EXPIRES = new Date('2027-11-22T00:00:00Z');
const key = (seed: string) =>
  Key.fromPublicKey('ed25519', 'ed25519', createHash('sha256').update(seed).digest('hex'));
const owners = (...seeds: readonly string[]): Owners => ({ keys: seeds.map(key), threshold: 1 });

const FILE = {
  filename: 'foo-1.0.tar.gz',
  version: '1.0',
  sha256: 'ab'.repeat(32),
  size: 12,
  uploadTime: '2026-11-22T21:59:00.000000Z',
};
const WHEEL = { ...FILE, filename: 'foo-1.0-py3-none-any.whl', sha256: 'cd'.repeat(32) };
const PAGE = { name: 'foo', files: [FILE] };
const TARGETS = pageTargets(PAGE).targets;

function plan(fields: Partial<RolePlan>): ReadonlyMap<string, Targets> {
  return nextRoles({ project: 'foo', present: new Map(), targets: TARGETS, expires: EXPIRES, ...fields });
}

const names = (roles: ReadonlyMap<string, Targets>) =>
  [...roles].map(([role, { version }]) => `${role} ${version}`);

describe('what has to be signed', () => {
  const claimed = plan({ owners: owners('alice') });

  it('for a first claim is the owners’ role, with everything that the project has', () => {
    expect(names(claimed)).toEqual(['project-foo 1']);
    expect([...(claimed.get('project-foo')?.targets.keys() ?? [])].toSorted()).toEqual(
      [...TARGETS.keys()].toSorted(),
    );
  });

  it('is nothing when nothing changes, and everything when it is renewed', () => {
    expect(names(plan({ present: claimed }))).toEqual([]);
    expect(names(plan({ present: claimed, renews: true }))).toEqual(['project-foo 2']);
  });

  it('names nobody as owner by itself', () => {
    expect(() => plan({})).toThrow(expect.objectContaining({ code: 'OWNERS' }));
  });

  it('for machines is the owners’ role once, and from then on theirs alone', () => {
    const machines = plan({ present: claimed, release: owners('alice', 'laptop') });
    expect(names(machines)).toEqual(['project-foo 2', 'project-foo.release 1']);
    expect(machines.get('project-foo')?.targets.size).toBe(0);
    const page = nextPage(PAGE, [WHEEL], []);
    const published = plan({ present: machines, targets: pageTargets(page).targets });
    expect(names(published)).toEqual(['project-foo.release 2']);
  });

  it('delegates to machines everything of the project, terminating, and to a builder its wheels alone, before them', () => {
    const owned = plan({ present: claimed, release: owners('laptop'), wheels: owners('farm') });
    const delegated = [...(owned.get('project-foo')?.delegations?.roles?.values() ?? [])];
    expect(delegated.map(({ name, terminating, paths }) => [name, terminating, paths])).toEqual([
      ['project-foo.wheels', false, ['packages/foo/*.whl']],
      ['project-foo.release', true, ['packages/foo/*', 'simple/foo/*']],
    ]);
    expect(delegated.map(({ keyIds }) => keyIds)).toEqual([[key('farm').keyId], [key('laptop').keyId]]);
  });

  it('for other machines is their list too: what a revoked one signed counts no more', () => {
    const machines = plan({ present: claimed, release: owners('alice', 'laptop') });
    expect(names(plan({ present: machines, release: owners('alice') }))).toEqual([
      'project-foo 3',
      'project-foo.release 2',
    ]);
    const back = plan({ present: machines, release: null });
    expect(names(back)).toEqual(['project-foo 3']);
    expect(back.get('project-foo')?.targets.size).toBe(TARGETS.size);
  });

  it('for another builder is its list, without wheels that no owner has put on the page', () => {
    const built = plan({ present: claimed, wheels: owners('alice', 'farm') });
    expect(names(built)).toEqual(['project-foo 2', 'project-foo.wheels 1']);
    const listed = new Map([
      [`packages/foo/${WHEEL.filename}`, { length: WHEEL.size, sha256: WHEEL.sha256 }],
      ['packages/foo/foo-6.6.6-py3-none-any.whl', { length: 1, sha256: 'ee'.repeat(32) }],
    ]);
    const wheels = newWheelsRole({ project: 'foo', version: 7, expires: EXPIRES, targets: listed });
    const present = new Map([...built, ['project-foo.wheels', wheels]]);
    const targets = pageTargets(nextPage(PAGE, [WHEEL], [])).targets;
    const next = plan({ present, targets, wheels: owners('alice', 'other-farm') });
    expect(names(next)).toEqual(['project-foo 3', 'project-foo.wheels 8']);
    expect([...(next.get('project-foo.wheels')?.targets.keys() ?? [])]).toEqual([
      `packages/foo/${WHEEL.filename}`,
    ]);
  });

  it('keeps the owners that the metadata names', () => {
    const next = plan({ present: claimed, renews: true }).get('project-foo');
    expect(next === undefined ? undefined : ownersOf(next)?.keys.map(({ keyId }) => keyId)).toEqual([
      key('alice').keyId,
    ]);
  });
});

describe('the next page', () => {
  it('has new files, yanks and a status, as the index makes it of its rows', () => {
    const page = nextPage(
      PAGE,
      [WHEEL],
      [
        { kind: 'yank', filename: FILE.filename, reason: 'broken' },
        { kind: 'status', status: 'archived', reason: 'done' },
      ],
    );
    expect(page).toEqual({
      name: 'foo',
      status: 'archived',
      statusReason: 'done',
      files: [{ ...FILE, yanked: 'broken' }, WHEEL],
    });
    const back = nextPage(
      page,
      [],
      [
        { kind: 'unyank', filename: FILE.filename },
        { kind: 'remove', filename: WHEEL.filename },
        { kind: 'status', status: 'active', reason: null },
      ],
    );
    expect(back).toEqual(PAGE);
  });

  it('refuses a file that is there already, whatever its content, and one that is not there', () => {
    expect(() => nextPage(PAGE, [FILE], [])).toThrow(/published already/);
    expect(() => nextPage(PAGE, [{ ...FILE, sha256: 'ff'.repeat(32) }], [])).toThrow(/another content/);
    expect(() => nextPage(PAGE, [], [{ kind: 'yank', filename: 'no', reason: null }])).toThrow(
      expect.objectContaining({ code: 'FILES', path: 'no' }),
    );
  });
});
