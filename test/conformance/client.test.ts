import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { RepositorySimulator, SimulatorKey, timeText } from '../../src/testing/index.ts';
import type { SimulatorScheme } from '../../src/testing/index.ts';
import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { buildRind } from '../tools/rind-program.ts';
import { ConformanceBench } from './conformance-bench.ts';

let bench: ConformanceBench;
let repository: RepositorySimulator;

beforeAll(buildRind);

beforeEach(async () => {
  bench = await ConformanceBench.create();
  ({ repository } = bench);
  expect(await bench.init()).toBe(0);
});

afterEach(() => bench.close());

async function use(other: RepositorySimulator): Promise<void> {
  await bench.close();
  bench = await ConformanceBench.create(other);
  repository = other;
  expect(await bench.init()).toBe(0);
}

const FIRST = ['2.root', 'timestamp', '1.snapshot', '1.targets'];

describe('the protocol', () => {
  it('init asks for nothing; refresh asks for exactly what the workflow needs, and stores it as received', async () => {
    expect(bench.takeRequests()).toEqual([]);
    expect(await bench.refresh()).toBe(0);
    expect(bench.takeRequests()).toEqual(FIRST);
    for (const role of ['root', 'timestamp', 'snapshot', 'targets']) {
      expect(await bench.trustedBytes(role)).toEqual(Buffer.from(repository.versions(role)[0]!));
    }
  });

  it('download refreshes first, and fails with 1 for a target that nobody lists', async () => {
    expect(await bench.download('nonexistent artifact')).toBe(1);
    expect(bench.takeRequests()).toEqual(FIRST);
    expect(bench.stderr).toMatch(/^error: nonexistent artifact: /);
    expect(await bench.trusted()).toEqual({ root: 1, timestamp: 1, snapshot: 1, targets: 1 });
  });

  it('refuses an invalid or unsigned initial root with 1 and without any request', async () => {
    const root = JSON.parse(Buffer.from(repository.initialRoot).toString()) as {
      signed: { version?: number };
      signatures: { sig: string }[];
    };
    const { version } = root.signed;
    delete root.signed.version;
    await bench.init(Buffer.from(JSON.stringify(root)));
    expect(await bench.refresh()).toBe(1);
    root.signed.version = version!;
    root.signatures[0]!.sig = 'ab'.repeat(64);
    await bench.init(Buffer.from(JSON.stringify(root)));
    expect(await bench.refresh()).toBe(1);
    expect(bench.requests).toEqual([]);
  });

  it('fails with 1 where nothing was set up, where the command is unknown, and where the network is gone', async () => {
    bench.dropped.add('metadata/2.root.json');
    expect(await bench.refresh()).toBe(1);
    expect(await bench.run('--metadata-dir', bench.metadataDir, 'publish')).toBe(1);
    await rm(bench.metadataDir, { recursive: true });
    expect(await bench.refresh()).toBe(1);
    expect(bench.stderr).toMatch(/no trusted root/);
  });

  it('lets faketime move the clock', async () => {
    expect(await bench.refresh()).toBe(0);
    expect(await bench.refresh(29)).toBe(0);
    expect(await bench.refresh(31)).toBe(1);
    expect(bench.stderr).toMatch(/expired/);
  });
});

