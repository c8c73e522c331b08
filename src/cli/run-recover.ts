import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { verifyBundle, type VerifiedBundle } from '../ceremony/bundle.ts';
import { exists, readFolder } from '../ceremony/durable-folder.ts';
import { readCurrentRoles } from '../ceremony/current-roles.ts';
import { encodePublicKey } from '../ceremony/public-key-file.ts';
import { findIndex } from '../db/indexes.ts';
import { openDatabase } from '../db/open.ts';
import { holdPublication } from '../db/publication-holds.ts';
import { writeTransaction } from '../db/transactions.ts';
import { openSigners } from '../keys/key-choice.ts';
import { compareWithGood, type Comparison } from '../repository/recovery/comparison.ts';
import { publishBulletin } from '../repository/recovery/bulletin.ts';
import { readSource, type PublishedSource } from '../repository/recovery/published-source.ts';
import { raiseVersions } from '../repository/recovery/raise-versions.ts';
import { recoverIndex, type RecoverReport } from '../repository/recovery/recover.ts';
import { sha256Hex } from '../repository/project-targets.ts';
import { ServedTree } from '../repository/served-tree.ts';
import { PosixStore } from '../storage/posix-store.ts';
import { metadataFileName } from '../tuf/layout.ts';
import { Metadata } from '../tuf/metadata.ts';
import { CliError } from './cli-error.ts';
import { existingDataFolder, openDataFolder } from './data-folder.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { exportedFiles, exportRoles } from './export-roles.ts';
import { makeOnlineKey } from './make-online-key.ts';
import { requireOnlineKeys } from './online-keys.ts';
import { openSource } from './published-source.ts';
import { claimedParty, describeClaims, stayingText } from './recovered-claims.ts';
import { lastCandidate } from './renewal-opener.ts';
import { askRecoveryPlan, parseRecoveryPlan, recoveryPlanText, type RecoveryPlan } from './recovery-plan.ts';
import { cliActor } from './run-backup.ts';
import { goOnFrom, withIndex } from './run-restore.ts';
import { print, say } from './terminal.ts';

export interface RecoverCommandOptions {
  readonly data: string;
  readonly index: string;
  readonly dryRun?: boolean;
  readonly published?: string;
  readonly raiseVersions?: string;
}

/** `rind recover` */
export async function runRecover(
  folder: string | undefined,
  options: RecoverCommandOptions,
): Promise<ExitCode> {
  if (options.published !== undefined) return goOnFrom(options.published, options);
  if (options.raiseVersions !== undefined) return raise(options.raiseVersions, options);
  if (folder === undefined)
    throw new CliError('usage', 'A recovery needs a folder for its plan and what it finds.', [
      'rind recover FOLDER; the same command goes on where it was left',
    ]);
  const plan = await planOf(folder);
  if (plan === undefined) return EXIT.ok;
  const opened = await openSource(plan['last-known-good']);
  try {
    const pinnedRoot = await rootOf(opened.source, plan);
    const bundle = await sealedBundle(join(folder, 'bundle'));
    if (bundle === undefined || options.dryRun === true)
      return await prepare(folder, options, plan, opened.source, pinnedRoot);
    return await complete(folder, options, plan, bundle, opened.source, pinnedRoot);
  } finally {
    await opened.close();
  }
}

/** Reads the plan, or has it made: by questions on a terminal, otherwise as a file to fill in. */
async function planOf(folder: string): Promise<RecoveryPlan | undefined> {
  const path = join(folder, 'plan.toml');
  if (await exists(path)) return parseRecoveryPlan(await readFile(path, 'utf8'), path);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const isAsked = process.stdin.isTTY;
  const plan = isAsked
    ? await askRecoveryPlan()
    : { stolen: ['timestamp', 'snapshot', 'bin-n'] as RecoveryPlan['stolen'], 'last-known-good': '', fingerprint: '', 'root-version': 1, keep: [], title: '', summary: '' }; // prettier-ignore
  const text = recoveryPlanText(plan);
  await writeFile(path, text, { mode: 0o600 });
  if (isAsked) return parseRecoveryPlan(text, path);
  say(`fill in ${path}, then run this command again`);
  return undefined;
}

async function rootOf(source: PublishedSource, plan: RecoveryPlan): Promise<Uint8Array> {
  const path = `metadata/${metadataFileName('root', plan['root-version'])}`;
  const bytes = await readSource(source, path, 1 << 20);
  const found =
    bytes === undefined ? 'no such file' : sha256Hex(Metadata.fromBytes(bytes, 'root').signedBytes);
  if (bytes !== undefined && found === plan.fingerprint.toLowerCase()) return bytes;
  throw new CliError('verification', `${path} of ${source.name} is not the root of the plan (${found}).`, [
    'a good state must verify from the root that clients trusted before the theft',
  ]);
}

