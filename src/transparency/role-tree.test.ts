import { describe, expect, it } from 'vitest';
import { encodeHex } from '../tuf/hex.ts';
import { leafHash, nodeHash } from './merkle.ts';
import { RoleTree, type RoleDigest } from './role-tree.ts';

const digest = (role: string, version = 1, letter = 'a'): RoleDigest => ({
  role,
  version,
  sha256: letter.repeat(64),
});
const leaf = (text: string) => leafHash(new TextEncoder().encode(text));

describe('the tree of the roles', () => {
  it('has the root that its definition says', () => {
    const [a, b, c] = ['a', 'b', 'c'].map((name) =>
      leaf(`{"role":"${name}","sha256":"${'a'.repeat(64)}","version":1}`),
    );
    if (a === undefined || b === undefined || c === undefined) throw new Error('three leaves');
    const tree = RoleTree.of([digest('c'), digest('a'), digest('b')]);
    expect(tree.root).toBe(encodeHex(nodeHash(nodeHash(a, b), c)));
  });

  it('has the same root whether it was changed role by role or made anew, for every number of roles', () => {
    for (let count = 1; count <= 40; count += 1) {
      const roles = Array.from({ length: count }, (_, number) => digest(`bin-${number}`));
      const changed = roles.map((role, number) => (number % 3 === 0 ? digest(role.role, 2, 'b') : role));
      const stepwise = RoleTree.of(roles).with(changed.filter(({ version }) => version === 2));
      expect(stepwise.root).toBe(RoleTree.of(changed).root);
      expect(stepwise.root).not.toBe(RoleTree.of(roles).root);
    }
  });

  it('takes new roles in', () => {
    const tree = RoleTree.of([digest('a'), digest('c')]);
    expect(tree.with([digest('b'), digest('c', 4)]).root).toBe(
      RoleTree.of([digest('a'), digest('b'), digest('c', 4)]).root,
    );
  });

  it('stays as it is when another is made of it, and leaves timestamp and snapshot out', () => {
    const tree = RoleTree.of([digest('a'), digest('timestamp', 3), digest('snapshot', 3)]);
    const { root } = tree;
    tree.with([digest('a', 2)]);
    expect(tree.root).toBe(root);
    expect(tree.with([digest('timestamp', 4)]).root).toBe(RoleTree.of([digest('a')]).root);
  });
});
