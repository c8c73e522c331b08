import { isVerificationFailure, type Verdict } from '../proxy/verdict.ts';
import { CliError } from './cli-error.ts';
import { recognizeInstaller, refuseArguments } from './installer-arguments.ts';
import { installerEnvironment } from './installer-environment.ts';
import { InstallerProcess, type Ending } from './installer-process.ts';
import { openTrust } from './open-trust.ts';
import { resolveTrust } from './resolve-trust.ts';
import { startProxy } from './start-proxy.ts';
import { reportVerdict, say } from './terminal.ts';
import { placesOf } from './trust-places.ts';

export interface RunOptions {
  /** URL of the index; the only trusted one when left out. */
  readonly index?: string;
}

/**
 * Runs a command that sees the verified index and no other. When something does not verify, the command and everything
 * it started is ended, the reason is said, and nothing unverified has reached it.
 *
 * @returns how to end: as the command did, or with the exit code of the refusal
 * @throws CliError when the command is not started
 */
export async function runInstaller(
  command: string,
  args: readonly string[],
  options: RunOptions,
): Promise<Ending> {
  const trust = await resolveTrust(process.cwd(), { index: options.index });
  const places = await placesOf(trust);
  const installer = recognizeInstaller(command, args);
  const refusal = await refuseArguments(installer, process.env);
  if (refusal !== undefined) throw new CliError('usage', refusal.message, [refusal.hint]);
  if (installer.tool === 'uv' && installer.args.some((arg) => /^(?:add|lock|sync|remove)$/.test(arg))) {
    say(
      'warning: uv writes the address of the verifying proxy into uv.lock, and the address ends with this command',
    );
  }
  const opened = await openTrust(trust, {
    onWithheld: ({ project, reason }) => say(`note: of ${project}, ${reason}; they are left out`),
  });
  try {
    const run = new VerifiedRun(opened.index.url);
    const proxy = await startProxy(places, { index: opened.index, ...run.listeners });
    try {
      // While the installer starts; whatever fails here fails again, and is reported, when the installer asks.
      opened.refresh().catch(() => undefined);
      const { simpleUrl } = proxy;
      const environment = installerEnvironment(process.env, { simpleUrl, cacheFolder: places.cacheFolder });
      return await run.of(command, args, environment);
    } finally {
      await proxy.close();
    }
  } finally {
    await opened.close();
  }
}

/** One run: the process, what was refused to it, and what the index did not have. */
class VerifiedRun {
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
