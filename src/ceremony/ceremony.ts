import { encodeHex } from '../tuf/hex.ts';
import { sha256 } from '../tuf/sha256.ts';
import type { Root } from '../tuf/root.ts';
import type { Signer } from '../tuf/signer.ts';
import type { Targets } from '../tuf/targets.ts';
import { encodeCandidate, type Candidate } from './candidate.ts';
import { refuse, type CeremonyKeys } from './ceremony-keys.ts';
import {
  baseVersions,
  currentRoleFiles,
  isForeignRepository,
  versionOf,
  type CurrentRoles,
} from './current-roles.ts';
import { CeremonyError } from './errors.ts';
import { lintEvent, pathsOf } from './event-lint.ts';
import { signMinutes } from './minutes.ts';
import type { Key } from '../tuf/key.ts';
import { claimedProjectsOf } from '../claims/claim-lists.ts';
import { makeClaimedLists, presentClaimedLists } from './claimed-lists.ts';
import { makeBins, makeRoot, makeTargets, type Party } from './offline-roles.ts';
import { lintPlan } from './plan-lint.ts';
import { OFFLINE_ROLES, type CeremonyPlan, type OfflineRoleName, type SignedRoleName } from './plan.ts';
import { encodeEventSignature, SigningEvent, type EventSignature } from './signing-event.ts';

const DAY_MS = 86_400_000;

export interface CeremonyOptions {
  readonly plan: CeremonyPlan;
  readonly planBytes: Uint8Array;
  readonly keys: CeremonyKeys;
  readonly now: Date;
  readonly rehearsal?: boolean;
  /** What is public, for a renewal. */
  readonly base?: CurrentRoles | undefined;
  /** The roles that change in a renewal; all four unless said otherwise. */
  readonly only?: readonly OfflineRoleName[] | undefined;
  /** Answers to the questions for people, by question. */
  readonly answers?: ReadonlyMap<string, string>;
  /** Name and version of the program, for the minutes. */
  readonly program: string;
}

/**
 * Does a ceremony: checks the plan, freezes the candidate, signs it with every key that is at hand, and checks it again. Returns the files of
 * the event folder by name; nothing was written yet. The one-time keys are used here and nowhere else. Throws UNWORKABLE_PLAN.
 */
export async function holdCeremony(options: CeremonyOptions): Promise<ReadonlyMap<string, Uint8Array>> {
  const { plan, keys, now, base } = options;
  refuse(lintPlan(plan).flatMap(({ severity, message }) => (severity === 'error' ? [message] : [])));
  const candidate = await freeze(options);
  refuse(lintEvent(candidate, base));
  const candidateBytes = encodeCandidate(candidate);
  const event = SigningEvent.open(candidateBytes, base);
  const files = new Map<string, Uint8Array>([
    ['candidate.json', candidateBytes],
    ['plan', options.planBytes],
  ]);
  if (base !== undefined)
    for (const [name, bytes] of currentRoleFiles(base)) files.set(`base/${name}`, bytes);
  for (const signer of keys.signers) {
    // A key that an event of some roles only does not need.
    if (event.rolesOf(signer.key).length === 0) continue;
    const signatures = await event.sign(signer, now);
    for (const signature of signatures) files.set(signatureName(signature), encodeEventSignature(signature));
    if (!keys.oneTimeKeys.includes(signer.key.keyId))
      files.set(minutesName('signing', signer), await minutesOf(event, signer, 'signing', options));
  }
  await addOpeningMinutes(event, files, options);
  await requireOneTimeQuorums(event, now);
  return files;
}

/** The name of a signature's file within an event folder: one for each role and key, so that copies of a folder merge by copying. */
export function signatureName({ role, signature }: EventSignature): string {
  return `signatures/${role}.${signature.keyId}.json`;
}

export function minutesName(
  kind: 'opening' | 'signing',
  { key }: { readonly key: { readonly keyId: string } },
): string {
  return `minutes/${kind}.${key.keyId}.json`;
}

/** Signed minutes of what a signer did in an event. */
export async function minutesOf(
  event: SigningEvent,
  signer: Signer,
  kind: 'opening' | 'signing',
  { now, program, answers = new Map() }: Pick<CeremonyOptions, 'now' | 'program' | 'answers'>,
): Promise<Uint8Array> {
  const signed = event
    .rolesOf(signer.key)
    .map((role) => [role, encodeHex(sha256(event.unsigned(role).signedBytes))] as const);
  return signMinutes(
    {
      event: event.id,
      kind,
      holder: event.candidate.holders.get(signer.key.keyId) ?? '',
      at: now,
      program,
      signed: new Map(signed),
      discarded: kind === 'opening' ? event.candidate.oneTimeKeys : [],
      answers,
    },
    signer,
  );
}

