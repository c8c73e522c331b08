import { describe, expect, it } from 'vitest';
import { ClaimError } from '../claims/errors.ts';
import { projectRoleName, releaseRoleName } from '../claims/names.ts';
import type { Owners } from '../claims/owners.ts';
import { pageTargets } from '../claims/page-targets.ts';
import { newProjectRole, newReleaseRole, type ProjectRoleFields } from '../claims/project-role.ts';
import { DelegatedRole } from '../tuf/delegated-role.ts';
import { Delegations } from '../tuf/delegations.ts';
import { Key } from '../tuf/key.ts';
import { Metadata } from '../tuf/metadata.ts';
import type { Targets } from '../tuf/targets.ts';
import { partiesOf, requireProposed } from './proposal-check.ts';

const NOW = new Date('2026-11-23T00:00:00Z');
const EXPIRES = new Date('2027-11-22T00:00:00Z');
const ROLE = projectRoleName('foo');
const RELEASE = releaseRoleName('foo');

function owners(digit: string): Owners {
  return { keys: [Key.fromPublicKey('ed25519', 'ed25519', digit.repeat(64))], threshold: 1 };
}

const alice = owners('a');
const thief = owners('e');
const page = { name: 'foo', files: [] };
const { targets } = pageTargets(page);

function role(fields: Partial<ProjectRoleFields> = {}): Targets {
  return newProjectRole({
    project: 'foo',
    version: 2,
    expires: EXPIRES,
    owners: alice,
    targets,
    ...fields,
  });
}

const project = { page, owners: alice, roles: new Map([[ROLE, role({ version: 1 })]]) };

function proposal(roles: Readonly<Record<string, Targets>>): ReadonlyMap<string, Metadata<Targets>> {
  return new Map(Object.entries(roles).map(([name, signed]) => [name, Metadata.unsigned(signed)]));
}

function refusal(roles: Readonly<Record<string, Targets>>): string {
  try {
    requireProposed(project, proposal(roles), targets, NOW);
  } catch (error) {
    if (error instanceof ClaimError) return error.code;
    throw error;
  }
  return 'taken';
}

describe('a proposal that the index shows', () => {
  it('is signed when it is what anybody makes of the project and what is shown', () => {
    expect(refusal({ [ROLE]: role() })).toBe('taken');
    const machines = { release: thief, targets: new Map() };
    const release = newReleaseRole({ project: 'foo', version: 1, expires: EXPIRES, targets });
    expect(refusal({ [ROLE]: role(machines), [RELEASE]: release })).toBe('taken');
  });

  it('names every key that it would let in, machines and builders too', () => {
    const machines = { release: thief, targets: new Map() };
    const [, machine, builder] = partiesOf(project, proposal({ [ROLE]: role(machines) }));
    expect(machine?.before).toBeUndefined();
    expect(machine?.after?.keys.map(({ keyId }) => keyId)).toEqual(thief.keys.map(({ keyId }) => keyId));
    expect(builder?.after).toBeUndefined();
  });

  it('is not signed when it lists nothing, which hides every file', () => {
    expect(refusal({ [ROLE]: role({ targets: new Map() }) })).toBe('FILES');
  });

  it('is not signed when it delegates in a way that no project does', () => {
    const [key] = thief.keys;
    const delegations = new Delegations({
      keys: new Map(key === undefined ? [] : [[key.keyId, key]]),
      roles: [
        new DelegatedRole({
          name: 'somebody',
          keyIds: thief.keys.map(({ keyId }) => keyId),
          threshold: 1,
          terminating: true,
          paths: ['packages/foo/*', 'simple/foo/*'],
        }),
      ],
    });
    expect(refusal({ [ROLE]: role({ targets: new Map() }).with({ delegations }) })).toBe('FILES');
    expect(refusal({ [ROLE]: role().with({ delegations }) })).toBe('FILES');
  });

  it('is not signed under the version, the expiry or the name of another', () => {
    expect(refusal({ [ROLE]: role({ version: 3 }) })).toBe('FILES');
    expect(refusal({ [ROLE]: role({ version: 2 ** 40 }) })).toBe('FILES');
    expect(refusal({ [ROLE]: role({ expires: new Date('2099-01-01T00:00:00Z') }) })).toBe('EXPIRY');
    expect(refusal({ [ROLE]: role({ project: 'bar' }) })).toBe('FILES');
  });

  it('is not signed for a role that the project would not have', () => {
    const release = newReleaseRole({ project: 'foo', version: 1, expires: EXPIRES, targets });
    expect(refusal({ [RELEASE]: release })).toBe('FILES');
  });
});
