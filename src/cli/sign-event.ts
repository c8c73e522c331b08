import { describeChanges, rawDifference, viewFrom } from '../ceremony/diff.ts';
import { exists, readBounded } from '../ceremony/durable-folder.ts';
import { CeremonyError } from '../ceremony/errors.ts';
import { minutesOf } from '../ceremony/ceremony.ts';
import { EventFolder } from '../ceremony/event-folder.ts';
import { lintEvent } from '../ceremony/event-lint.ts';
import { statusLines } from '../ceremony/paper-record.ts';
import { isOfflineRole } from '../ceremony/plan.ts';
import { encodeEventSignature } from '../ceremony/signing-event.ts';
import { openSigner } from '../keys/key-uri.ts';
import { parseSecretSource } from '../keys/secret-source.ts';
import { isValidProjectName } from '../pypi/project-name.ts';
import { confirmWith, programName, readAnswers } from './ceremony-input.ts';
import { CliError } from './cli-error.ts';
import type { SignOptions } from './commands/event.ts';
import { EventClient } from './event-client.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { print, say } from './terminal.ts';

/** Hex digits of an event's id that people compare. */
const SHORT_ID = 12;
/** Lines of a raw difference that are shown without being asked for all of them. */
const SHOWN_LINES = 40;

/** `rind sign`: what changes against the signer's own root is shown before the key is opened. */
export async function signEvent(path: string | undefined, options: SignOptions): Promise<ExitCode> {
  const project = await projectNamed(path, options);
  if (project !== undefined) {
    const { signProject } = await import('./sign-staged.ts');
    return signProject(project, options);
  }
  const key = requireKey(options);
  if (options.index !== undefined) return signRemotely(path, { ...options, key, index: options.index });
  if (path === undefined)
    throw new CliError('usage', 'Name the folder of the event, or a running index with --index URL.');
  const folder = await EventFolder.open(path);
  const { event } = folder;
  const answers = await readBeforeSigning(folder, options);
  const signer = await openSigner(key, { secret: parseSecretSource(options.secret) });
  try {
    const status = await folder.sign(signer, { now: new Date(), program: programName(), answers });
    for (const line of statusLines(event, status)) say(line);
  } finally {
    await signer.close();
  }
  return EXIT.ok;
}

/** The project that is meant, where it is one and no event: events are folders, or named by hexadecimal digits. */
async function projectNamed(path: string | undefined, options: SignOptions): Promise<string | undefined> {
  const isProject = path !== undefined && isValidProjectName(path) && !/^[0-9a-f]{12,64}$/.test(path);
  const isEvent = options.first === true || options.trusted !== undefined || options.event !== undefined;
  return isProject && !isEvent && !(await exists(path)) ? path : undefined;
}

function requireKey({ key }: SignOptions): string {
  if (key !== undefined) return key;
  throw new CliError(
    'usage',
    'Name your key with --key: file2:PATH, hsm:…, awskms:…, gcpkms:…, azurekms:…, hv:….',
  );
}

/** The same for an event that an index offers: nothing that it sends is believed, and nothing but signatures and minutes goes back. */
async function signRemotely(
  id: string | undefined,
  options: SignOptions & { readonly index: string; readonly key: string },
): Promise<ExitCode> {
  const client = new EventClient(options);
  const offered = await client.event(id);
  const folder = await EventFolder.fromFiles(options.index, await client.files(offered.id));
  const { event } = folder;
  const answers = await readBeforeSigning(folder, options);
  const now = new Date();
  const signer = await openSigner(options.key, { secret: parseSecretSource(options.secret) });
  try {
    const signatures = await event.sign(signer, now);
    const minutes = await minutesOf(event, signer, 'signing', { now, program: programName(), answers });
    await client.sign(event.id, signatures.map(encodeEventSignature), minutes);
  } finally {
    await signer.close();
  }
  // What it says about the others is checked again, signature by signature.
  const after = await EventFolder.fromFiles(options.index, await client.files(event.id));
  for (const line of statusLines(after.event, await after.event.status(new Date()))) say(line);
  return EXIT.ok;
}

/** Shows everything, refuses what no plan makes, asks for the id and the questions for people. */
async function readBeforeSigning(
  folder: EventFolder,
  options: SignOptions,
): Promise<ReadonlyMap<string, string>> {
  const { event } = folder;
  event.requireOpen(new Date());
  await show(folder, options);
  const problems = lintEvent(event.candidate, event.base);
  if (problems.length > 0)
    throw new CeremonyError('TAMPERED', `Do not sign this: ${problems[0] ?? ''}`, {
      problems: problems.slice(1),
    });
  await confirm(event.id, options.event);
  return readAnswers(options.answers);
}

async function show({ event }: EventFolder, { trusted, first, raw }: SignOptions): Promise<void> {
  const { candidate, base } = event;
  if (trusted === undefined && (first !== true || base !== undefined))
    throw new CliError('usage', 'Name the root that you trust, so that you see what changes against it.', [
      '--trusted FILE: your own copy, never the one that came with the event',
      ...(base === undefined ? ['--first when no root exists yet'] : []),
    ]);
  const view = trusted === undefined ? undefined : await viewFrom(await readBounded(trusted), base);
  print(`event ${event.id}${candidate.rehearsal ? ' (REHEARSAL)' : ''}`);
  for (const line of describeChanges(candidate, base, view)) print(line);
  const changes = event.roles.flatMap((role) =>
    rawDifference(
      role,
      isOfflineRole(role) ? view?.[role] : base?.claimedParts.get(role)?.signed,
      event.unsigned(role).signed,
    ),
  );
  print(`${changes.length} values of the JSON change`);
  const shown = raw === true ? changes : changes.slice(0, SHOWN_LINES);
  for (const line of shown) print(line);
  if (shown.length < changes.length) print(`and ${changes.length - shown.length} more (--raw shows all)`);
}

async function confirm(id: string, told: string | undefined): Promise<void> {
  if (told !== undefined) {
    const short = told.replaceAll(' ', '').toLowerCase();
    if (short.length >= SHORT_ID && id.startsWith(short)) return;
    throw new CeremonyError(
      'OTHER_EVENT',
      `This is event ${id.slice(0, SHORT_ID)}, not the one that you were told (${told.slice(0, 64)}); nothing was signed.`,
    );
  }
  const question = `Type the first ${SHORT_ID} digits of the event, as you were told them by another way, to sign:`;
  const isSure = await confirmWith(
    id.slice(0, SHORT_ID),
    question,
    'Nobody is at the terminal to say yes; give the id of the event with --event.',
  );
  if (!isSure) throw new CliError('failure', 'That is not the id of this event; nothing was signed.');
}