describe('top-level metadata', () => {
  it.each([
    ['root', { root: 1 }],
    ['timestamp', { root: 2 }],
    ['snapshot', { root: 2, timestamp: 2 }],
    ['targets', { root: 2, timestamp: 2, snapshot: 2 }],
  ])('unsigned %s is refused, what came before is kept', async (role, trusted) => {
    repository.signers(role).length = 0;
    repository.publish(['root', 'targets', 'snapshot', 'timestamp']);
    expect(await bench.refresh()).toBe(1);
    expect(await bench.trusted()).toEqual(trusted);
  });

  it.each([
    ['root', { root: 1 }],
    ['snapshot', { root: 1, timestamp: 2 }],
    ['targets', { root: 1, timestamp: 2, snapshot: 2 }],
  ])('%s with another version than its URL is refused', async (role, trusted) => {
    repository.publishAll();
    repository.role(role).version += role === 'root' ? 2 : 1;
    repository.files.set(`metadata/2.${role}.json`, repository.sign(role));
    expect(await bench.refresh()).toBe(1);
    expect(await bench.trusted()).toEqual(trusted);
  });

  it('a timestamp of the same version and other content is not taken', async () => {
    expect(await bench.refresh()).toBe(0);
    repository.timestamp.meta['snapshot.json']!.version = 100;
    repository.files.set('metadata/timestamp.json', repository.sign('timestamp'));
    bench.takeRequests();
    expect(await bench.refresh()).toBe(0);
    expect(bench.takeRequests()).toEqual(['2.root', 'timestamp']);
    expect(await bench.trustedBytes('timestamp')).toEqual(Buffer.from(repository.versions('timestamp')[0]!));
  });

  it('hashes in snapshot and timestamp are checked', async () => {
    repository.listHashes = true;
    repository.publishAll();
    expect(await bench.refresh()).toBe(0);
    repository.publish(['targets', 'snapshot']);
    repository.snapshot.meta['targets.json']!.hashes!['sha256'] = '46'.repeat(32);
    repository.publish(['snapshot'], { updateMeta: false, bumpVersion: false });
    repository.publish(['timestamp']);
    expect(await bench.refresh()).toBe(1);
    expect(await bench.trusted()).toMatchObject({ snapshot: 3, targets: 2 });
  });

  it('bytes are stored as they came', async () => {
    const odd = Buffer.concat([repository.versions('timestamp')[0]!, Buffer.from(' ')]);
    repository.files.set('metadata/timestamp.json', odd);
    expect(await bench.refresh()).toBe(0);
    expect(await bench.trustedBytes('timestamp')).toEqual(odd);
  });

  it.each([
    ['snapshot', { root: 1, timestamp: 2, snapshot: 1, targets: 1 }],
    ['targets', { root: 1, timestamp: 2, snapshot: 2, targets: 1 }],
  ])('a missing %s ends the refresh with the last request for it', async (role, trusted) => {
    expect(await bench.refresh()).toBe(0);
    repository.publishAll();
    repository.files.delete(`metadata/2.${role}.json`);
    expect(await bench.refresh()).toBe(1);
    expect(bench.requests.at(-1)).toBe(`2.${role}`);
    expect(await bench.trusted()).toEqual(trusted);
  });

  it('a timestamp that is missing, or whose connection is closed without an answer, ends the refresh', async () => {
    expect(await bench.refresh()).toBe(0);
    bench.dropped.add('metadata/timestamp.json');
    expect(await bench.refresh()).toBe(1);
    bench.dropped.clear();
    repository.files.delete('metadata/timestamp.json');
    expect(await bench.refresh()).toBe(1);
    expect(bench.requests.at(-1)).toBe('timestamp');
    expect(bench.requests.filter((request) => request === 'timestamp')).toHaveLength(3);
  });

  it('metadata of another type under the same keys is refused', async () => {
    repository.addKey('snapshot', 'root', repository.signers('timestamp')[0]!);
    repository.snapshot.meta = { 'snapshot.json': { version: 1 } };
    repository.publish(['root', 'snapshot'], { updateMeta: false });
    repository.files.set('metadata/timestamp.json', repository.versions('snapshot')[1]!);
    expect(await bench.refresh()).toBe(1);
    expect(await bench.trusted()).toEqual({ root: 2 });
  });

  it('unknown fields in root, keys and roles are kept in what is verified', async () => {
    repository.root['custom'] = 'value';
    Object.values(repository.root.keys)[0]!['extra'] = { a: 1 };
    repository.root.roles['root']!['other'] = [];
    repository.publish(['root']);
    expect(await bench.refresh()).toBe(0);
    expect(await bench.trusted()).toMatchObject({ root: 2 });
  });
});

