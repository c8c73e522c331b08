import type { ProjectChange } from '../claims/transaction-form.ts';
import { PROJECT_STATUSES } from '../pypi/project-page.ts';
import { normalizeProjectName } from '../pypi/project-name.ts';
import { ClaimClient } from './claim-client.ts';
import { CliError } from './cli-error.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { chooseIndex, openTrustStore } from './open-index.ts';
import { signAndSend, withSigning, type SigningOptions } from './project-signing.ts';
import { say } from './terminal.ts';

export interface AmendOptions extends SigningOptions {
  readonly yank?: readonly string[];
  readonly unyank?: readonly string[];
  readonly remove?: readonly string[];
  readonly status?: string;
  readonly reason?: string;
}

/** `rind amend`: changes of what is there, in one signed transaction. */
export async function amendProject(project: string, options: AmendOptions): Promise<ExitCode> {
  const changes = changesOf(options);
  if (changes.length === 0)
    throw new CliError('usage', 'Say what changes: --yank, --unyank, --remove or --status.');
  return withSigning(project, options, (signing) => signAndSend(signing, { changes }));
}

function changesOf(options: AmendOptions): readonly ProjectChange[] {
  const { yank, unyank, remove, status } = options;
  const reason = options.reason ?? null;
  if (status !== undefined && !PROJECT_STATUSES.has(status))
    throw new CliError(
      'usage',
      `"${status}" is no status of a project: ${[...PROJECT_STATUSES].join(', ')}.`,
    );
  if (status === 'quarantined')
    throw new CliError(
      'usage',
      'Quarantine is for administrators, who use rind takedown for a claimed project.',
      ['take files away with --remove, or say --status archived'],
    );
  return [
    ...(yank ?? []).map((filename) => ({ kind: 'yank', filename, reason }) as const),
    ...(unyank ?? []).map((filename) => ({ kind: 'unyank', filename }) as const),
    ...(remove ?? []).map((filename) => ({ kind: 'remove', filename }) as const),
    ...(status === undefined ? [] : [{ kind: 'status', status, reason } as const]),
  ];
}

/** `rind staging`: an owner's token is enough, nothing is signed. */
export async function setStaging(
  name: string,
  state: string,
  { index, token }: Pick<SigningOptions, 'index' | 'token'>,
): Promise<ExitCode> {
  if (state !== 'on' && state !== 'off')
    throw new CliError('usage', 'Say on or off after the name of the project.', [`rind staging ${name} on`]);
  const project = normalizeProjectName(name);
  const { url } = await chooseIndex(openTrustStore(), index);
  await new ClaimClient(project, { index: url, token }).setStaging(state === 'on');
  say(
    state === 'on'
      ? `uploads to ${project} wait for: rind sign ${project}`
      : `uploads to ${project} are refused: rind publish`,
  );
  return EXIT.ok;
}
