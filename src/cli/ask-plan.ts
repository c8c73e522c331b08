import { addFileOnce } from '../ceremony/durable-folder.ts';
import { newPlanText } from '../ceremony/new-plan.ts';
import { CliError } from './cli-error.ts';
import { say } from './terminal.ts';
import { TerminalQuestions } from './terminal-questions.ts';

/** Asks what a new plan must know and writes it. Throws CliError without a terminal. */
export async function askPlan(path: string): Promise<void> {
  const terminal = TerminalQuestions.open();
  if (terminal === undefined)
    throw new CliError(
      'failure',
      `${path} does not exist, and nobody is at the terminal to be asked for a new plan.`,
    );
  try {
    const ask = async (question: string, usual: string) =>
      (await terminal.ask(`${question} [${usual}]`)) || usual;
    say(`${path} does not exist: a new plan`);
    const profile =
      (await ask('profile: team (renewed weekly) or pypi (daily)?', 'team')) === 'pypi' ? 'pypi' : 'team';
    const expectedTargets = Number(
      await ask('how many files and pages will there be?', profile === 'pypi' ? '20000000' : '20000'),
    );
    const holders = (await ask('who holds root keys (names parted by commas)?', 'Ada, Grace, Joan')).split(
      ',',
    );
    const threshold = Number(await ask('how many of them must sign?', '2'));
    if (!Number.isSafeInteger(expectedTargets) || !Number.isSafeInteger(threshold))
      throw new CliError('usage', 'Both numbers must be whole numbers.');
    const text = newPlanText({
      profile,
      expectedTargets,
      holders: holders.map((name) => name.trim()),
      threshold,
    });
    await addFileOnce(path, new TextEncoder().encode(text));
    say(`written to ${path}; review it, invite the holders, and run this again`);
  } finally {
    terminal.close();
  }
}
