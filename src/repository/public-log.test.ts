import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IndexFixture } from '../../test/support/index-fixture.ts';
import { StoreClient } from '../../test/support/store-client.ts';
import { auditRows } from '../db/audit.ts';
import { logEntries } from '../db/log-entries.ts';
import { GrowingTree } from '../transparency/growing-tree.ts';
import { logCommitment, parseLogEntry, parseLogHead } from '../transparency/log-entry.ts';
import { leafHash } from '../transparency/merkle.ts';
import { EquivocationError } from '../tuf/errors.ts';
import { encodeHex } from '../tuf/hex.ts';
import { Metadata, signMetadata } from '../tuf/metadata.ts';
import { sha256 } from '../tuf/sha256.ts';
import type { Timestamp } from '../tuf/timestamp.ts';
import { PublicLog } from './public-log.ts';
import { fsck } from './fsck.ts';
import type { Publisher } from './publisher.ts';

let fixture: IndexFixture;
let publisher: Publisher;
beforeEach(async () => {
  fixture = await IndexFixture.create();
  publisher = await fixture.startedPublisher();
});
afterEach(async () => {
  await publisher.close();
  await fixture.close();
});

const publish = async (project: string) => {
  await fixture.upload(project, '1.0');
  await publisher.publishOnce();
};
const read = async (path: string) => (await fixture.store.read(path)) ?? new Uint8Array();
const timestamp = async () => Metadata.fromBytes(await read('metadata/timestamp.json'), 'timestamp');

/** What somebody with the online key can do. */
async function forge(edit: (timestamp: Timestamp) => Timestamp): Promise<void> {
  const forged = await signMetadata(edit((await timestamp()).signed), [fixture.online], 'timestamp');
  await fixture.store.put('metadata/timestamp.json', forged.toBytes());
}

describe('the public log', () => {
  it('has one entry for each publication, which names what was public', async () => {
    for (const project of ['a', 'b', 'c']) await publish(project);
    const { signed, signedBytes } = await timestamp();
    const entry = parseLogEntry(await read('log/4.json'));
    expect(entry.timestamp).toEqual({ version: 4, sha256: encodeHex(sha256(signedBytes)) });
    expect(entry.snapshot).toEqual({
      version: 4,
      sha256: encodeHex(sha256(await read('metadata/4.snapshot.json'))),
    });
    expect({ ...entry.previous, roles: entry.roles }).toEqual(logCommitment(signed));
    expect(await fixture.store.read('log/5.json')).toBeUndefined();
  });

  it('adds up: the head is the Merkle root over the entries as they are served', async () => {
    for (const project of ['a', 'b', 'c']) await publish(project);
    let tree = GrowingTree.empty();
    for (const seq of [1, 2, 3, 4]) tree = tree.append(leafHash(await read(`log/${seq}.json`))).tree;
    expect(parseLogHead(await read('log/head.json'))).toEqual(tree.head);
    expect(tree.head.size).toBe(4);
  });

  it('goes on after a restart, and when its tiles were lost', async () => {
    for (let number = 0; number < 40; number += 1) await publish(`p${number}`);
    const { db, store, tree, index } = fixture;
    const context = { db, store, tree, indexId: index.id };
    const { head } = await PublicLog.open(context);
    expect(head).toEqual(parseLogHead(await read('log/head.json')));
    for await (const { key } of store.list('log/tile/')) await store.remove(key);
    expect((await PublicLog.open(context)).head).toEqual(head);
    const client = await StoreClient.pin(fixture);
    await client.session();
    await publisher.close();
    publisher = await fixture.startedPublisher();
    await publish('last');
    expect(await client.read('simple/last/index.json')).toContain('last');
  });

  it('stands in the audit log with every publication and every signature', async () => {
    await publish('a');
    const rows = [];
    for await (const row of auditRows(fixture.db)) rows.push(row);
    const publications = rows.filter(({ action }) => action === 'publication');
    expect(publications.map(({ subject }) => subject)).toEqual(['timestamp 1', 'timestamp 2']);
    const entry = parseLogEntry(await read('log/2.json'));
    expect(JSON.parse(publications[1]?.detail ?? '{}')).toMatchObject({ roles: entry.roles, logSize: 2 });
    const signatures = rows.filter(
      ({ action, seq }) => action === 'signature' && seq > (publications[0]?.seq ?? 0),
    );
    expect(signatures).toHaveLength(1);
    const { signed, keys } = JSON.parse(signatures[0]?.detail ?? '{}') as { signed: string; keys: string };
    expect(keys).toBe(fixture.online.key.keyId);
    const snapshot = encodeHex(sha256(await read('metadata/2.snapshot.json')));
    expect(signed.split(',')).toContain(`snapshot 2 ${snapshot}`);
    expect(signed).toContain(`timestamp 2 `);
  });

  it('is checked by fsck: a changed entry, a lost one, a changed head', async () => {
    for (const project of ['a', 'b']) await publish(project);
    const broken = async () => (await fsck(fixture)).findings.filter(({ code }) => code === 'LOG_BROKEN');
    expect(await broken()).toEqual([]);
    for (const key of ['log/2.json', 'log/head.json']) {
      const bytes = await read(key);
      await fixture.store.put(key, new TextEncoder().encode('{}'));
      expect(await broken()).toMatchObject([{ path: key }]);
      await fixture.store.remove(key);
      expect(await broken()).toMatchObject([{ path: key }]);
      await fixture.store.put(key, bytes);
    }
    expect(await broken()).toEqual([]);
  });

  it('keeps every entry as it was published', async () => {
    await publish('a');
    for await (const row of logEntries(fixture.db, fixture.index.id))
      expect(new TextDecoder().decode(await read(`log/${row.seq}.json`))).toBe(row.entry);
  });
});

