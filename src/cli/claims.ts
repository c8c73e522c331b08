import { readCurrentRoles, signedHash, type CurrentRoles } from '../ceremony/current-roles.ts';
import { claimChanges, describeClaimChanges, type ClaimChange } from '../ceremony/claimed-lists.ts';
import { openClaimsEvent, type WantedClaims } from '../ceremony/claims-event.ts';
import { EventBox } from '../ceremony/event-box.ts';
import type { EventFolder } from '../ceremony/event-folder.ts';
import { ownersJson, type Owners } from '../claims/owners.ts';
import { appendAudit } from '../db/audit.ts';
import { deleteClaim } from '../db/claims.ts';
import { appendJournal } from '../db/journal.ts';
import { findProject } from '../db/projects.ts';
import type { IndexRow } from '../db/schema.ts';
import { writeTransaction } from '../db/transactions.ts';
import { normalizeProjectName } from '../pypi/project-name.ts';
import { canonicalJsonText } from '../tuf/canonical-json.ts';
import { claimStandings, type ClaimStanding } from './claim-standing.ts';
import { CliError } from './cli-error.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { exportedFiles } from './export-roles.ts';
import { publishChanges, withIndex, type OpenedData } from './index-change.ts';
import { eventsFolder } from './offered-events.ts';
import { lastCandidate } from './renewal-opener.ts';
import { cliActor } from './run-backup.ts';
import { print, say } from './terminal.ts';

export interface ClaimsOptions {
  readonly data: string;
  readonly index: string;
  readonly json?: boolean;
}

export interface MoveOptions extends ClaimsOptions {
  readonly all?: boolean;
  readonly remove?: readonly string[];
}

/** `rind claims list` */
export function listProjects(options: ClaimsOptions): Promise<ExitCode> {
  return withIndex(options.data, options.index, async ({ db, index, clock }) => {
    const standings = await claimStandings(db, index.id, clock());
    if (options.json === true) print(JSON.stringify(standings.map(standingJson), undefined, 2));
    else for (const standing of standings) for (const line of standingLines(standing)) print(line);
    const waiting = standings.filter(({ waits }) => waits).length;
    say(`${standings.length} claimed projects; ${waiting} wait for the signature of the administrators`);
    return EXIT.ok;
  });
}

/** `rind claims move`: opens the signing event, or says that it is open. */
export function moveProjects(projects: readonly string[], options: MoveOptions): Promise<ExitCode> {
  const remove = (options.remove ?? []).map((project) => normalizeProjectName(project));
  if (projects.length === 0 && options.all !== true && remove.length === 0)
    throw new CliError('usage', 'Name projects, or say --all.', ['rind claims list says which ones wait']);
  return withIndex(options.data, options.index, async (opened) => {
    const { db, store, index, clock } = opened;
    const now = clock();
    const standings = await claimStandings(db, index.id, now);
    const wanted = { put: readyOnes(standings, projects, options.all === true, remove), remove };
    const base = await readCurrentRoles(await exportedFiles(db, store, index));
    requireClaimed(remove, standings);
    const last = await lastCandidate(opened.folder.path, base);
    const profile = index.profile === 'pypi' ? 'pypi' : 'team';
    const made = openClaimsEvent(base, last, wanted, { profile, now });
    if (made.kind === 'none') {
      const isLeftOut = wanted.put.length === 0 && standings.some(({ waits }) => waits);
      say(isLeftOut ? 'nothing is ready to be moved' : 'nothing to move: claimed is as it should be');
      return EXIT.ok;
    }
    if (made.kind === 'ceremony') throw needsCeremony();
    const box = new EventBox(eventsFolder(opened.folder.path));
    const event = (await openEvent(box, base, made.changes, now)) ?? (await box.offer(made.files, now));
    tell(event, made.changes, options, opened);
    return EXIT.ok;
  });
}

/** `rind claims reset`: a project in recently-claimed is claimed no more, so that whoever the administrators believe can claim it anew. */
export function resetProject(name: string, options: ClaimsOptions): Promise<ExitCode> {
  const project = normalizeProjectName(name);
  return withIndex(options.data, options.index, async (opened) => {
    const { db, index, clock } = opened;
    const row = await findProject(db, index.id, project);
    const [standing] = (await claimStandings(db, index.id, clock())).filter((one) => one.project === project);
    if (row === undefined || standing === undefined)
      throw new CliError('failure', `${project} is not claimed.`, ['rind claims list']);
    if (standing.state === 'claimed')
      throw new CliError(
        'failure',
        `${project} is claimed, which only the offline keys of claimed can undo.`,
        [`rind claims move --remove ${project} --data ${options.data}`],
      );
    const journalId = await writeTransaction(db, async (tx) => {
      await deleteClaim(tx, row.id);
      const at = { indexId: index.id, projectId: row.id, now: clock() };
      await appendAudit(tx, { indexId: index.id, at: at.now, actor: cliActor(), action: 'claim.reset', subject: project, detail: {} }); // prettier-ignore
      return appendJournal(tx, { ...at, kind: 'unclaim', detail: {} });
    });
    await publishChanges(opened, index, [journalId]);
    say(
      `${project} is claimed no more; what is public of it stands in the bins, signed by the index alone. Its owners claim it anew: rind claim ${project}`,
    );
    return EXIT.ok;
  });
}

