import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { RepositorySimulator, SimulatedClient, SimulatorKey } from '../testing/index.ts';

let repository: RepositorySimulator;
let client: SimulatedClient;

beforeEach(async () => {
  repository = new RepositorySimulator();
  client = await SimulatedClient.create(repository);
});

afterEach(() => client.remove());

interface Edge {
  readonly from: string;
  readonly to: string;
  readonly terminating?: boolean;
  readonly paths?: readonly string[];
}

function delegate(edges: readonly Edge[]): void {
  for (const { from, to, terminating = false, paths = ['*'] } of edges) {
    repository.addDelegation(from, to, { terminating, paths });
  }
  repository.publishAll();
}

/** The roles asked for during a search, in order. */
async function visited(path: string): Promise<readonly string[]> {
  const updater = client.updater();
  await updater.refresh();
  repository.requests.length = 0;
  await updater.getTargetInfo(path);
  return repository.requests.map((request) => /\/1\.(.*)\.json$/.exec(request)?.[1] ?? request);
}

describe('the search through delegations', () => {
  it.each<{ readonly name: string; readonly edges: readonly Edge[]; readonly order: readonly string[] }>([
    {
      name: 'visits siblings in their order of appearance',
      edges: [
        { from: 'targets', to: 'B' },
        { from: 'targets', to: 'A' },
        { from: 'targets', to: 'C' },
      ],
      order: ['B', 'A', 'C'],
    },
    {
      name: 'keeps the order of names that look like integers',
      edges: [
        { from: 'targets', to: '10' },
        { from: 'targets', to: '9' },
        { from: 'targets', to: '1' },
      ],
      order: ['10', '9', '1'],
    },
    {
      name: 'goes into the depth before the breadth',
      edges: [
        { from: 'targets', to: 'A' },
        { from: 'targets', to: 'B' },
        { from: 'A', to: 'C' },
        { from: 'A', to: 'D' },
        { from: 'C', to: 'E' },
      ],
      order: ['A', 'C', 'E', 'D', 'B'],
    },
    {
      name: 'skips the siblings of a terminating role and those of its ancestors, but not its descendants',
      edges: [
        { from: 'targets', to: 'A' },
        { from: 'targets', to: 'B' },
        { from: 'A', to: 'C', terminating: true },
        { from: 'A', to: 'D' },
        { from: 'C', to: 'E' },
      ],
      order: ['A', 'C', 'E'],
    },
    {
      name: 'visits what stands before a terminating role',
      edges: [
        { from: 'targets', to: 'A' },
        { from: 'targets', to: 'B', terminating: true },
        { from: 'targets', to: 'C' },
      ],
      order: ['A', 'B'],
    },
    {
      name: 'is not ended by a terminating role that does not match',
      edges: [
        { from: 'targets', to: 'A', terminating: true, paths: ['*.py'] },
        { from: 'targets', to: 'B' },
      ],
      order: ['B'],
    },
    {
      name: 'visits every role once in a cycle',
      edges: [
        { from: 'targets', to: 'A' },
        { from: 'A', to: 'B' },
        { from: 'B', to: 'C' },
        { from: 'C', to: 'A' },
        { from: 'C', to: 'C' },
      ],
      order: ['A', 'B', 'C'],
    },
    {
      name: 'reaches a role with two delegators through the first',
      edges: [
        { from: 'targets', to: 'A' },
        { from: 'targets', to: 'B' },
        { from: 'B', to: 'C' },
        { from: 'A', to: 'C' },
      ],
      order: ['A', 'C', 'B'],
    },
    {
      name: 'reaches a role through the delegator whose pattern matches',
      edges: [
        { from: 'targets', to: 'A' },
        { from: 'targets', to: 'B' },
        { from: 'A', to: 'C', paths: ['*.py'] },
        { from: 'B', to: 'C' },
      ],
      order: ['A', 'B', 'C'],
    },
  ])('$name', async ({ edges, order }) => {
    delegate(edges);
    expect(await visited('missing')).toEqual(order);
  });

  it('finds a target only along patterns that all match it', async () => {
    delegate([
      { from: 'targets', to: 'A', paths: ['simple/foo/*'] },
      { from: 'A', to: 'B', paths: ['packages/*/*'] },
    ]);
    repository.addTarget('B', 'packages/foo/foo.whl', Buffer.from('forged'));
    repository.addTarget('A', 'packages/bar/bar.whl', Buffer.from('forged'));
    repository.publishAll('A', 'B');
    const updater = client.updater();
    expect(await updater.getTargetInfo('packages/foo/foo.whl')).toBeUndefined();
    expect(await updater.getTargetInfo('packages/bar/bar.whl')).toBeUndefined();
    expect(await updater.getTargetInfo('simple/foo/bar/x')).toBeUndefined();
  });

  it('gives the target of the first role that lists it', async () => {
    delegate([
      { from: 'targets', to: 'A' },
      { from: 'targets', to: 'B' },
    ]);
    repository.addTarget('A', 'x', Buffer.from('of A'));
    repository.addTarget('B', 'x', Buffer.from('of role B'));
    repository.publishAll('A', 'B');
    expect((await client.updater().getTargetInfo('x'))?.length).toBe(4);
  });

  it('says through whom a target is trusted: a name alone may stand anywhere', async () => {
    delegate([
      { from: 'targets', to: 'A' },
      { from: 'targets', to: 'C' },
      { from: 'C', to: 'B', terminating: true },
    ]);
    repository.addTarget('B', 'file.txt', new TextEncoder().encode('content'));
    repository.publishAll('B');
    const updater = client.updater();
    const found = await updater.getSignedTarget('file.txt');
    expect(found).toMatchObject({ role: 'B', via: ['targets', 'C', 'B'] });
    expect((await updater.delegatedTargets('B', 'C')).targets.has('file.txt')).toBe(true);
    await expect(updater.delegatedTargets('B', 'A')).rejects.toThrow();
  });

  it('gives no role metadata without a target to search for', async () => {
    delegate([{ from: 'targets', to: 'A' }]);
    await client.refresh();
    expect(repository.requests).not.toContain('metadata/1.A.json');
  });

  it('ends with an error in a role, instead of trying the next', async () => {
    delegate([
      { from: 'targets', to: 'A' },
      { from: 'targets', to: 'B' },
    ]);
    repository.addTarget('B', 'x', Buffer.from('the attacker prefers this'));
    repository.publishAll('B');
    for (const behaviour of [
      { kind: 'status', status: 404 },
      { kind: 'flipped-bit', position: 40 },
      { kind: 'dropped', after: 3 },
    ] as const) {
      repository.misbehave('metadata/1.A.json', behaviour);
      await expect(client.updater().getTargetInfo('x')).rejects.toThrow();
    }
  });

  it('ends with an error when the snapshot does not list a role', async () => {
    repository.addDelegation('targets', 'A');
    repository.publish(['targets', 'snapshot', 'timestamp']);
    await expect(client.updater().getTargetInfo('x')).rejects.toMatchObject({
      code: 'ROLE_NOT_FOUND',
      role: 'A',
    });
  });

  it('visits no more roles than allowed', async () => {
    const names = Array.from({ length: 10 }, (_, index) => `role${index}`);
    delegate(names.map((to) => ({ from: 'targets', to })));
    const updater = client.updater({ maxDelegations: 4 });
    await expect(updater.getTargetInfo('x')).rejects.toMatchObject({ code: 'ROLE_NOT_FOUND', path: 'x' });
    expect(repository.requests.filter((request) => request.includes('role'))).toHaveLength(4);
  });

  it('loads a role once for all who search at the same time', async () => {
    delegate([{ from: 'targets', to: 'A' }]);
    const updater = client.updater();
    await Promise.all([updater.getTargetInfo('x'), updater.getTargetInfo('y'), updater.getTargetInfo('z')]);
    expect(repository.requests.filter((request) => request.includes('A.json'))).toHaveLength(1);
  });

  it('takes cached roles without asking for them again', async () => {
    delegate([{ from: 'targets', to: 'A' }]);
    await client.updater().getTargetInfo('x');
    expect(await visited('x')).toEqual([]);
  });
});

