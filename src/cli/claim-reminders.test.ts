import { afterEach, beforeEach, expect, it } from 'vitest';
import { ownersFor, signProject } from '../../test/support/claimed-fixture.ts';
import { IndexFixture, newSigner } from '../../test/support/index-fixture.ts';
import { claimReminders } from './claim-reminders.ts';
import { claimStandings } from './claim-standing.ts';

const [owner, second] = [newSigner(), newSigner()];
let fixture: IndexFixture;
beforeEach(async () => {
  fixture = await IndexFixture.open();
  for (const name of ['demo', 'flask']) await fixture.upload(name, '1.0');
});
afterEach(() => fixture.close());

const told = async () =>
  (await claimReminders(fixture.db, fixture.index, fixture.now)).map(({ key, message }) => `${key}: ${message}`); // prettier-ignore

it('says how many projects wait for two weeks, again each week, and with other wishes at once', async () => {
  await signProject(fixture, 'demo', { owners: [owner] });
  expect(await told()).toEqual([]);
  fixture.advance(24 * 15);
  const [first = ''] = await told();
  expect(first).toContain('1 claimed project waits for the signature of the administrators');
  expect(first).toContain('rind claims move --all');
  fixture.advance(24 * 7);
  expect((await told())[0]?.split(':')[0]).not.toBe(first.split(':')[0]);
  await signProject(fixture, 'flask', { owners: [owner], wished: ownersFor([owner, second], 2) });
  expect((await told())[0]).toContain('2 claimed projects wait');
});

it('names projects whose signatures end within 30 days, and once more in the last week', async () => {
  await signProject(fixture, 'demo', { owners: [owner], days: 40 });
  await signProject(fixture, 'flask', { owners: [owner] });
  fixture.advance(24 * 11);
  const [notice = '', ...others] = await told();
  expect(others).toEqual([]);
  expect(notice).toMatch(/^claim {2}demo \d{4}-\d\d-\d\d 30: .*expires on .*rind sign demo --renew/);
  fixture.advance(24 * 23);
  expect((await told()).find((line) => line.startsWith('claim '))).toMatch(/^claim {2}demo \S+ 7: /);
  await signProject(fixture, 'demo', { owners: [owner] });
  expect((await told()).filter((line) => line.startsWith('claim '))).toEqual([]);
});

it('standings: who is ready to be moved, and what is missing of the wished threshold', async () => {
  await signProject(fixture, 'demo', { owners: [owner], wished: ownersFor([owner, second], 2) });
  await signProject(fixture, 'flask', { owners: [owner, second], wished: ownersFor([owner, second], 2) });
  const [demo, flask] = await claimStandings(fixture.db, fixture.index.id, fixture.now);
  expect(demo).toMatchObject({
    waits: true,
    missing: expect.stringMatching(/threshold.*rind sign demo --renew/),
  });
  expect(flask).toMatchObject({ waits: true, missing: undefined, wished: { threshold: 2 }, owners: { threshold: 1 } }); // prettier-ignore
  fixture.advance(24 * 301);
  const [, expired] = await claimStandings(fixture.db, fixture.index.id, fixture.now);
  expect(expired).toMatchObject({ missing: expect.stringContaining('expired on') });
});