async function freeze({
  plan,
  planBytes,
  keys,
  now,
  rehearsal = false,
  base,
  only = OFFLINE_ROLES,
}: CeremonyOptions): Promise<Candidate> {
  const created = new Date(Math.floor(now.getTime() / 1000) * 1000);
  const common = (role: OfflineRoleName) => ({
    version: (base?.[role].signed.version ?? 0) + 1,
    expires: new Date(created.getTime() + plan.roles[role].expiresDays * DAY_MS),
  });
  const outgoing = await outgoingKeys(plan, base, keys.parties.targets);
  const binsPaths = plan.targetPaths ?? (base === undefined ? undefined : pathsOf(base.targets.signed));
  const parties = { ...keys.parties, binsPaths };
  const { targets: party } = parties;
  const rootParties = { ...parties, targets: { ...party, keys: [...party.keys, ...outgoing] } };
  const made: Readonly<Record<Exclude<OfflineRoleName, 'root' | 'claimed'>, () => Targets>> = {
    targets: () => makeTargets(parties, common('targets')),
    bins: () => makeBins(parties.online, { count: plan.bins, layout: plan.layout }, common('bins')),
  };
  const present = base === undefined ? [] : claimedProjectsOf(presentClaimedLists(base).values());
  const staying = plan.claimedProjects === undefined ? undefined : new Set(plan.claimedProjects);
  const projects = present.filter(({ project }) => staying?.has(project) !== false);
  const claimedLists = makeClaimedLists(projects, parties.claimed, (role) => ({
    version: versionOf(base, role) + 1,
    expires: common('claimed').expires,
  }));
  const targets = new Map<Exclude<SignedRoleName, 'root'>, Targets>();
  for (const role of OFFLINE_ROLES) {
    if (!only.includes(role) || role === 'root') continue;
    if (role !== 'claimed') targets.set(role, made[role]());
    else for (const [name, list] of claimedLists) targets.set(name, list);
  }
  const root: Root | undefined = only.includes('root') ? makeRoot(rootParties, common('root')) : undefined;
  return {
    kind: base === undefined ? 'ceremony' : 'renewal',
    rehearsal,
    profile: plan.profile,
    created,
    deadline: new Date(created.getTime() + plan.signingDays * DAY_MS),
    plan: encodeHex(sha256(planBytes)),
    base: base === undefined ? new Map() : baseVersions(base),
    holders: new Map([
      ...outgoing.map(({ keyId }) => [keyId, 'discarded key of the present targets'] as const),
      ...keys.holders,
    ]),
    oneTimeKeys: keys.oneTimeKeys,
    root,
    targets,
  };
}

/**
 * One-time keys of the present targets that the next root still lists: the root can then be public for a while before the new targets are,
 * and no client between its two requests sees targets that do not verify. They exist nowhere any more; the renewal after this one drops them.
 */
async function outgoingKeys(
  plan: CeremonyPlan,
  base: CurrentRoles | undefined,
  next: Party,
): Promise<readonly Key[]> {
  if (
    base === undefined ||
    isForeignRepository(base) ||
    plan.emergency ||
    plan.roles.targets.oneTimeKeys === 0
  )
    return [];
  const { signed } = await base.root.signed.verifyDelegate('targets', base.targets);
  const known = new Set(next.keys.map(({ keyId }) => keyId));
  return [...signed.values()].filter(({ keyId }) => !known.has(keyId));
}

/** By a one-time key if there is one: its private half has no other way to be in the minutes. */
async function addOpeningMinutes(
  event: SigningEvent,
  files: Map<string, Uint8Array>,
  options: CeremonyOptions,
): Promise<void> {
  const { signers, oneTimeKeys } = options.keys;
  const able = signers.filter(({ key }) => event.rolesOf(key).length > 0);
  const opener = able.find(({ key }) => oneTimeKeys.includes(key.keyId)) ?? able[0];
  if (opener !== undefined)
    files.set(minutesName('opening', opener), await minutesOf(event, opener, 'opening', options));
}

/** Whatever one-time keys do not sign now, nobody ever will. */
async function requireOneTimeQuorums(event: SigningEvent, now: Date): Promise<void> {
  const oneTime = new Set(event.candidate.oneTimeKeys);
  for (const { role, missing, met } of (await event.status(now)).quorums) {
    if (!met && missing.every(({ keyId }) => oneTime.has(keyId)))
      throw new CeremonyError(
        'UNWORKABLE_PLAN',
        `${role} is not signed by its threshold, and its one-time keys are about to be discarded.`,
      );
  }
}
