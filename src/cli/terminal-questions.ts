import { createInterface, type Interface } from 'node:readline/promises';
import { CliError } from './cli-error.ts';

/** Questions to whoever sits at the terminal, on stderr. `close` gives the terminal back as it was. */
export class TerminalQuestions {
  readonly #terminal: Interface;
  readonly #closed: Promise<never>;

  private constructor() {
    this.#terminal = createInterface({ input: process.stdin, output: process.stderr });
    // Ctrl-C and Ctrl-D close the interface; the question under way would never be answered.
    this.#closed = new Promise((_, reject) => {
      this.#terminal.once('close', () => {
        process.stderr.write('\n');
        reject(new CliError('failure', 'The question was not answered; nothing was written.'));
      });
    });
    this.#closed.catch(() => undefined);
  }

  /** Undefined where nobody is at a terminal. */
  static open(): TerminalQuestions | undefined {
    return process.stdin.isTTY && process.stderr.isTTY ? new TerminalQuestions() : undefined;
  }

  /** The answer without white space around it. Throws CliError when Ctrl-C or Ctrl-D is typed. */
  async ask(question: string): Promise<string> {
    const answer = this.#terminal.question(`${question} `);
    // Newer versions of Node.js reject it by themselves when the interface is closed.
    answer.catch(() => undefined);
    return (await Promise.race([this.#closed, answer])).trim();
  }

  close(): void {
    this.#terminal.removeAllListeners('close');
    this.#terminal.close();
  }
}
