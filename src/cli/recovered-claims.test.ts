import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CeremonyFixture, planText } from '../../test/support/ceremony-fixture.ts';
import { ownersFor } from '../../test/support/claimed-fixture.ts';
import { newSigner, signOffline } from '../../test/support/index-fixture.ts';
import { claimChanges } from '../ceremony/claimed-lists.ts';
import { readCurrentRoles, type CurrentRoles } from '../ceremony/current-roles.ts';
import { EventFolder } from '../ceremony/event-folder.ts';
import { lintEvent } from '../ceremony/event-lint.ts';
import { claimListRole, claimLists } from '../claims/claim-lists.ts';
import { metadataFileName } from '../tuf/layout.ts';
import { signMetadata } from '../tuf/metadata.ts';
import { claimedParty, describeClaims, stayingText } from './recovered-claims.ts';

const now = new Date('2026-03-01T12:00:00Z');
const [owner, thief] = [newSigner(), newSigner()];
let people: CeremonyFixture;
let base: CurrentRoles;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rind-recovered-claims-'));
  people = await CeremonyFixture.create();
  const one = () => ({ signers: [newSigner()], threshold: 1 });
  const root = { signers: [people.signer('Ada'), people.signer('Grace')], threshold: 2 };
  const offline = { root, targets: one(), claimed: one(), bins: one() };
  const roles = await signOffline(offline, [people.signer('online').key], { version: 1, now, bins: 4 });
  const projects = [
    { project: 'demo', owners: ownersFor([owner]) },
    { project: 'taken', owners: ownersFor([thief]) },
    { project: 'younger', owners: ownersFor([thief]) },
  ];
  const { signers } = offline.claimed;
  const list = claimLists('claimed', projects, ownersFor(signers)).get('claimed');
  if (list === undefined) throw new Error('no list');
  const common = { version: 2, expires: new Date(now.getTime() + 300 * 86_400_000) };
  const claimed = await signMetadata(claimListRole('claimed', list, common), signers);
  const files = Object.entries({ ...roles, claimed }).map(
    ([role, metadata]) => [metadataFileName(role, metadata.signed.version), metadata.toBytes()] as const,
  );
  base = await readCurrentRoles(new Map(files));
});
afterAll(async () => {
  await people.close();
  await rm(folder, { recursive: true, force: true });
});

const vouched = new Map([
  ['demo', ownersFor([owner])],
  ['taken', ownersFor([owner])],
]);

it('after a theft of claimed’s keys, only what has the keys of the good state stays', () => {
  expect(describeClaims(base, vouched)).toEqual([
    'claimed demo: stays, as in the good state',
    expect.stringMatching(/^claimed taken: goes, .*other keys than in the good state/),
    expect.stringMatching(/^claimed younger: goes, it was not in the good state/),
  ]);
});

it('the ceremony of its plan leaves the others out, and signers are shown who', async () => {
  const plan = stayingText(base, vouched);
  const text = planText({ holders: ['Ada', 'Grace'], present: ['Ada', 'Grace'], bins: 4 });
  const path = await people.event('event', text.replace('signing-days', `${plan}emergency = true\nsigning-days`), { now, base }); // prettier-ignore
  const { event } = await EventFolder.open(path);
  expect(lintEvent(event.candidate, event.base)).toEqual([]);
  expect(claimChanges(event.candidate, event.base).map(({ project, after }) => [project, after])).toEqual([
    ['taken', undefined],
    ['younger', undefined],
  ]);
  // With the keys of claimed as they are, no ceremony leaves anybody out.
  const targets = new Map([...event.candidate.targets].filter(([role]) => role !== 'targets'));
  expect(lintEvent({ ...event.candidate, targets }, event.base)).toContainEqual(
    expect.stringContaining('rind claims move'),
  );
});

it('the plan names the people who keep claimed’s keys, and new ones after a theft', async () => {
  const kept = await claimedParty(folder, base, undefined, false);
  expect(kept).toContain('public-key = "claimed-1.public-key"');
  expect(await readdir(folder)).toEqual(['claimed-1.public-key']);
  expect(await claimedParty(folder, base, undefined, true)).toContain('new-claimed-1.public-key');
});
