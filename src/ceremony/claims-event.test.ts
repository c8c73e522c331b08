import { beforeAll, describe, expect, it } from 'vitest';
import { ownersFor } from '../../test/support/claimed-fixture.ts';
import { newSigner, signOffline } from '../../test/support/index-fixture.ts';
import { claimedProjectsOf, type ClaimedProject } from '../claims/claim-lists.ts';
import { metadataFileName } from '../tuf/layout.ts';
import { openClaimsEvent, type ClaimsEvent, type WantedClaims } from './claims-event.ts';
import { describeClaimChanges, presentClaimedLists } from './claimed-lists.ts';
import { currentRoleFiles, readCurrentRoles, versionOf, type CurrentRoles } from './current-roles.ts';
import { EventFolder } from './event-folder.ts';
import { lintEvent } from './event-lint.ts';
import { readCandidate } from './candidate.ts';

const now = new Date('2026-03-01T12:00:00Z');
const [ada, bob, online] = [newSigner(), newSigner(), newSigner()];
const fresh = () => ({ signers: [newSigner()], threshold: 1 });
const people = { root: fresh(), targets: fresh(), claimed: fresh(), bins: fresh() };
let first: CurrentRoles;
beforeAll(async () => {
  const roles = await signOffline(people, [online.key], { version: 1, now, bins: 4 });
  const files = Object.entries(roles).map(
    ([role, one]) => [metadataFileName(role, 1), one.toBytes()] as const,
  );
  first = await readCurrentRoles(new Map(files));
});

const demo: ClaimedProject = { project: 'demo', owners: ownersFor([ada]) };
const open = (base: CurrentRoles, wanted: Partial<WantedClaims>, at = now) =>
  openClaimsEvent(base, undefined, { put: [], remove: [], ...wanted }, { profile: 'team', now: at });

/** Reads an event as a signer does, has claimed's people sign it, and gives what is public then. */
async function signed(base: CurrentRoles, made: ClaimsEvent): Promise<CurrentRoles> {
  if (made.kind !== 'event') throw new Error(`no event, but ${made.kind}`);
  const { event } = await EventFolder.fromFiles('memory', made.files);
  expect(lintEvent(event.candidate, event.base)).toEqual([]);
  const [signer] = people.claimed.signers;
  if (signer === undefined) throw new Error('no key of claimed');
  await event.sign(signer, now);
  expect(await event.status(now)).toMatchObject({ complete: true });
  const files = new Map(currentRoleFiles(base));
  for (const role of event.roles) {
    const metadata = event.metadata(role);
    files.set(metadataFileName(role, metadata.signed.version), metadata.toBytes());
  }
  return readCurrentRoles(files);
}

const projectsIn = (base: CurrentRoles) => claimedProjectsOf(presentClaimedLists(base).values());
const rolesOf = (made: ClaimsEvent) =>
  made.kind === 'event'
    ? [...readCandidate(made.files.get('candidate.json') ?? new Uint8Array()).targets.keys()]
    : [];

describe('openClaimsEvent', () => {
  it('adds, re-keys and removes a project, each with a diff, and changes no other role', async () => {
    const added = open(first, { put: [demo] });
    expect(rolesOf(added)).toEqual(['claimed']);
    const second = await signed(first, added);
    expect(projectsIn(second)).toEqual([demo]);

    const rekeyed = open(second, { put: [{ project: 'demo', owners: ownersFor([bob]) }] });
    expect(rekeyed.kind === 'event' && describeClaimChanges(rekeyed.changes)).toEqual([
      'project demo: re-keyed, 1 of 1 owners must sign',
      `  + ${bob.key.keyId}`,
      `  - ${ada.key.keyId}`,
    ]);
    const third = await signed(second, rekeyed);
    const fourth = await signed(third, open(third, { remove: ['demo'] }));
    expect(projectsIn(fourth)).toEqual([]);
    expect(fourth.claimed.signed.version).toBe(4);
  });

  it('opens nothing when the list is as it is wanted', async () => {
    const second = await signed(first, open(first, { put: [demo] }));
    expect(open(second, { put: [demo], remove: ['absent'] })).toEqual({ kind: 'none' });
  });

  it('asks for a ceremony when the keys of claimed were discarded', async () => {
    const made = open(first, { put: [demo] });
    const { event } = await EventFolder.fromFiles('memory', made.kind === 'event' ? made.files : new Map());
    const last = { ...event.candidate, oneTimeKeys: people.claimed.signers.map(({ key }) => key.keyId) };
    expect(openClaimsEvent(first, last, { put: [demo], remove: [] }, { profile: 'team', now })).toEqual({
      kind: 'ceremony',
    });
  });

  it('refuses to begin what would expire while people sign', () => {
    const late = new Date(now.getTime() + 350 * 86_400_000);
    expect(() => open(first, { put: [demo] }, late)).toThrow(/expires before its signing window closes/);
  });

  it('signs only the part that changes, and a part that comes back goes on above its old version', async () => {
    const owners = ownersFor([ada]);
    const many = Array.from({ length: 120 }, (_, number) => ({
      project: `${'abcd'[number % 4] ?? ''}-${number}`,
      owners,
    }));
    const parted = await signed(first, open(first, { put: many }));
    expect(parted.claimedParts.size).toBeGreaterThan(3);
    const one = open(parted, { put: [{ project: 'b-new', owners }] });
    expect(rolesOf(one)).toEqual(['claimed-b']);
    const next = await signed(parted, one);
    expect(next.claimed.signed.version).toBe(parted.claimed.signed.version);

    const whole = await signed(
      next,
      open(next, {
        remove: projectsIn(next)
          .slice(3)
          .map(({ project }) => project),
      }),
    );
    expect(whole.claimedParts.size).toBe(0);
    expect(versionOf(whole, 'claimed-b')).toBe(2);
    const again = await signed(whole, open(whole, { put: many }));
    expect(versionOf(again, 'claimed-b')).toBe(3);
    expect(projectsIn(again)).toHaveLength(120);
  });
});
