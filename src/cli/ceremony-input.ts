import { parse } from 'smol-toml';
import { readBounded } from '../ceremony/durable-folder.ts';
import { QUESTIONS, withUnanswered } from '../ceremony/questions.ts';
import { packageVersion } from './package-version.ts';
import { CliError } from './cli-error.ts';
import { say } from './terminal.ts';
import { TerminalQuestions } from './terminal-questions.ts';

/** What signed minutes say about the program. */
export function programName(): string {
  return `rind ${packageVersion()}, Node.js ${process.version}`;
}

/** Answers to the questions for people: from a file, else asked on the terminal, else marked as not given. */
export async function readAnswers(path: string | undefined): Promise<ReadonlyMap<string, string>> {
  if (path !== undefined) return withUnanswered(await answersFrom(path));
  const terminal = TerminalQuestions.open();
  if (terminal === undefined) {
    say('warning: nobody was asked the questions for people; name a file with --answers');
    return withUnanswered(new Map());
  }
  const answers = new Map<string, string>();
  try {
    for (const [id, question] of QUESTIONS) {
      const answer = await terminal.ask(question);
      if (answer !== '') answers.set(id, answer.slice(0, 1000));
    }
  } finally {
    terminal.close();
  }
  return withUnanswered(answers);
}

/** Asks a question that must be answered with a given text. Throws CliError without a terminal. */
export async function confirmWith(expected: string, question: string, otherwise: string): Promise<boolean> {
  const terminal = TerminalQuestions.open();
  if (terminal === undefined) throw new CliError('usage', otherwise);
  try {
    return (await terminal.ask(question)) === expected;
  } finally {
    terminal.close();
  }
}

async function answersFrom(path: string): Promise<ReadonlyMap<string, string>> {
  const text = new TextDecoder().decode(await readBounded(path));
  const answers = new Map<string, string>();
  for (const [id, answer] of Object.entries(parse(text))) {
    if (!QUESTIONS.has(id) || typeof answer !== 'string')
      throw new CliError('usage', `${path} answers "${id}", which is no question.`, [
        `the questions are ${[...QUESTIONS.keys()].join(', ')}`,
      ]);
    answers.set(id, answer);
  }
  return answers;
}
