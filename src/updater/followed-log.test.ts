import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RepositorySimulator, SimulatedClient } from '../testing/index.ts';
import { GrowingTree } from '../transparency/growing-tree.ts';
import { LOG_FIELD, encodeLogEntry, entryOfTimestamp } from '../transparency/log-entry.ts';
import { tilePath } from '../transparency/log-layout.ts';
import { leafHash } from '../transparency/merkle.ts';
import { Metadata } from '../tuf/metadata.ts';

const ROLES = 'ee'.repeat(32);
let repository: RepositorySimulator;
let client: SimulatedClient;
let tree: GrowingTree;

beforeEach(async () => {
  repository = new RepositorySimulator();
  repository.listHashes = true;
  tree = GrowingTree.empty();
  client = await SimulatedClient.create(repository);
});

afterEach(() => client.remove());

/** Publishes a timestamp that commits to the log so far, and puts it into the log. */
function publish(): void {
  Object.assign(repository.timestamp, { [LOG_FIELD]: { ...tree.head, roles: ROLES } });
  repository.publishAll();
  grow(repository.versions('timestamp').at(-1) ?? new Uint8Array());
}

function grow(timestamp: Uint8Array): void {
  const { signed, signedBytes } = Metadata.fromBytes(timestamp, 'timestamp');
  const entry = entryOfTimestamp(signed, signedBytes);
  if (entry === undefined) throw new Error('a timestamp without log');
  const { tree: next, tiles } = tree.append(leafHash(encodeLogEntry(entry)));
  for (const tile of tiles) repository.files.set(tilePath(tile), tile.hashes);
  tree = next;
}

const refused = () =>
  expect(client.refresh()).rejects.toThrow(
    expect.objectContaining({ name: 'EquivocationError', role: 'timestamp' }),
  );

describe('the public log', () => {
  it('is followed from publication to publication, however many there were between', async () => {
    for (const count of [1, 1, 2, 40]) {
      for (let index = 0; index < count; index += 1) publish();
      await client.refresh();
    }
    expect(await client.trusted()).toMatchObject({ timestamp: 45 });
  });

  it('may begin later, but not end', async () => {
    await client.refresh();
    publish();
    await client.refresh();
    Reflect.deleteProperty(repository.timestamp, LOG_FIELD);
    repository.publishAll();
    await refused();
  });

  it('refuses a log that is not longer', async () => {
    publish();
    publish();
    await client.refresh();
    tree = GrowingTree.empty();
    publish();
    await refused();
  });

  it('refuses another history', async () => {
    publish();
    publish();
    await client.refresh();
    tree = GrowingTree.empty();
    for (const version of [1, 1, 1]) grow(repository.versions('timestamp')[version] ?? new Uint8Array());
    publish();
    await refused();
  });

  it('does not trust what it cannot follow, and takes a full tile for its shorter form', async () => {
    for (let count = 0; count < 30; count += 1) publish();
    await client.refresh();
    publish();
    const partial = [...repository.files.keys()].filter((name) => name.startsWith('log/tile/0/0.p/'));
    expect(partial).toContain('log/tile/0/0.p/30');
    for (const name of partial) repository.files.delete(name);
    await expect(client.refresh()).rejects.toMatchObject({ code: 'DOWNLOAD_HTTP' });
    expect(await client.trusted()).toMatchObject({ timestamp: 31 });
    const timestamp = repository.files.get('metadata/timestamp.json');
    publish();
    publish();
    for (const name of repository.files.keys())
      if (name.startsWith('log/tile/0/0.p/')) repository.files.delete(name);
    repository.files.set('metadata/timestamp.json', timestamp ?? new Uint8Array());
    await client.refresh();
    expect(await client.trusted()).toMatchObject({ timestamp: 32 });
  });

  it('takes an answer of 500 for no reason to look for another tile', async () => {
    for (let count = 0; count < 3; count += 1) publish();
    await client.refresh();
    publish();
    repository.misbehave(/log\/tile/, { kind: 'status', status: 500 });
    await expect(client.refresh()).rejects.toMatchObject({ code: 'DOWNLOAD_HTTP', statusCode: 500 });
    expect(repository.requests.filter((request) => /^log\/tile\/0\/0(?!\.p)/.test(request))).toEqual([]);
    expect(await client.trusted()).toMatchObject({ timestamp: 4 });
  });

  it('asks for nothing while the same timestamp is served again', async () => {
    publish();
    await client.refresh();
    publish();
    await client.refresh();
    expect(await client.refresh()).not.toContainEqual(expect.stringContaining('log/'));
    expect(await client.trusted()).toMatchObject({ timestamp: 3 });
  });

  it('refuses a second timestamp of the same version', async () => {
    publish();
    await client.refresh();
    Object.assign(repository.timestamp, { 'x-other': 1 });
    repository.files.set('metadata/timestamp.json', repository.sign('timestamp'));
    await refused();
  });
});
