import { isVerificationFailure, type Verdict } from '../proxy/verdict.ts';
import { CliError } from './cli-error.ts';
import { InstallerProcess, type Ending } from './installer-process.ts';
import { keepVerdict } from './last-verdict.ts';
import { reportVerdict, say } from './terminal.ts';

const MOST = 10;

/** One run: the process, what was refused to it, and what the index did not have. */
export class VerifiedRun {
  /** By what is absent. */
  readonly #absent = new Map<string, Verdict>();
  #process: InstallerProcess | undefined;
  #verdict: Verdict | undefined;

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
    onAbsent: (absence: Verdict): void => void this.#absent.set(absence.subject, absence),
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
    const absences = [...this.#absent.values()];
    for (const { what } of absences.slice(0, MOST)) say(`hint: ${what.replace(/\.$/, '')}`);
    if (absences.length > MOST) say(`hint: and ${absences.length - MOST} more`);
    const [first] = absences;
    if (first === undefined) return;
    // Something withdrawn says more than the other names that an installer tries.
    keepVerdict(absences.find(({ code }) => code !== 'unknown') ?? first);
    say('hint: rind why says what that may mean and what to do');
  }
}
