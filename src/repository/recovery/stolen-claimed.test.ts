import { afterEach, beforeEach, expect, it } from 'vitest';
import { copyOf } from '../../../test/compromise/attacker.ts';
import { ownersFor, signClaimed, signProject, submitClaimed } from '../../../test/support/claimed-fixture.ts';
import { IndexFixture, newSigner, signOffline } from '../../../test/support/index-fixture.ts';
import { StoreClient } from '../../../test/support/store-client.ts';
import type { ClaimedProject } from '../../claims/claim-lists.ts';
import { storeSource } from './published-source.ts';
import { recoverIndex } from './recover.ts';

const [owner, thief] = [newSigner(), newSigner()];
let fixture: IndexFixture;
beforeEach(async () => {
  fixture = await IndexFixture.open();
  fixture.bins = 4;
  await fixture.createRepository();
});
afterEach(() => fixture.close());

it('after a theft of claimed’s keys, its list is what the good state knows; what the thief put in goes', async () => {
  const { db, index, store, clock, now, offline } = fixture;
  const flask = { project: 'flask', owners: ownersFor([owner]) };
  const click = { project: 'click', owners: ownersFor([thief]) };
  const move = (projects: readonly ClaimedProject[]) => submitClaimed(fixture, projects, offline.claimed);
  const publisher = await fixture.startedPublisher();
  const publish = async () => {
    while ((await publisher.publishOnce()) !== undefined);
  };
  for (const name of ['flask', 'click']) await fixture.upload(name, '1.0');
  await publish();
  await signProject(fixture, 'flask', { owners: [owner] });
  await publish();
  await move([flask]);
  await publish();
  const good = await copyOf(store);
  const client = await StoreClient.pin(fixture);
  expect(await client.read('packages/click/click-1.0.tar.gz')).toBe('click 1.0');

  // The thief claims a project with a key of his own, and moves it.
  await fixture.upload('click', '6.6');
  await signProject(fixture, 'click', { owners: [thief] });
  await publish();
  await move([click, flask]);
  await fixture.upload('flask', '2.0');
  await signProject(fixture, 'flask', { owners: [owner] });
  await publish();
  await publisher.close();
  expect(await client.read('packages/click/click-6.6.tar.gz')).toBe('click 6.6');

  const online = newSigner();
  const fresh = () => ({ signers: [newSigner()], threshold: 1 });
  const parties = { ...offline, targets: fresh(), claimed: fresh(), bins: fresh() };
  const roles = await signOffline(parties, [online.key], { version: 2, now, bins: 4 });
  const claimed = (await signClaimed([flask], parties.claimed, { version: 4, now })).get('claimed')!;
  const report = await recoverIndex({
    db,
    store,
    index,
    stolen: ['claimed', 'timestamp', 'snapshot', 'bin-n'],
    source: storeSource(good, ''),
    pinnedRoot: (await good.read('metadata/1.root.json')) ?? new Uint8Array(),
    keep: new Set(),
    bundle: { event: 'e'.repeat(64), roles: { ...roles, claimed } },
    signers: [online],
    keepEvidence: async () => undefined,
    actor: 'cli:test',
    clock,
  });
  expect(report.fsck.findings).toEqual([]);
  expect([...report.comparison.vouched.keys()]).toEqual(['flask']);
  expect(report.unclaimed).toEqual(['click']);
  for (const one of [client, await StoreClient.pin(fixture, 'new')]) {
    expect(await one.read('packages/flask/flask-2.0.tar.gz')).toBe('flask 2.0');
    expect(await one.read('packages/click/click-1.0.tar.gz')).toBe('click 1.0');
    expect(await one.read('packages/click/click-6.6.tar.gz')).toBeUndefined();
    expect(
      (await (await one.session()).getSignedTarget('packages/click/click-1.0.tar.gz'))?.via,
    ).not.toContain('project-click');
  }
});