describe('rollback and expiry', () => {
  const past = () => timeText(new Date(Date.now() - 5 * 86_400_000));

  it('an older timestamp is refused', async () => {
    repository.publish(['timestamp']);
    expect(await bench.refresh()).toBe(0);
    repository.files.set('metadata/timestamp.json', repository.versions('timestamp')[0]!);
    expect(await bench.refresh()).toBe(1);
    expect(bench.requests.at(-1)).toBe('timestamp');
    expect(await bench.trusted()).toMatchObject({ timestamp: 2 });
  });

  it.each([false, true])('an older snapshot in the timestamp is refused (hashes: %s)', async (listHashes) => {
    repository.listHashes = listHashes;
    repository.publishAll();
    expect(await bench.refresh()).toBe(0);
    repository.snapshot.version = 1;
    repository.publish(['snapshot'], { bumpVersion: false });
    repository.publish(['timestamp']);
    expect(await bench.refresh()).toBe(1);
    expect(bench.requests.at(-1)).toBe('timestamp');
    expect(await bench.trusted()).toMatchObject({ timestamp: 2, snapshot: 2 });
  });

  it.each([false, true])('older targets in the snapshot are refused (hashes: %s)', async (listHashes) => {
    repository.listHashes = listHashes;
    repository.publishAll();
    expect(await bench.refresh()).toBe(0);
    repository.targets.version = 1;
    repository.publish(['targets'], { bumpVersion: false });
    repository.publish(['snapshot', 'timestamp']);
    expect(await bench.refresh()).toBe(1);
    expect(await bench.trusted()).toMatchObject({ snapshot: 2, targets: 2 });
  });

  it('the three fast-forward recoveries work by key rotation', async () => {
    for (const role of ['timestamp', 'snapshot', 'targets'] as const) {
      repository.role(role).version = 1000;
      repository.publishAll();
      expect(await bench.refresh()).toBe(0);
      repository.rotateKeys(role === 'targets' ? 'snapshot' : role);
      if (role === 'snapshot') {
        repository.rotateKeys('timestamp');
      }
      repository.role(role).version = 1;
      repository.publish(['root']);
      repository.publishAll();
      expect(await bench.refresh()).toBe(0);
      expect(await bench.trusted()).toMatchObject({ [role]: 2 });
    }
  });

  it.each(['timestamp', 'snapshot', 'targets'])('expired %s is refused and not stored', async (role) => {
    expect(await bench.refresh()).toBe(0);
    repository.role(role).expires = past();
    repository.publishAll();
    expect(await bench.refresh()).toBe(1);
    expect(await bench.trusted()).toMatchObject({ [role]: 1 });
  });

  it('an expired root is stored and then refused, and can be followed by a fresh one', async () => {
    repository.root.expires = past();
    repository.publish(['root']);
    expect(await bench.refresh()).toBe(1);
    expect(await bench.trusted()).toEqual({ root: 2 });
    repository.root.expires = timeText(new Date(Date.now() + 86_400_000));
    repository.publish(['root']);
    expect(await bench.refresh()).toBe(0);
  });

  it('expired local metadata serves for updating', async () => {
    repository.timestamp.expires = timeText(new Date(Date.now() + 7 * 86_400_000));
    repository.publish(['timestamp']);
    expect(await bench.refresh()).toBe(0);
    repository.timestamp.expires = timeText(new Date(Date.now() + 21 * 86_400_000));
    repository.publishAll();
    expect(await bench.refresh(18)).toBe(0);
    expect(await bench.trusted()).toMatchObject({ targets: 2, snapshot: 2, timestamp: 3 });
  });

  it('an expired delegated role ends the download', async () => {
    repository.addDelegation('targets', 'role').expires = past();
    repository.addTarget('role', 'file', Buffer.from('content'));
    repository.publishAll();
    expect(await bench.download('file')).toBe(1);
    expect(await bench.trusted()).not.toHaveProperty('role');
  });
});

