import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RepositorySimulator, SimulatedClient } from '../../src/testing/index.ts';
import { buildRind } from '../tools/rind-program.ts';

let repository: RepositorySimulator;
let client: SimulatedClient;
let server: Server;
let base: string;

beforeAll(buildRind);

beforeEach(async () => {
  repository = new RepositorySimulator();
  for (const [index, name] of repository.addBins('targets', 2, 'path_hash_prefixes').entries()) {
    repository.addTarget(name, `in-bin-${index}`, Buffer.from(name));
  }
  repository.publishAll();
  client = await SimulatedClient.create(repository);
  server = createServer((request, response) => {
    const bytes = repository.files.get((request.url ?? '').slice(1));
    if (bytes === undefined) {
      response.writeHead(404).end();
    } else {
      response.end(bytes);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await client.remove();
});

/** Runs one client session in a process of its own; `crashAt` kills it before the so-many-th change to the disk. */
function session(
  metadataDir: string,
  crashAt = 0,
): Promise<{ readonly signal: string | null; readonly output: string }> {
  const script = join(import.meta.dirname, 'session-process.mjs');
  const child = spawn(process.execPath, [script, metadataDir, base, String(crashAt)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  return new Promise((resolve) => child.on('close', (_code, signal) => resolve({ signal, output })));
}

describe('one metadata folder', () => {
  beforeEach(async () => {
    await mkdir(client.metadataDir, { mode: 0o700 });
    await writeFile(join(client.metadataDir, 'root.json'), repository.initialRoot);
    client.bootstrapRoot = undefined;
  });

  it('can be shared by sessions that overlap in one process', async () => {
    const sessions = Array.from({ length: 8 }, async () => {
      for (let count = 0; count < 5; count += 1) {
        repository.publish(['root']);
        repository.publishAll('bin-0');
        await client.updater({ supersededAfter: 1e9 }).getTargetInfo('nothing');
      }
    });
    await Promise.all(sessions);
    await client.refresh();
    expect(await client.trusted()).toMatchObject({
      root: repository.root.version,
      timestamp: repository.timestamp.version,
      snapshot: repository.snapshot.version,
    });
  });

  it('can be shared by processes that run at the same time', async () => {
    for (let round = 0; round < 3; round += 1) {
      repository.publish(['root']);
      repository.publishAll('bin-1');
      const sessions = [1, 2, 3].map(() => session(client.metadataDir));
      for (const { output } of await Promise.all(sessions)) {
        expect(output).toBe('ok');
      }
      expect(await client.trusted()).toMatchObject({
        root: round + 2,
        timestamp: repository.timestamp.version,
      });
    }
    expect((await readdir(join(client.metadataDir, 'tmp'))).length).toBe(0);
  });

  it('is never rolled back by a slower session', async () => {
    const slow = client.updater();
    let release: (() => void) | undefined;
    client.fetcher = {
      async *fetch(url, options) {
        yield* repository.fetch(url, options);
        if (url.endsWith('timestamp.json')) {
          await new Promise<void>((resolve) => (release = resolve));
        }
      },
    };
    const delayed = client.updater().refresh();
    await expect.poll(() => release).toBeDefined();
    repository.publish(['root']);
    repository.publishAll();
    await slow.refresh();
    const { version: timestamp } = repository.timestamp;
    const newest = { root: 2, timestamp, snapshot: repository.snapshot.version };
    expect(await client.trusted()).toMatchObject(newest);
    release?.();
    await delayed;
    expect(await client.trusted()).toMatchObject(newest);
  });

  it('is replaced where another program left bytes that are no metadata', async () => {
    await client.refresh();
    for (const role of ['timestamp', 'snapshot', 'targets']) {
      await writeFile(join(client.metadataDir, `${role}.json`), '{"signed": "damaged"}');
    }
    await client.refresh();
    expect(await client.trusted()).toEqual({ root: 1, timestamp: 2, snapshot: 2, targets: 2 });
  });
});

describe('a crash at any change to the disk', () => {
  it('leaves every file whole, nothing rolled back, and a folder the next session can use', async () => {
    await mkdir(client.metadataDir, { mode: 0o700 });
    await writeFile(join(client.metadataDir, 'root.json'), repository.initialRoot);
    expect((await session(client.metadataDir)).output).toBe('ok');
    const before = await client.trusted();
    const [oldTimestampKey] = repository.signers('timestamp');
    repository.rotateKeys('timestamp');
    repository.signers('timestamp').push(oldTimestampKey!);
    repository.publish(['root']);
    repository.publish(['root']);
    repository.publishAll('bin-0', 'bin-1', 'bin-2', 'bin-3');

    const crash = async (crashAt: number): Promise<boolean> => {
      const folder = join(client.folder, `crash-${crashAt}`);
      await cp(client.metadataDir, folder, { recursive: true });
      const { signal, output } = await session(folder, crashAt);
      const crashed = await SimulatedClient.create(repository);
      Object.assign(crashed, { metadataDir: folder, bootstrapRoot: undefined });
      const after = await crashed.trusted();
      for (const [role, version] of Object.entries(before)) {
        expect(after[role]).toBeGreaterThanOrEqual(version);
        const kept = await readFile(join(folder, `${role}.json`));
        expect(repository.versions(role).some((bytes) => Buffer.compare(bytes, kept) === 0)).toBe(true);
      }
      await crashed.refresh();
      expect(await crashed.trusted()).toMatchObject({ root: 3, timestamp: repository.timestamp.version });
      await crashed.remove();
      if (signal !== 'SIGKILL') {
        expect(output).toBe('ok');
      }
      return signal === 'SIGKILL';
    };
    let crashes = 0;
    for (let first = 1, isOver = false; !isOver; first += 4) {
      const batch = await Promise.all([first, first + 1, first + 2, first + 3].map(crash));
      crashes += batch.filter(Boolean).length;
      isOver = batch.includes(false);
    }
    expect(crashes).toBeGreaterThan(30);
  });
});
