import { dirname, resolve } from 'node:path';
import { openKeys } from '../ceremony/ceremony-keys.ts';
import { holdCeremony } from '../ceremony/ceremony.ts';
import { readCurrentRoles, type CurrentRoles } from '../ceremony/current-roles.ts';
import { exists, readBounded, readFolder, writeFolderOnce } from '../ceremony/durable-folder.ts';
import { EventFolder } from '../ceremony/event-folder.ts';
import { paperRecord, statusLines } from '../ceremony/paper-record.ts';
import { lintPlan } from '../ceremony/plan-lint.ts';
import { isOfflineRole, parsePlan, type OfflineRoleName } from '../ceremony/plan.ts';
import { openSigner } from '../keys/key-uri.ts';
import { parseSecretSource } from '../keys/secret-source.ts';
import { encodeHex } from '../tuf/hex.ts';
import { sha256 } from '../tuf/sha256.ts';
import { programName, readAnswers } from './ceremony-input.ts';
import { CliError } from './cli-error.ts';
import type { HoldOptions } from './commands/ceremony.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { print, say } from './terminal.ts';

/** `rind ceremony run` and `renew`: makes the event, signs with the keys at hand, and seals the bundle when nobody is missing. */
export async function hold(planPath: string, options: HoldOptions): Promise<ExitCode> {
  const planBytes = await readBounded(planPath);
  const plan = parsePlan(planBytes);
  for (const { severity, message } of lintPlan(plan)) if (severity === 'warning') say(`warning: ${message}`);
  if (await exists(options.out)) return goOn(options.out, planBytes);
  const base = options.from === undefined ? undefined : await readBase(options.from);
  const only = options.only?.map(roleNamed);
  const answers = await readAnswers(options.answers);
  const secret = parseSecretSource(options.secret);
  const folder = dirname(resolve(planPath));
  const keys = await openKeys(plan, {
    open: (uri, publicKey) => openSigner(beside(folder, uri), { secret, publicKey }),
    readPublicKey: (path) => readBounded(resolve(folder, path)),
  });
  try {
    const files = await holdCeremony({
      plan,
      planBytes,
      keys,
      now: new Date(),
      rehearsal: options.rehearsal === true,
      base,
      only,
      answers,
      program: programName(),
    });
    await writeFolderOnce(options.out, files);
  } finally {
    await keys.close();
  }
  return tell(options.out);
}

/** The same plan and the same folder: nothing is made again, and what is complete is sealed. */
async function goOn(path: string, planBytes: Uint8Array): Promise<ExitCode> {
  const { event, isSealed } = await EventFolder.open(path);
  if (event.candidate.plan !== encodeHex(sha256(planBytes)))
    throw new CliError('failure', `${path} holds the event of another plan and is never overwritten.`, [
      'name another folder with --out',
    ]);
  say(isSealed ? `${path} is complete already; nothing was changed` : `going on with the event in ${path}`);
  return tell(path);
}

async function tell(path: string): Promise<ExitCode> {
  const now = new Date();
  const folder = await EventFolder.open(path);
  const status = await folder.sealWhenComplete(now);
  for (const line of paperRecord(folder.event)) print(line);
  for (const line of statusLines(folder.event, status)) say(line);
  if (status.complete) say(`the bundle is in ${path}; verify it with: rind ceremony verify ${path}`);
  else say(`take copies of ${path} to those who are missing: rind sign ${path} --key URI`);
  return EXIT.ok;
}

/** Roles from an export, or from the bundle of the ceremony before. */
async function readBase(path: string): Promise<CurrentRoles> {
  const files = new Map<string, Uint8Array>();
  for (const [name, bytes] of await readFolder(path)) {
    const match = /^(?:base\/|metadata\/)?([^/]+\.json)$/.exec(name);
    if (match?.[1] !== undefined) files.set(match[1], bytes);
  }
  return readCurrentRoles(files);
}

function roleNamed(name: string): OfflineRoleName {
  if (isOfflineRole(name)) return name;
  throw new CliError('usage', `"${name}" is no role that ceremonies sign.`, [
    'they are root, targets, claimed and bins',
  ]);
}

/** Paths in a plan are meant from where the plan lies. */
function beside(folder: string, uri: string): string {
  return uri.startsWith('file2:') ? `file2:${resolve(folder, uri.slice('file2:'.length))}` : uri;
}