describe('keys', () => {
  it.each<SimulatorScheme>(['ed25519', 'ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'rsassa-pss-sha256'])(
    '%s is verified',
    async (scheme) => {
      await use(new RepositorySimulator({ scheme }));
      expect(await bench.refresh()).toBe(0);
    },
  );

  it('a wrong or empty signature beside enough right ones does no harm', async () => {
    const foreign = repository.signers('timestamp')[0]!;
    repository.addKey('timestamp');
    repository.publish(['root', 'timestamp']);
    for (const sig of ['30'.repeat(70), '']) {
      repository.publish(['timestamp']);
      const envelope = JSON.parse(Buffer.from(repository.versions('timestamp').at(-1)!).toString()) as {
        signatures: { keyid: string; sig: string }[];
      };
      envelope.signatures.find(({ keyid }) => keyid === foreign.keyId)!.sig = sig;
      repository.files.set('metadata/timestamp.json', Buffer.from(JSON.stringify(envelope)));
      expect(await bench.refresh()).toBe(0);
    }
    expect(await bench.trusted()).toMatchObject({ timestamp: 4 });
  });

  it('a snapshot below its threshold is refused, and the stored one stays', async () => {
    expect(await bench.refresh()).toBe(0);
    for (let count = 0; count < 4; count += 1) {
      repository.addKey('snapshot');
    }
    repository.root.roles['snapshot']!.threshold = 6;
    repository.publish(['root', 'snapshot', 'timestamp']);
    expect(await bench.refresh()).toBe(1);
    expect(await bench.trusted()).toMatchObject({ root: 2, snapshot: 1 });
  });

  it('one key under many key ids counts once', async () => {
    expect(await bench.refresh()).toBe(0);
    const key = repository.signers('snapshot')[0]!;
    for (let count = 0; count < 5; count += 1) {
      repository.root.keys[`alias${count}`] = key.json;
      repository.root.roles['snapshot']!.keyids.push(`alias${count}`);
    }
    repository.root.roles['snapshot']!.threshold = 3;
    repository.publish(['root', 'snapshot']);
    const envelope = JSON.parse(Buffer.from(repository.sign('snapshot')).toString()) as {
      signatures: { keyid: string; sig: string }[];
    };
    const { sig } = envelope.signatures[0]!;
    envelope.signatures.push(...[0, 1, 2, 3, 4].map((count) => ({ keyid: `alias${count}`, sig })));
    repository.files.set('metadata/2.snapshot.json', Buffer.from(JSON.stringify(envelope)));
    repository.publish(['timestamp']);
    expect(await bench.refresh()).toBe(1);
    expect(await bench.trusted()).toMatchObject({ root: 2, snapshot: 1 });
  });

  const rotations: readonly (readonly [
    string,
    readonly { keys: number[]; threshold: number; sigs: number[] }[],
    boolean,
  ])[] = [
    [
      'rotate the only key',
      [
        { keys: [1], threshold: 1, sigs: [1] },
        { keys: [2], threshold: 1, sigs: [2, 1] },
        { keys: [2], threshold: 1, sigs: [2] },
      ],
      true,
    ],
    [
      'unused signatures',
      [
        { keys: [1], threshold: 1, sigs: [3, 1, 4] },
        { keys: [2], threshold: 1, sigs: [3, 2, 1, 4] },
      ],
      true,
    ],
    [
      '3 of 5, all rotated',
      [
        { keys: [0, 1, 2, 3, 4], threshold: 3, sigs: [0, 2, 4] },
        { keys: [5, 6, 7, 8, 9], threshold: 3, sigs: [0, 2, 4, 5, 6, 7] },
        { keys: [5, 6, 7, 8, 9], threshold: 3, sigs: [5, 6, 7] },
      ],
      true,
    ],
    [
      'a higher threshold',
      [
        { keys: [1, 2, 3], threshold: 1, sigs: [1] },
        { keys: [1, 2, 3], threshold: 2, sigs: [1, 2] },
      ],
      true,
    ],
    [
      'not signed by the old key',
      [
        { keys: [1], threshold: 1, sigs: [1] },
        { keys: [2], threshold: 1, sigs: [2, 3, 4] },
      ],
      false,
    ],
    [
      'not signed by the new key',
      [
        { keys: [1], threshold: 1, sigs: [1] },
        { keys: [2], threshold: 1, sigs: [1, 3, 4] },
      ],
      false,
    ],
    [
      'below the new threshold',
      [
        { keys: [1, 2, 3], threshold: 1, sigs: [1] },
        { keys: [1, 2, 3], threshold: 2, sigs: [2] },
      ],
      false,
    ],
    [
      'below the old threshold',
      [
        { keys: [1, 2, 3], threshold: 2, sigs: [1, 2] },
        { keys: [1, 2, 3], threshold: 1, sigs: [1] },
      ],
      false,
    ],
  ];

  it.each(rotations)('root rotation: %s', async (_name, versions, isTaken) => {
    const keys = Array.from({ length: 10 }, () => SimulatorKey.generate());
    const published: Uint8Array[] = [];
    repository.root.version = 0;
    for (const { keys: listed, threshold, sigs } of versions) {
      repository.root.roles['root'] = { keyids: listed.map((index) => keys[index]!.keyId), threshold };
      for (const index of listed) {
        repository.root.keys[keys[index]!.keyId] = keys[index]!.json;
      }
      repository.root.version += 1;
      const bytes = repository.sign(
        'root',
        sigs.map((index) => keys[index]!),
      );
      repository.files.set(`metadata/${repository.root.version}.root.json`, bytes);
      published.push(bytes);
    }
    await bench.init(published[0]);
    expect(await bench.refresh()).toBe(isTaken ? 0 : 1);
    expect(await bench.trustedBytes('root')).toEqual(Buffer.from(published.at(isTaken ? -1 : -2)!));
  });
});

describe('delegations and artifacts', () => {
  it('are searched in pre-order, and nothing is asked for twice', async () => {
    for (const [from, to, terminating] of [
      ['targets', 'A', false],
      ['targets', 'B', false],
      ['A', 'C', true],
      ['A', 'D', false],
      ['C', 'E', false],
      ['E', 'A', false],
    ] as const) {
      repository.addDelegation(from, to, { terminating });
    }
    repository.publishAll();
    expect(await bench.download('missing')).toBe(1);
    expect(bench.takeRequests().slice(4)).toEqual(['1.A', '1.C', '1.E']);
  });

  it.each(['?', '#', '/delegatedrole', '../delegatedrole', "it's (a) role!*"])(
    'the role name %s is quoted in URL and folder',
    async (role) => {
      repository.addDelegation('targets', role);
      repository.publishAll();
      expect(await bench.download('nonexistent')).toBe(1);
      const quoted = encodeURIComponent(role).replace(
        /[!'()*]/g,
        (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
      );
      expect(bench.takeRequests()).toContain(`1.${quoted}`);
      expect(Object.keys(await bench.trusted())).toHaveLength(5);
    },
  );

  it('a cached role is verified for the delegator through which it is reached', async () => {
    repository.addDelegation('targets', 'A', { paths: ['a*'] });
    repository.addDelegation('targets', 'B', { paths: ['b*'] });
    repository.addDelegation('A', 'C');
    repository.addDelegation('B', 'C');
    repository.signers('C').splice(1);
    repository.addTarget('C', 'a1', Buffer.from('fine'));
    repository.addTarget('C', 'b1', Buffer.from('forged'));
    repository.publishAll();
    expect(await bench.download('a1', 'b1')).toBe(1);
    expect(await bench.artifacts()).toEqual(['fine']);
    expect(await bench.download('b1')).toBe(1);
    expect(await bench.artifacts()).toEqual(['fine']);
  });

  it('artifacts are downloaded in order by one session, each once', async () => {
    repository.addTarget('targets', 'one', Buffer.from('1'));
    repository.addTarget('targets', 'path/to/a/two.txt', Buffer.from('2'));
    repository.publishAll();
    expect(await bench.download('one', 'path/to/a/two.txt')).toBe(0);
    expect(await bench.artifacts()).toEqual(['1', '2']);
    bench.takeRequests();
    expect(await bench.download('one', 'missing', 'path/to/a/two.txt')).toBe(1);
    expect(bench.takeRequests()).toEqual(['2.root', 'timestamp']);
  });

  it('artifacts listed with SHA-512 only are asked for by it', async () => {
    const content = Buffer.from('content');
    const sha512 = createHash('sha512').update(content).digest('hex');
    repository.addTarget('targets', 'a/file', content).hashes = { sha512 };
    repository.files.set(`targets/a/${sha512}.file`, content);
    repository.publishAll();
    expect(await bench.download('a/file')).toBe(0);
    expect(await bench.artifacts()).toEqual(['content']);
    expect(bench.requests.at(-1)).toBe(`targets/a/${sha512}.file`);
  });

  it('replaced artifacts are not accepted, and leave what was there', async () => {
    repository.addTarget('targets', 'one', Buffer.from('genuine 1'));
    repository.addTarget('targets', 'two', Buffer.from('genuine 2'));
    repository.publishAll();
    expect(await bench.download('one')).toBe(0);
    for (const path of [...repository.files.keys()].filter((name) => name.startsWith('targets/'))) {
      repository.files.set(path, Buffer.from('malicious'));
    }
    expect(await bench.download('one')).toBe(0);
    expect(await bench.download('two')).toBe(1);
    expect(await bench.artifacts()).toEqual(['genuine 1']);
    repository.addTarget('targets', 'one', Buffer.from('genuine again'));
    repository.publishAll();
    expect(await bench.download('one')).toBe(0);
    expect(await bench.artifacts()).toEqual(['genuine again']);
  });

  it.each(['succinct_roles', 'path_hash_prefixes'] as const)('bins by %s', async (form) => {
    const bins = repository.addBins('targets', 3, form);
    for (const bin of bins) {
      repository.addTarget(bin, 'file', Buffer.from('content'));
    }
    repository.publishAll();
    expect(await bench.download('file')).toBe(0);
    expect(bench.takeRequests()).toHaveLength(6);
  });

  it('a repository without consistent snapshots', async () => {
    await use(new RepositorySimulator({ consistentSnapshot: false }));
    repository.addTarget('targets', 'a/file', Buffer.from('content'));
    repository.publishAll();
    expect(await bench.download('a/file')).toBe(0);
    expect(bench.takeRequests()).toEqual(['2.root', 'timestamp', 'snapshot', 'targets', 'targets/a/file']);
  });
});
