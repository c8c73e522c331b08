import type { ProjectChange } from '../claims/transaction-form.ts';
import { PROJECT_STATUSES } from '../pypi/project-page.ts';
import { CliError } from './cli-error.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
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
  return [
    ...(yank ?? []).map((filename) => ({ kind: 'yank', filename, reason }) as const),
    ...(unyank ?? []).map((filename) => ({ kind: 'unyank', filename }) as const),
    ...(remove ?? []).map((filename) => ({ kind: 'remove', filename }) as const),
    ...(status === undefined ? [] : [{ kind: 'status', status, reason } as const]),
  ];
}

/** `rind staging` */
export function setStaging(project: string, state: string, options: SigningOptions): Promise<ExitCode> {
  if (state !== 'on' && state !== 'off') throw new CliError('usage', 'Say on or off.');
  return withSigning(project, options, async ({ client }) => {
    await client.setStaging(state === 'on');
    say(
      state === 'on'
        ? `uploads to ${project} wait for: rind sign ${project}`
        : `uploads to ${project} are refused: rind publish`,
    );
    return EXIT.ok;
  });
}