async function sealedBundle(path: string): Promise<VerifiedBundle | undefined> {
  return (await exists(join(path, 'manifest.json'))) ? verifyBundle(path) : undefined;
}

/** First half: stops publishing, compares, and prepares the ceremony. A dry run compares only. */
async function prepare(
  folder: string,
  options: RecoverCommandOptions,
  plan: RecoveryPlan,
  source: PublishedSource,
  pinnedRoot: Uint8Array,
): Promise<ExitCode> {
  const data = await existingDataFolder(options.data);
  const store = await PosixStore.open({ root: data.tree, temporaryFolder: data.temporary });
  const database = await openDatabase({ path: data.database });
  let comparison: Comparison;
  try {
    const { db } = database;
    const index = await findIndex(db, options.index);
    if (index === undefined)
      throw new CliError('failure', `There is no index "${options.index}" in ${data.path}.`);
    if (options.dryRun !== true) {
      const reason = `Keys of this index were stolen and a recovery was begun in ${folder}; nothing is published until it is complete: go on with rind recover.`;
      await writeTransaction(db, (tx) =>
        holdPublication(tx, { indexId: index.id, kind: 'recovery', reason, now: new Date() }),
      );
    }
    comparison = await compareWithGood({ db, store, index, source, pinnedRoot });
    tellComparison(comparison, new Set(plan.keep));
    if (plan.stolen.includes('claimed')) {
      const base = await readCurrentRoles(await exportedFiles(db, store, index));
      for (const line of describeClaims(base, comparison.vouched)) print(line);
    }
  } finally {
    await database.close();
  }
  if (options.dryRun === true) return EXIT.ok;
  await prepareCeremony(folder, options, plan, comparison.vouched);
  say(
    [
      'nothing is published from now on. Next:',
      `  stop the server; look through the list, and add what somebody vouches for to keep in ${join(folder, 'plan.toml')}`,
      `  rind ceremony renew ${join(folder, 'ceremony.toml')} --from ${join(folder, 'base')} --out ${join(folder, 'bundle')}`,
      `  rind sign ${join(folder, 'bundle')} --key URI, by a threshold of root's present holders${plan.stolen.includes('root') ? ' and of the new ones' : ''}, and by the holders of claimed where the plan names them`,
      `  rind recover ${folder}, this command again`,
    ].join('\n'),
  );
  return EXIT.ok;
}

function tellComparison({ differences, bins, targets }: Comparison, keep: ReadonlySet<string>): void {
  for (const { kind, path } of differences) print(`${kind} ${path}${keep.has(path) ? ' (kept)' : ''}`);
  say(`${bins} bins with ${targets} targets of the good state compared: ${differences.length} differences`);
}

/** The plan that replaces every key that must go, and its new online key. Files that are there stay as they are. */
async function prepareCeremony(
  folder: string,
  options: RecoverCommandOptions,
  plan: RecoveryPlan,
  vouched: Comparison['vouched'],
): Promise<void> {
  const base = join(folder, 'base');
  if (!(await exists(base))) await exportRoles({ data: options.data, index: options.index, out: base });
  const online = join(folder, 'online.public-key');
  if (!(await exists(online))) await makeOnlineKey({ data: options.data, out: online, another: true });
  const path = join(folder, 'ceremony.toml');
  if (await exists(path)) return;
  const present = await readCurrentRoles(await readFolder(base));
  const { root, bins } = present;
  const role = root.signed.roles.get('root');
  const isRoot = plan.stolen.includes('root');
  const keys = (role?.keyIds ?? []).flatMap((id) => root.signed.keys.get(id) ?? []);
  const holders: string[] = [];
  for (const [position, key] of keys.entries()) {
    const name = isRoot ? `new-root-${position + 1}.public-key` : `root-${position + 1}.public-key`;
    if (!isRoot) await writeFile(join(folder, name), encodePublicKey(key));
    holders.push(`[[root.keys]]\nholder = "holder ${position + 1} of root"\npublic-key = "${name}"\n`);
  }
  const layout =
    bins.signed.delegations?.succinctRoles === undefined ? 'path_hash_prefixes' : 'succinct_roles';
  const count = bins.signed.delegations?.succinctRoles?.count ?? bins.signed.delegations?.roles?.size ?? 256; // prettier-ignore
  const oneTime = (name: string) => `[${name}]\none-time-keys = 2\nthreshold = 2\n`;
  const last = await lastCandidate(options.data, present);
  const claimed = await claimedParty(folder, present, last, plan.stolen.includes('claimed'));
  const text = [
    `format = "rind-ceremony-plan-1"\nnumber-of-bins = ${count}\nlayout = "${layout}"\n# nothing of the stolen keys stays valid\nemergency = true\nsigning-days = 7\n${plan.stolen.includes('claimed') ? stayingText(present, vouched) : ''}`,
    `${isRoot ? '# the keys of root were stolen: each holder makes a new one (rind key)\n' : ''}[root]\nthreshold = ${role?.threshold ?? 1}\n`,
    ...holders,
    oneTime('targets'),
    claimed ?? oneTime('claimed'),
    oneTime('bins'),
    '[[online.keys]]\npublic-key = "online.public-key"\n',
  ].join('\n');
  await writeFile(path, text, { mode: 0o600 });
}

