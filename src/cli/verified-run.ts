import { isVerificationFailure, type Verdict } from '../proxy/verdict.ts';
import { CliError } from './cli-error.ts';
import { InstallerProcess, type Ending } from './installer-process.ts';
import { reportVerdict, say } from './terminal.ts';

/** One run: the process, what was refused to it, and what the index did not have. */
export class VerifiedRun {
  readonly #url: string;
  readonly #absent = new Set<string>();
  #process: InstallerProcess | undefined;
  #verdict: Verdict | undefined;

  constructor(url: string) {
    this.#url = url;
  }

  readonly listeners = {
    onFailure: async (verdict: Verdict): Promise<void> => {
      // Of what fails together, the first that says something about the index.
      if (
        this.#verdict === undefined ||
        (isVerificationFailure(verdict) && !isVerificationFailure(this.#verdict))
      ) {
        this.#verdict = verdict;
      }
      await this.#process?.endGroup();
    },
    onAbsent: (project: string): void => void this.#absent.add(project),
  };

  /** @throws CliError when the command cannot be started */
  async of(command: string, args: readonly string[], environment: NodeJS.ProcessEnv): Promise<Ending> {
    this.#process = InstallerProcess.start(command, args, environment);
    const ending = await this.#ending(command);
    if (this.#verdict !== undefined) {
      await this.#process.endGroup();
      return { exitCode: reportVerdict(this.#verdict), signal: undefined };
    }
    if (ending.exitCode !== 0 && this.#absent.size > 0) this.#reportAbsent();
    return ending;
  }

  async #ending(command: string): Promise<Ending> {
    try {
      return await (this.#process as InstallerProcess).ended;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      const reason =
        code === 'ENOENT' ? 'there is no such program' : code === 'EACCES' ? 'it may not be run' : message;
      throw new CliError('failure', `${command} could not be started: ${reason}.`, [], { cause: error });
    }
  }

  #reportAbsent(): void {
    const names = [...this.#absent].slice(0, 10).join(', ');
    const more = this.#absent.size > 10 ? ` and ${this.#absent.size - 10} more` : '';
    say(`hint: ${this.#url} has no project named ${names}${more}; its signatures say so`);
  }
}