describe('a client that has seen the index before', () => {
  it('follows what was published meanwhile, however much', async () => {
    const client = await StoreClient.pin(fixture);
    await client.session();
    for (let number = 0; number < 70; number += 1) await publish(`p${number}`);
    expect(await client.read('simple/p69/index.json')).toContain('p69');
    await publish('next');
    expect(await client.read('simple/next/index.json')).toContain('next');
  });

  it('refuses a fork: a thief of the online key goes on from the state before the one it has seen', async () => {
    await publish('a');
    const before = (await timestamp()).signed;
    const client = await StoreClient.pin(fixture);
    await publish('honest');
    await client.session();
    const { snapshotMeta, version } = (await timestamp()).signed;
    await forge(() => before.with({ version: version + 1, snapshotMeta }));
    await expect(client.session()).rejects.toThrow(EquivocationError);
  });

  it('refuses a timestamp whose log is not the one it knows', async () => {
    const client = await StoreClient.pin(fixture);
    for (const project of ['a', 'b', 'c']) await publish(project);
    await client.session();
    const log = { root: 'ab'.repeat(32), roles: 'cd'.repeat(32) };
    await forge((signed) =>
      signed.with({
        version: signed.version + 1,
        unrecognizedFields: new Map([
          ['x-rind-log', new Map<string, string | number>([['size', 4], ...Object.entries(log)])],
        ]),
      }),
    );
    const refused = client.session();
    await expect(refused).rejects.toMatchObject({ code: 'EQUIVOCATION', role: 'timestamp', version: 5 });
  });

  it('refuses an index that has stopped keeping a log, and accepts one that begins', async () => {
    const client = await StoreClient.pin(fixture);
    await forge((signed) => signed.with({ version: 7, unrecognizedFields: new Map() }));
    await client.session();
    const field = new Map<string, string | number>([
      ['size', 0],
      ['root', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
      ['roles', 'cd'.repeat(32)],
    ]);
    await forge((signed) =>
      signed.with({ version: 8, unrecognizedFields: new Map([['x-rind-log', field]]) }),
    );
    await client.session();
    await forge((signed) => signed.with({ version: 9, unrecognizedFields: new Map() }));
    await expect(client.session()).rejects.toThrow('says nothing of the public log');
  });

  it('refuses a second timestamp of the version it has', async () => {
    const client = await StoreClient.pin(fixture);
    await client.session();
    await forge((signed) => signed.with({ expires: new Date(signed.expires.getTime() - 1000) }));
    await expect(client.session()).rejects.toThrow('was signed twice, with different content');
  });

  it('trusts nothing while the proof does not come, and is not poisoned by it', async () => {
    const client = await StoreClient.pin(fixture);
    await client.session();
    const before = await timestamp();
    for (const project of ['a', 'b', 'c']) await publish(project);
    const tiles = new Map<string, Uint8Array>();
    for await (const { key } of fixture.store.list('log/tile/')) tiles.set(key, await read(key));
    for (const key of tiles.keys()) await fixture.store.put(key, new Uint8Array(32));
    await expect(client.session()).rejects.toThrow(EquivocationError);
    for (const key of tiles.keys()) await fixture.store.remove(key);
    await expect(client.session()).rejects.toMatchObject({ statusCode: 404 });
    for (const [key, bytes] of tiles) await fixture.store.put(key, bytes);
    expect((await client.session()).trusted.timestamp?.version).toBe(before.signed.version + 3);
  });
});
