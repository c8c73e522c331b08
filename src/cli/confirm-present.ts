import { CliError } from './cli-error.ts';
import { pinnedSigners } from './resolve-trust.ts';
import { contentOf, signedBefore } from './signed-before.ts';
import { say } from './terminal.ts';
import { TerminalQuestions } from './terminal-questions.ts';
import type { VerifiedProject } from './verified-project.ts';

/** Who is asked, and what was said instead of an answer. */
export interface Confirmation {
  /** Nobody is asked. */
  readonly yes?: boolean;
  /** The ids of the only owners' keys that are expected, beside those of this machine. */
  readonly expectKeys?: readonly string[];
}

/** Asks before something is signed that nobody named file by file. Throws CliError when nobody can be asked. */
export async function confirm(question: string, { yes }: Pick<Confirmation, 'yes'>): Promise<boolean> {
  if (yes === true) return true;
  const questions = TerminalQuestions.open();
  if (questions === undefined)
    throw new CliError('usage', 'There is no terminal to ask at; nothing was signed.', [
      'look at the list and add --yes',
    ]);
  try {
    return /^y(es)?$/i.test(await questions.ask(`${question} [y/N]`));
  } finally {
    questions.close();
  }
}

/**
 * A signature covers everything that the project has. While the index's online key says who the owners are, that could be made up: their keys have
 * to be known, as this machine's own, from its last signature, by `--expect-keys` or a rule of the folder; otherwise somebody is asked, and with
 * `--yes` nothing is signed. What known owners brought since is shown.
 *
 * @param own the ids of the keys that sign
 * @throws {CliError}
 */
export async function confirmPresent(
  project: VerifiedProject,
  own: readonly string[],
  options: Confirmation,
): Promise<boolean> {
  if (project.standing === 'unclaimed') return true;
  const { name } = project.page;
  if (options.expectKeys !== undefined) requireExpected(project, [...own, ...options.expectKeys]);
  const before = await signedBefore(project);
  const isClaimed = project.standing === 'claimed';
  const strangers = isClaimed
    ? []
    : await strangersOf(project, [...own, ...(before?.owners ?? []), ...(options.expectKeys ?? [])]);
  if (before === undefined && strangers.length === 0) return true;
  const fresh = before?.fresh ?? contentOf(project);
  if (fresh.length === 0 && strangers.length === 0) return true;
  say(
    before === undefined
      ? `This machine signs for ${name} for the first time. Your signature covers all of this:`
      : `New in ${name} since this machine last signed for it, and covered by your signature:`,
  );
  for (const line of fresh) say(`  ${line}`);
  if (isClaimed) return true;
  if (options.yes === true && strangers.length > 0) throw unexpected(project, strangers);
  return confirm('Do you know all of them, and sign them?', options);
}

/** The owners of whom nothing here knows. */
async function strangersOf(
  { page, owners }: VerifiedProject,
  known: readonly string[],
): Promise<readonly string[]> {
  const left = keyIdsOf(owners).filter((keyId) => !known.includes(keyId));
  if (left.length === 0) return [];
  const pinned = await pinnedSigners(process.cwd(), page.name);
  return left.filter((keyId) => pinned?.has(keyId) !== true);
}

function requireExpected({ page, owners }: VerifiedProject, expected: readonly string[]): void {
  const others = keyIdsOf(owners).filter((keyId) => !expected.includes(keyId));
  if (others.length === 0) return;
  throw new CliError(
    'verification',
    `${page.name} is delegated to a key that is not expected: ${others.join(', ')}. Nothing was signed.`,
    ['ask the owners whether it is theirs, by another way than the index', 'if it is none of theirs, tell the administrators of the index: its online key may be stolen'], // prettier-ignore
  );
}

function unexpected({ page }: VerifiedProject, strangers: readonly string[]): CliError {
  return new CliError(
    'usage',
    `Nothing here says that ${page.name} belongs to ${strangers.join(', ')}: whoever has the online key of the index could have put that there. Nothing was signed.`,
    [
      `ask the owners for the ids of their keys (rind key show), not the index, then: --expect-keys ${strangers.join(',')}`,
      'or pin them where this runs: [[tool.rind.rule]] with signed-by',
      'or leave out --yes and answer at a terminal',
    ],
  );
}

function keyIdsOf(owners: VerifiedProject['owners']): readonly string[] {
  return (owners?.keys ?? []).map(({ keyId }) => keyId);
}
