import { pageTargets } from '../../src/claims/page-targets.ts';
import { nextPage } from '../../src/claims/next-page.ts';
import { nextRoles } from '../../src/claims/next-roles.ts';
import { projectRoleName } from '../../src/claims/names.ts';
import { checkTransaction } from '../../src/claims/transaction.ts';
import { parseTransaction, transactionJson } from '../../src/claims/transaction-form.ts';
import type { PageFile } from '../../src/pypi/simple.ts';
import { Metadata, signMetadata } from '../../src/tuf/metadata.ts';
import { ownersFor } from '../support/claimed-fixture.ts';
import { Developer } from '../support/developer.ts';
import { newSigner, sha256 } from '../support/index-fixture.ts';
import { ServerFixture } from '../support/server-fixture.ts';
import { makeWheel } from '../tools/distribution.ts';
import { isQuick, milliseconds, percentile, type Table } from './report.ts';

const RELEASES = isQuick ? 2 : 20;
const CHECKS = isQuick ? 3 : 100;
const PRESENT = 100;
const NOW = new Date('2026-11-22T22:00:00Z');

/** Signing, publishing and checking a release of ten files. */
export async function benchClaimedReleases(): Promise<Table> {
  const releases = await releaseTimes();
  const checks = await checkTimes();
  const row = (what: string, times: readonly number[], aim: string) => [
    what,
    milliseconds(percentile(times, 0.5)),
    milliseconds(percentile(times, 0.99)),
    aim,
  ];
  return {
    title: 'A release of ten files by its developers',
    method: `The files wait as staged files already; then: fetch the public state, make the pages, sign, send the transaction over HTTP, all checks, publication with 256 bins on a file store, answer. ${RELEASES} releases one after another. The check alone: parse and check a transaction of a project with ${PRESENT} files and ten new ones, ${CHECKS} times.`,
    columns: ['what', 'median', 'p99', 'aim'],
    rows: [
      row('sign and publish, beyond the transfer', releases, '1000 ms'),
      row('the server’s check of the transaction', checks, '20 ms'),
    ],
    missing: [],
  };
}

async function releaseTimes(): Promise<readonly number[]> {
  const server = await ServerFixture.start();
  const alice = newSigner();
  const token = await server.issue({ verbs: ['upload', 'own'] });
  const developer = new Developer(server, token);
  const times: number[] = [];
  for (let release = 0; release < RELEASES; release++) {
    const files = Array.from({ length: 10 }, (_, number) =>
      makeWheel({ name: 'demo', version: `${release}.${number}`, padding: 10_000 }),
    );
    for (const file of files) {
      const staged = await developer.stage(file);
      if (staged.status !== 202) throw new Error(`not staged: ${staged.text}`);
    }
    const started = performance.now();
    const owners = release === 0 ? { owners: ownersFor([alice]) } : {};
    const answer = await developer.publish('demo', { files, signers: [alice], ...owners });
    times.push(performance.now() - started);
    if (answer.status !== 200) throw new Error(`not published: ${answer.text}`);
  }
  await server.close();
  return times;
}

async function checkTimes(): Promise<readonly number[]> {
  const alice = newSigner();
  const owners = ownersFor([alice]);
  const role = projectRoleName('demo');
  const expires = new Date('2027-11-22T22:00:00Z');
  const before = { name: 'demo', files: pageFiles('1', PRESENT) };
  const first = nextRoles({ project: 'demo', present: new Map(), targets: pageTargets(before).targets, expires, owners }); // prettier-ignore
  const signed = await signMetadata(first.get(role)!, [alice]);
  const files = pageFiles('2', 10);
  const expected = pageTargets(nextPage(before, files, [])).targets;
  const present = new Map([[role, signed.signed]]);
  const next = nextRoles({ project: 'demo', present, targets: expected, expires });
  const roles = new Map([[role, (await signMetadata(next.get(role)!, [alice])).toBytes()]]);
  const text = JSON.stringify(transactionJson({ base: new Map([[role, 1]]), roles, files: files.map(({ filename, sha256: hash, uploadTime }) => ({ filename, sha256: hash, uploadTime })), changes: [] })); // prettier-ignore
  const state = { project: 'demo', standing: 'claimed', owners, roles: new Map([[role, Metadata.fromBytes(signed.toBytes(), 'targets')]]) } as const; // prettier-ignore
  const times: number[] = [];
  for (let round = 0; round < CHECKS; round++) {
    const started = performance.now();
    const transaction = parseTransaction('demo', JSON.parse(text));
    const resulting = pageTargets(nextPage(before, files, [])).targets;
    await checkTransaction({ state, transaction, now: NOW, expected: resulting });
    times.push(performance.now() - started);
  }
  return times;
}

function pageFiles(major: string, count: number): PageFile[] {
  return Array.from({ length: count }, (_, number) => {
    const filename = `demo-${major}.${number}-py3-none-any.whl`;
    return { filename, version: `${major}.${number}`, sha256: sha256(filename), size: 100_000, uploadTime: '2026-11-22T22:00:00.000000Z' }; // prettier-ignore
  });
}
