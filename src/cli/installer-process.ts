import { spawn, type ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';

/** How a command ended: by itself or by a signal. */
export interface Ending {
  readonly exitCode: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
}

/** Sent on to the command as they come; the terminal sends them to us alone, because the command has its own group. */
const FORWARDED: readonly NodeJS.Signals[] = [
  'SIGINT',
  'SIGTERM',
  'SIGHUP',
  'SIGQUIT',
  'SIGUSR2',
  'SIGWINCH',
  'SIGCONT',
];

const GRACE = 2_000;
const COLLECTING = 300;
const POLL = 20;

/**
 * A command in a process group of its own, so that it and everything it started can be ended together. It has our
 * stdin, stdout and stderr, and gets the signals we get.
 */
export class InstallerProcess {
  /** @throws (rejects with) the system's error when the command cannot be started */
  readonly ended: Promise<Ending>;
  readonly #child: ChildProcess;
  readonly #forward = (signal: NodeJS.Signals): void => this.#signal(signal);
  readonly #suspend = (): void => {
    this.#signal('SIGSTOP');
    process.kill(process.pid, 'SIGSTOP');
  };

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.ended = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code, signal) =>
        resolve({ exitCode: code ?? undefined, signal: signal ?? undefined }),
      );
    });
    for (const signal of FORWARDED) process.on(signal, this.#forward);
    process.on('SIGTSTP', this.#suspend);
    const stop = (): void => this.#stopForwarding();
    this.ended.then(stop, stop);
  }

  static start(command: string, args: readonly string[], environment: NodeJS.ProcessEnv): InstallerProcess {
    return new InstallerProcess(spawn(command, args, { stdio: 'inherit', detached: true, env: environment }));
  }

  /** Ends the whole group: SIGTERM, and SIGKILL for what is left after two seconds. Resolves when nothing is left. */
  async endGroup(grace: number = GRACE): Promise<void> {
    this.#signal('SIGTERM');
    this.#signal('SIGCONT');
    const killAt = performance.now() + grace;
    while (this.#isGroupAlive()) {
      if (performance.now() > killAt) this.#signal('SIGKILL');
      await delay(POLL);
      // Where nobody collects dead orphans (a container without init) the group never looks empty.
      if (performance.now() > killAt + COLLECTING) return;
    }
  }

  #signal(signal: NodeJS.Signals): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, signal);
    } catch {
      // The group is gone.
    }
  }

  #isGroupAlive(): boolean {
    const { pid } = this.#child;
    if (pid === undefined) return false;
    try {
      process.kill(-pid, 0);
      return true;
    } catch {
      return false;
    }
  }

  #stopForwarding(): void {
    for (const signal of FORWARDED) process.off(signal, this.#forward);
    process.off('SIGTSTP', this.#suspend);
  }
}

/** Ends this process the way the command ended: with its exit code, or by the signal that ended it. */
export function endLike({ exitCode, signal }: Ending): void {
  process.exitCode = exitCode ?? 128 + (signal === undefined ? 0 : constants.signals[signal]);
  if (signal !== undefined) process.kill(process.pid, signal);
}