describe('a role that one delegator vouches for and another does not', () => {
  beforeEach(() => {
    delegate([
      { from: 'targets', to: 'A', paths: ['a*'] },
      { from: 'targets', to: 'B', paths: ['b*'] },
      { from: 'A', to: 'C' },
      { from: 'B', to: 'C' },
    ]);
    // Only the key that A lists signs C.
    repository.signers('C').splice(1);
    repository.addTarget('C', 'a1', Buffer.from('fine'));
    repository.addTarget('C', 'b1', Buffer.from('forged'));
    repository.publishAll('A', 'B', 'C');
  });

  it('is refused through the second in the same session', async () => {
    const updater = client.updater();
    expect(await updater.getTargetInfo('a1')).toBeDefined();
    await expect(updater.getTargetInfo('b1')).rejects.toMatchObject({ code: 'UNSIGNED_METADATA', role: 'C' });
  });

  it('is refused through the second when it comes from the cache on disk', async () => {
    expect(await client.updater().getTargetInfo('a1')).toBeDefined();
    await expect(client.updater().getTargetInfo('b1')).rejects.toMatchObject({
      code: 'UNSIGNED_METADATA',
      role: 'C',
    });
    expect(await client.updater().getTargetInfo('a1')).toBeDefined();
  });

  it('is refused through the second after the first is no longer asked', async () => {
    await expect(client.updater().getTargetInfo('b1')).rejects.toMatchObject({
      code: 'UNSIGNED_METADATA',
      role: 'C',
    });
    expect(await client.updater().getTargetInfo('a1')).toBeDefined();
  });
});