/** Second half: everything under the store lock, then the bulletin. */
async function complete(
  folder: string,
  options: RecoverCommandOptions,
  plan: RecoveryPlan,
  bundle: VerifiedBundle,
  source: PublishedSource,
  pinnedRoot: Uint8Array,
): Promise<ExitCode> {
  const data = await openDataFolder(options.data);
  const report = await withIndex(data, options.index, async (db, store, index) => {
    const opened = await openSigners(await requireOnlineKeys(data));
    try {
      const made = await recoverIndex({
        db,
        store,
        index,
        stolen: plan.stolen,
        source,
        pinnedRoot,
        keep: new Set(plan.keep),
        bundle: { event: bundle.event.id, roles: bundle.roles },
        signers: opened.signers,
        keepEvidence: (key, bytes) => keepEvidence(folder, key, bytes),
        actor: cliActor(),
      });
      await publishBulletin(store, new ServedTree(index.name), bulletinOf(plan, bundle, made));
      return made;
    } finally {
      await opened.close();
    }
  });
  tellComparison(report.comparison, new Set(plan.keep));
  for (const { path, lost } of report.restored.map((one) => ({ path: one.project, lost: one.lost })))
    for (const file of lost) say(`${file} of ${path} could not be restored: its bytes are nowhere`);
  for (const project of report.unclaimed)
    say(`${project} is claimed no more; tell its owners to claim it again: rind claim ${project}`);
  for (const { message } of report.fsck.findings) print(message);
  say(
    `recovered: ${report.foreign.length} foreign metadata files and ${report.foreignLog.length} of the public log are in ${join(folder, 'evidence')}, ${report.restored.length} projects were brought back, everything is signed with the new keys. The bulletin is at security/; move the old key files away from ${join(data.path, 'keys')}, then start the server.`,
  );
  return report.fsck.clean ? EXIT.ok : EXIT.failure;
}

async function keepEvidence(folder: string, key: string, bytes: Uint8Array): Promise<void> {
  const place = join(folder, 'evidence', dirname(key));
  await mkdir(place, { recursive: true, mode: 0o700 });
  await writeFile(join(place, `${sha256Hex(bytes).slice(0, 16)}.${basename(key)}`), bytes, { mode: 0o600 });
}

function bulletinOf(
  plan: RecoveryPlan,
  { event, roles }: VerifiedBundle,
  { restored, unclaimed }: RecoverReport,
) {
  return {
    published: event.candidate.created.toISOString(),
    title: plan.title,
    summary: plan.summary,
    stolen: plan.stolen,
    fingerprint: sha256Hex(roles.root.signedBytes),
    rootVersion: roles.root.signed.version,
    dropped: restored.flatMap(({ dropped }) => dropped),
    restored: restored.map(({ project }) => project),
    unclaimed,
  };
}

/** `rind recover --raise-versions BUNDLE` */
async function raise(path: string, options: RecoverCommandOptions): Promise<ExitCode> {
  const { event, roles } = await verifyBundle(path);
  const data = await openDataFolder(options.data);
  const count = await withIndex(data, options.index, async (db, store, index) => {
    const opened = await openSigners(await requireOnlineKeys(data));
    try {
      return await raiseVersions({
        db,
        store,
        index,
        bundle: { event: event.id, roles },
        signers: opened.signers,
      });
    } finally {
      await opened.close();
    }
  });
  say(`${count} roles are signed above every version that can have been published; start the server`);
  return EXIT.ok;
}
