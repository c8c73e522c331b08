import { describe, expect, it } from 'vitest';
import { Delegations } from './delegations.ts';
import { LoadedRoles } from './loaded-roles.ts';
import { Metadata } from './metadata.ts';
import { Targets } from './targets.ts';

const fields = { version: 1, expires: new Date('2030-01-01T00:00:00Z'), targets: new Map() };
const leaf = () => Metadata.unsigned(new Targets(fields));
const delegator = () =>
  Metadata.unsigned(new Targets({ ...fields, delegations: new Delegations({ keys: new Map(), roles: [] }) }));
const size = leaf().signedBytes.length;

describe('LoadedRoles', () => {
  it('forgets the leaves used longest ago, and never a delegator', () => {
    const roles = new LoadedRoles(2 * size);
    const top = delegator();
    roles.set('top', top);
    roles.set('a', leaf());
    roles.set('b', leaf());
    expect(roles.get('a')).toBeDefined();
    roles.set('c', leaf());
    expect(['top', 'a', 'b', 'c'].filter((role) => roles.get(role) !== undefined)).toEqual(['top', 'a', 'c']);
    expect(roles.get('top')).toBe(top);
  });

  it('keeps the newest leaf even when it alone is over the limit', () => {
    const roles = new LoadedRoles(0);
    roles.set('a', leaf());
    roles.set('b', leaf());
    expect([roles.get('a'), roles.get('b')].map((metadata) => metadata !== undefined)).toEqual([false, true]);
  });

  it('replaces a role that is loaded again, counting it once', () => {
    const roles = new LoadedRoles(2 * size);
    for (let round = 0; round < 10; round++) roles.set('a', leaf());
    roles.set('b', leaf());
    expect(roles.get('a')).toBeDefined();
    roles.set('a', delegator());
    roles.set('c', leaf());
    roles.set('d', leaf());
    expect(['a', 'b', 'c', 'd'].filter((role) => roles.get(role) !== undefined)).toEqual(['a', 'c', 'd']);
  });
});
