import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Key } from '../tuf/key.ts';
import { Metadata } from '../tuf/metadata.ts';
import type { Delegations } from '../tuf/delegations.ts';
import { claimedProjectsOf, claimListOf, claimListRole, claimLists, MOST_LIST_BYTES } from './claim-lists.ts';
import { parseProjectRoleName, projectRoleName } from './names.ts';
import type { Owners } from './owners.ts';

const EXPIRES = new Date('2027-01-01T00:00:00Z');

function key(seed: string): Key {
  return Key.fromPublicKey('ed25519', 'ed25519', createHash('sha256').update(seed).digest('hex'));
}

const ONLINE: Owners = { keys: [key('online')], threshold: 1 };

function projects(names: readonly string[]) {
  return names.map((project) => ({ project, owners: { keys: [key(project)], threshold: 1 } }));
}

/** The roles that a client visits for a path, in its order: TUF 5.6.7. */
function searched(lists: ReadonlyMap<string, Delegations>, root: string, path: string): readonly string[] {
  const visited: string[] = [];
  const visit = (role: string): boolean => {
    visited.push(role);
    for (const match of lists.get(role)?.rolesForTarget(path) ?? []) {
      if (visit(match.name) || match.terminating) return true;
    }
    return false;
  };
  visit(root);
  return visited;
}

describe('a list of claimed projects', () => {
  it('is one role while it is short', () => {
    const lists = claimLists('recently-claimed', projects(['foo', 'bar']), ONLINE);
    expect([...lists.keys()]).toEqual(['recently-claimed']);
    expect(searched(lists, 'recently-claimed', 'simple/foo/index.json')).toEqual([
      'recently-claimed',
      'project-foo',
    ]);
    expect(searched(lists, 'recently-claimed', 'simple/foobar/index.json')).toEqual(['recently-claimed']);
  });

  it('delegates nothing while it is empty', () => {
    const delegations = claimLists('claimed', [], ONLINE).get('claimed');
    if (delegations === undefined) throw new Error('no list');
    const role = claimListRole('claimed', delegations, { version: 1, expires: EXPIRES });
    expect(role.delegations).toBeUndefined();
    expect(role.roleName).toBe('claimed');
  });

  it('is parted by the beginnings of names, and each project is found through one part, terminating', () => {
    const letters = 'abcdefghij'.split('');
    const names = letters.flatMap((a) =>
      letters.flatMap((b) => [a, `${a}${b}`, ...letters.map((c) => `${a}${b}${c}-long-project-name`)]),
    );
    const unique = [...new Set(names)];
    const lists = claimLists('claimed', projects(unique), ONLINE);
    expect(lists.size).toBeGreaterThan(5);
    for (const name of unique) {
      const path = searched(lists, 'claimed', `packages/${name}/${name}-1.0.tar.gz`);
      expect(path.at(-1)).toBe(projectRoleName(name));
      expect(path.length).toBeLessThanOrEqual(3);
      expect(path.slice(0, -1).every((role) => claimListOf(role) === 'claimed')).toBe(true);
    }
    expect(
      searched(lists, 'claimed', 'simple/abc/index.json').every(
        (role) => parseProjectRoleName(role) === undefined,
      ),
    ).toBe(true);
    // Who is not claimed and begins like a part is looked for behind it: no part ends the search.
    for (const part of lists.values())
      for (const role of part.roles?.values() ?? [])
        expect([role.name, role.terminating]).toEqual([role.name, claimListOf(role.name) === undefined]);
  });

  it('keeps each part below a megabyte for ten thousand projects that begin alike, and gives back what it was made of', () => {
    const names = Array.from({ length: 10_000 }, (_, index) => `py${index.toString(36)}`);
    const lists = claimLists('recently-claimed', projects(names), ONLINE);
    const roles = [...lists].map(([role, delegations]) =>
      claimListRole(role, delegations, { version: 1, expires: EXPIRES }),
    );
    for (const role of roles) expect(Metadata.unsigned(role).toBytes().length).toBeLessThan(MOST_LIST_BYTES);
    const read = claimedProjectsOf(roles);
    expect(read.map(({ project }) => project)).toEqual(names.toSorted());
    expect(read[0]?.owners.keys[0]?.keyId).toBe(key(read[0]?.project ?? '').keyId);
  });

  it('stays small when each project’s name begins the next one and all have as many keys as they may', () => {
    const names = Array.from({ length: 128 }, (_, index) => 'a'.repeat(index + 1));
    const heavy = names.map((project) => ({
      project,
      owners: { keys: Array.from({ length: 32 }, (_, index) => key(`${project} ${index}`)), threshold: 1 },
    }));
    const lists = claimLists('recently-claimed', heavy, ONLINE);
    const roles = [...lists].map(([role, delegations]) =>
      claimListRole(role, delegations, { version: 1, expires: EXPIRES }),
    );
    for (const role of roles) expect(Metadata.unsigned(role).toBytes().length).toBeLessThan(200_000);
    expect(claimedProjectsOf(roles).map(({ project }) => project)).toEqual(names);
    for (const name of names) {
      const path = searched(lists, 'recently-claimed', `simple/${name}/index.json`);
      expect(path.at(-1)).toBe(projectRoleName(name));
      expect(path.length).toBeLessThanOrEqual(3);
    }
    // What the signer of the online key takes for a part (keys/signing-policy.ts).
    for (const role of lists.keys()) expect(role).toMatch(/^recently-claimed(-[a-z0-9-]{1,130})?$/);
  });

  it('is the same whatever order the projects come in', () => {
    const names = Array.from({ length: 500 }, (_, index) => `p${index}`);
    const text = (order: readonly string[]) =>
      [...claimLists('claimed', projects(order), ONLINE)].map(([role, delegations]) =>
        new TextDecoder().decode(
          Metadata.unsigned(claimListRole(role, delegations, { version: 1, expires: EXPIRES })).signedBytes,
        ),
      );
    expect(text(names.toReversed())).toEqual(text(names));
  });
});
