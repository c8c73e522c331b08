// `npx tsx test/bench/start.ts`: from the start of a process that was killed with -9 in the middle of uploads to serving and to publishing.
import { join } from 'node:path';
import { openDatabase } from '../../src/db/open.ts';
import { putTargets } from '../../src/db/targets.ts';
import { writeTransaction } from '../../src/db/transactions.ts';
import { IndexFixture } from '../support/index-fixture.ts';
import { makeWheel } from '../tools/distribution.ts';
import { buildRind, RindServer, scratchFolder } from '../tools/rind-program.ts';
import { Uploader } from '../tools/upload.ts';
import { isQuick, machine, renderTable } from './report.ts';

const TARGETS = isQuick ? 2000 : 200_000;
const ROUNDS = isQuick ? 1 : 5;
const hex = (value: number): string => value.toString(16).padStart(64, '0');
const targets = (from: number, count: number) =>
  Array.from({ length: count }, (_, index) => ({
    path: `packages/made-up-${(from + index) % 20_000}/made_up-${from + index}.tar.gz`,
    length: 1000,
    sha256: hex(from + index),
  }));

async function fill(database: Awaited<ReturnType<typeof openDatabase>>, indexId: number): Promise<void> {
  for (let from = 0; from < TARGETS; from += 10_000)
    await writeTransaction(database.db, (tx) =>
      putTargets(tx, indexId, targets(from, Math.min(10_000, TARGETS - from))),
    );
}

/** The whole program: 256 bins. */
async function measureProcess(): Promise<readonly (readonly string[])[]> {
  await buildRind();
  const scratch = await scratchFolder('start');
  const folder = join(scratch.path, 'data');
  await (await RindServer.start({ folder })).stop();
  const database = await openDatabase({ path: join(folder, 'rind.db') });
  await fill(database, 1);
  await database.close();
  const rows: string[][] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const killed = await RindServer.start({ folder });
    const loader = new Uploader(killed.uploadUrl, killed.token);
    const uploads = Array.from({ length: 4 }, (_, index) =>
      loader.upload(makeWheel({ name: `load-${round}-${index}`, version: '1.0' })).catch(() => undefined),
    );
    await uploads[0];
    await killed.kill();
    await Promise.all(uploads);
    loader.close();
    const begin = performance.now();
    const server = await RindServer.start({ folder });
    const page = await fetch(`${server.url}metadata/timestamp.json`);
    await page.arrayBuffer();
    const serving = performance.now() - begin;
    const uploader = new Uploader(server.uploadUrl, server.token);
    const answer = await uploader.upload(makeWheel({ name: `after-${round}`, version: '1.0' }));
    const publishing = performance.now() - begin;
    uploader.close();
    await server.stop();
    rows.push([
      `process, ${TARGETS} targets, 256 bins`,
      `${serving.toFixed(0)} ms`,
      `${publishing.toFixed(0)} ms (${answer.status})`,
    ]);
  }
  await scratch.remove();
  return rows;
}

/** The publisher alone at PEP 458's number of bins. */
async function measurePublisher(): Promise<readonly string[]> {
  const fixture = await IndexFixture.create({ profile: isQuick ? 'team' : 'pypi', onDisk: true });
  await fill(fixture.database, fixture.index.id);
  const begin = performance.now();
  const publisher = await fixture.startedPublisher();
  const started = performance.now() - begin;
  await fixture.upload('flask', '1.0');
  await publisher.publishOnce();
  const published = performance.now() - begin;
  await fixture.close();
  return [
    `publisher, ${TARGETS} targets, ${isQuick ? 256 : 16_384} bins`,
    `${started.toFixed(0)} ms (started)`,
    `${published.toFixed(0)} ms`,
  ];
}

const rows = [...(await measureProcess()), await measurePublisher()];
console.log(machine());
console.log(
  renderTable({
    title: '',
    method: '',
    columns: ['what', 'to serving', 'to the first publication'],
    rows,
    missing: [],
  }),
);