/** The projects that can be moved; of the others a sentence is said. */
function readyOnes(
  standings: readonly ClaimStanding[],
  projects: readonly string[],
  isAll: boolean,
  remove: readonly string[],
): WantedClaims['put'] {
  const named = new Set(projects.map((project) => normalizeProjectName(project)));
  requireClaimed([...named], standings);
  const put: { project: string; owners: Owners }[] = [];
  for (const { project, waits, missing, wished } of standings) {
    if (remove.includes(project) || !(named.has(project) || (isAll && waits))) continue;
    if (missing !== undefined || wished === undefined) say(`${project} is left out. ${missing ?? ''}`);
    else put.push({ project, owners: wished });
  }
  return put;
}

function requireClaimed(projects: readonly string[], standings: readonly ClaimStanding[]): void {
  const known = new Set(standings.map(({ project }) => project));
  const unknown = projects.filter((project) => !known.has(project));
  if (unknown.length > 0)
    throw new CliError('failure', `Nobody has claimed ${unknown.join(', ')}.`, ['rind claims list']);
}

function needsCeremony(): CliError {
  return new CliError(
    'failure',
    'The keys of claimed were one-time keys: they were discarded, and nobody can sign for them.',
    [
      'give claimed keys that people keep, once: name them under [[claimed.keys]] of the plan, without one-time-keys; then rind ceremony export and rind ceremony renew',
    ],
  );
}

/** An event with the same changes on top of the same list, so that saying it twice opens one. */
async function openEvent(
  box: EventBox,
  base: CurrentRoles,
  changes: readonly ClaimChange[],
  now: Date,
): Promise<EventFolder | undefined> {
  const wanted = describeClaimChanges(changes).join('\n');
  for (const folder of await box.list()) {
    const { candidate } = folder.event;
    const isOnTop = [...candidate.base].every(([role, { sha256 }]) => sha256 === baseHash(base, role));
    if (candidate.kind !== 'claims' || candidate.rehearsal || !isOnTop) continue;
    const isSame = describeClaimChanges(claimChanges(candidate, base)).join('\n') === wanted;
    const { complete, expired } = await folder.event.status(now);
    if (isSame && (complete || !expired)) return folder;
    if (!isSame && !expired)
      say(`event ${folder.event.id.slice(0, 12)} changes claimed too: only one of them can be imported`);
  }
  return undefined;
}

function baseHash(base: CurrentRoles, role: string): string | undefined {
  const found = { root: base.root, targets: base.targets, claimed: base.claimed, bins: base.bins }[role];
  const metadata = found ?? base.claimedParts.get(role as never);
  return metadata === undefined ? undefined : signedHash(metadata);
}

function tell(
  { event, path }: EventFolder,
  changes: readonly ClaimChange[],
  options: MoveOptions,
  { index }: OpenedData & { readonly index: IndexRow },
): void {
  const name = index.name === '' ? '' : ` --index ${index.name}`;
  if (options.json === true)
    print(JSON.stringify({ event: event.id, path, projects: changes.map(({ project }) => project) }));
  else for (const line of describeClaimChanges(changes)) print(line);
  say(
    [
      `signing event ${event.id} is open until ${event.candidate.deadline.toISOString().slice(0, 10)}. Next, by the holders of claimed:`,
      `  rind sign ${event.id.slice(0, 12)} --index URL --key URI --trusted ROOT, or by stick rind sign ${path} --key URI --trusted ROOT`,
      `then: rind ceremony import ${path} --data ${options.data}${name}`,
    ].join('\n'),
  );
}

function standingLines(standing: ClaimStanding): readonly string[] {
  const { project, state, claimedAt, movedAt, owners, wished, waits, missing } = standing;
  const since = (movedAt ?? claimedAt).toISOString().slice(0, 10);
  const what = !waits ? '' : missing === undefined ? ', ready to move' : `, not ready: ${missing}`;
  const next = wished ?? owners;
  return [
    `${project}  ${state} since ${since}${what}`,
    `  ${owners.threshold} of ${owners.keys.length} owners sign now${waits ? `, ${next.threshold} of ${next.keys.length} once it is moved` : ''}`,
    ...next.keys.map(({ keyId }) => `  key ${keyId}`),
  ];
}

function standingJson(standing: ClaimStanding): unknown {
  const { project, state, claimedAt, movedAt, owners, wished, waits, missing, expires } = standing;
  const json = (value: Owners | undefined) =>
    value === undefined ? null : (JSON.parse(canonicalJsonText(ownersJson(value))) as unknown);
  return {
    project,
    state,
    claimedAt,
    movedAt: movedAt ?? null,
    owners: json(owners),
    wishedOwners: json(wished),
    waits,
    ready: waits && missing === undefined,
    missing: missing ?? null,
    expires: expires ?? null,
  };
}
