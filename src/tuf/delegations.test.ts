import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DelegatedRole } from './delegated-role.ts';
import { Delegations } from './delegations.ts';
import { binName, binPathHashPrefixes } from './layout.ts';
import { targetPathHash } from './sha256.ts';
import { SuccinctRoles } from './succinct-roles.ts';

const roleOf = (
  name: string,
  matching: { paths?: string[]; pathHashPrefixes?: string[] },
  terminating = false,
) => new DelegatedRole({ name, keyIds: [], threshold: 1, terminating, ...matching });
const delegationsOf = (...roles: DelegatedRole[]) => new Delegations({ keys: new Map(), roles });
/** Asked often enough that both ways of searching have to agree. */
const namesFor = (delegations: Delegations, path: string) => {
  const [first = [], ...others] = Array.from({ length: 6 }, () =>
    delegations.rolesForTarget(path).map((role) => role.name),
  );
  for (const other of others) expect(other).toEqual(first);
  return first;
};

describe('Delegations.rolesForTarget', () => {
  it('keeps the order of appearance, also for names that look like integers (CVE-2024-47534)', () => {
    const names = ['b', '10', 'a', '2', '__proto__', '1', 'constructor'];
    const delegations = delegationsOf(...names.map((name) => roleOf(name, { paths: ['*'] })));
    expect(namesFor(delegations, 'x')).toEqual(names);
    const again = Delegations.fromJson(delegations.toJson());
    expect(namesFor(again, 'x')).toEqual(names);
  });

  it('names a role once however many of its patterns match, in the order of roles and not of patterns', () => {
    const delegations = delegationsOf(
      roleOf('first', { paths: ['simple/*/*', 'simple/foo/*', 'simple/foo/index.json'] }),
      roleOf('second', {
        pathHashPrefixes: ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'],
      }),
      roleOf('third', { paths: ['simple/foo/index.json'] }, true),
      roleOf('fourth', { paths: ['simple/bar/*', 'Simple/foo/*', 'simple/foo'] }),
      roleOf('fifth', { paths: [] }),
    );
    expect(
      delegations.rolesForTarget('simple/foo/index.json').map(({ name, terminating }) => [name, terminating]),
    ).toEqual([
      ['first', false],
      ['second', false],
      ['third', true],
    ]);
  });

  it('matches hash prefixes in hexadecimal over the SHA-256 of the path (go-tuf #783)', () => {
    const hash = targetPathHash('simple/foo/index.json');
    const delegations = delegationsOf(
      roleOf('one', { pathHashPrefixes: [hash.slice(0, 1)] }),
      roleOf('other', { pathHashPrefixes: [hash.startsWith('0') ? '1' : '0'] }),
      roleOf('long', { pathHashPrefixes: [hash.slice(0, 7), 'ffffff'] }),
      roleOf('whole', { pathHashPrefixes: [hash] }),
      roleOf('inside', { pathHashPrefixes: [hash.slice(1, 9)] }),
    );
    expect(namesFor(delegations, 'simple/foo/index.json')).toEqual(['one', 'long', 'whole']);
  });

  it('finds what looking at every role one by one finds', () => {
    const segment = fc.constantFrom('a', 'b', '*', '?', '[ab]', '', 'a*');
    const pattern = fc.array(segment, { maxLength: 3 }).map((segments) => segments.join('/'));
    const prefix = fc.string({ unit: fc.constantFrom('0', '1', '8', 'f'), minLength: 1, maxLength: 3 });
    const matching = fc.oneof(
      fc.array(pattern, { maxLength: 4 }).map((paths) => ({ paths })),
      fc.array(prefix, { maxLength: 4 }).map((pathHashPrefixes) => ({ pathHashPrefixes })),
    );
    const path = fc
      .array(fc.constantFrom('a', 'b', 'ab', ''), { maxLength: 3 })
      .map((segments) => segments.join('/'));
    fc.assert(
      fc.property(fc.array(matching, { maxLength: 6 }), path, (all, target) => {
        const roles = all.map((one, index) => roleOf(`r${index}`, one));
        const hash = targetPathHash(target);
        const expected = roles.filter((role) => role.matches(target, hash)).map((role) => role.name);
        expect(namesFor(delegationsOf(...roles), target)).toEqual(expected);
      }),
      { numRuns: 3000 },
    );
  });

  it('agrees between explicit bins and succinct roles', () => {
    const bits = fc.integer({ min: 1, max: 9 });
    fc.assert(
      fc.property(bits, fc.string({ unit: 'grapheme' }), (bitLength, path) => {
        const count = 2 ** bitLength;
        const explicit = delegationsOf(
          ...Array.from({ length: count }, (_, index) =>
            roleOf(binName('bin', index, count), {
              pathHashPrefixes: [...binPathHashPrefixes(index, count)],
            }),
          ),
        );
        const succinctRoles = new SuccinctRoles({ keyIds: [], threshold: 1, bitLength, namePrefix: 'bin' });
        const succinct = new Delegations({ keys: new Map(), succinctRoles });
        expect(namesFor(succinct, path)).toEqual(namesFor(explicit, path));
        expect(succinct.rolesForTarget(path)[0]?.terminating).toBe(true);
      }),
    );
  });
});

describe('SuccinctRoles', () => {
  const rolesOf = (bitLength: number, namePrefix = 'bin') =>
    new SuccinctRoles({ keyIds: [], threshold: 1, bitLength, namePrefix });

  it.each([
    [1, 'bin-0', 'bin-1'],
    [4, 'bin-0', 'bin-f'],
    [5, 'bin-00', 'bin-1f'],
    [8, 'bin-00', 'bin-ff'],
    [14, 'bin-0000', 'bin-3fff'],
  ])('with %d bits names its bins %s to %s', (bitLength, first, last) => {
    const names = [...rolesOf(bitLength).roleNames()];
    expect(names).toHaveLength(2 ** bitLength);
    expect([names[0], names.at(-1)]).toEqual([first, last]);
    expect(names.every((name) => rolesOf(bitLength).isDelegatedRole(name))).toBe(true);
  });

  it('takes the bin from the first 32 bits, unsigned', () => {
    expect(rolesOf(32).roleForPathHash('ffffffff00')).toBe('bin-ffffffff');
    expect(rolesOf(32).roleForPathHash('80000000ff')).toBe('bin-80000000');
    expect(rolesOf(1).roleForPathHash('80000000')).toBe('bin-1');
    expect(rolesOf(1).roleForPathHash('7fffffff')).toBe('bin-0');
    expect(rolesOf(14).roleForPathHash('fffc0000')).toBe('bin-3fff');
    expect(rolesOf(32).isDelegatedRole('bin-ffffffff')).toBe(true);
    expect(rolesOf(32).isDelegatedRole('bin-100000000')).toBe(false);
  });

  it('knows its own names among all strings', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('b', '-', '0', '1', 'f', 'F', ' '), maxLength: 6 }),
        (name) => {
          const roles = rolesOf(5, 'b');
          expect(roles.isDelegatedRole(name)).toBe([...roles.roleNames()].includes(name));
        },
      ),
      { numRuns: 2000 },
    );
  });
});