describe('bins', () => {
  const paths = Array.from({ length: 50 }, (_, index) => `packages/p${index}/p${index}.whl`);
  const binOf = (path: string, bitLength: number) =>
    Number.parseInt(createHash('sha256').update(path).digest('hex').slice(0, 8), 16) >>> (32 - bitLength);

  it.each(['succinct_roles', 'path_hash_prefixes'] as const)(
    'by %s each answer for their own paths',
    async (form) => {
      const names = repository.addBins('targets', 5, form);
      for (const path of paths) {
        repository.addTarget(names[binOf(path, 5)]!, path, Buffer.from(path));
      }
      repository.publishAll();
      const updater = client.updater();
      await updater.refresh();
      for (const path of paths) {
        repository.requests.length = 0;
        expect((await updater.getTargetInfo(path))?.length).toBe(path.length);
        const requested = repository.requests.filter((request) => !request.includes(names[binOf(path, 5)]!));
        expect(requested).toEqual([]);
      }
    },
  );

  it.each(['succinct_roles', 'path_hash_prefixes'] as const)(
    'by %s do not answer for the paths of another bin',
    async (form) => {
      const names = repository.addBins('targets', 5, form);
      const path = paths[0]!;
      repository.addTarget(names[(binOf(path, 5) + 1) % 32]!, path, Buffer.from('misplaced'));
      repository.publishAll();
      expect(await client.updater().getTargetInfo(path)).toBeUndefined();
    },
  );

  it('signed by a stranger are refused', async () => {
    const names = repository.addBins('targets', 1, 'succinct_roles');
    for (const name of names) {
      repository.signers(name).splice(0, 1, SimulatorKey.generate());
    }
    repository.publishAll();
    await expect(client.updater().getTargetInfo('x')).rejects.toMatchObject({ code: 'UNSIGNED_METADATA' });
  });
});

describe('hostile role names', () => {
  const names = [
    '../evil',
    '/evil',
    '..',
    '.',
    'a/b',
    '?',
    '#',
    'CON',
    'ä €',
    '%2e%2e',
    'role with space',
    '\\..\\evil',
    'x'.repeat(400),
  ];

  it.each(names)('%s stays in the metadata folder and is asked for by its quoted name', async (name) => {
    delegate([{ from: 'targets', to: name }]);
    repository.addTarget(name, 'x', Buffer.from('content'));
    repository.publishAll(name);
    expect(await client.updater().getTargetInfo('x')).toBeDefined();
    expect(await readdir(client.folder)).toEqual(['metadata']);
    const files = (await readdir(client.metadataDir)).filter((file) => file.endsWith('.json'));
    expect(files).toHaveLength(5);
    repository.requests.length = 0;
    expect(await client.updater().getTargetInfo('x')).toBeDefined();
    expect(repository.requests).toEqual(['metadata/2.root.json', 'metadata/timestamp.json']);
  });

  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'targets.json'])(
    '%s is a role and a target name like any other',
    async (name) => {
      delegate([{ from: 'targets', to: name }]);
      repository.addTarget(name, name, Buffer.from('content'));
      repository.publishAll(name);
      const updater = client.updater();
      expect((await updater.getTargetInfo(name))?.length).toBe(7);
      expect(await updater.getTargetInfo('valueOf')).toBeUndefined();
    },
  );

  it.each(['root', 'timestamp', 'snapshot', 'targets', ''])(
    '%j cannot be delegated: it would replace a top-level file',
    async (name) => {
      repository.targets.delegations = {
        keys: {},
        roles: [{ name, keyids: [], threshold: 1, terminating: false, paths: ['*'] }],
      };
      repository.publishAll();
      await expect(client.refresh()).rejects.toMatchObject({ code: 'MALFORMED_METADATA', role: 'targets' });
      expect(await client.trusted()).not.toHaveProperty('targets');
    },
  );
});
