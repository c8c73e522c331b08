import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cleanEnvironment, type Finished, killProcess, run, startProcess, succeed } from './process.ts';

export const checkout = resolve(import.meta.dirname, '..', '..');
export const rindMain = join(checkout, 'dist', 'cli', 'main.js');

/** Builds the program if its sources changed; what is tested is always the built one. */
export async function buildRind(): Promise<void> {
  await succeed(process.execPath, [join(checkout, 'scripts', 'build.mjs')], { cwd: checkout });
  if (!existsSync(rindMain)) throw new Error(`${rindMain} was not built`);
}

/** A folder that is removed with everything in it when `remove` is called. */
export async function scratchFolder(name: string): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), `rind-${name}-`));
  return { path, remove: () => rm(path, { recursive: true, force: true, maxRetries: 5 }) };
}

export interface RindOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly timeout?: number;
}

/** Runs the built `rind` with these arguments to its end. */
export function rind(args: readonly string[], options: RindOptions = {}): Promise<Finished> {
  return run(process.execPath, [rindMain, ...args], {
    env: cleanEnvironment(options.env),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.timeout === undefined ? {} : { timeout: options.timeout }),
  });
}

export interface ServerOptions {
  /** The data folder; made by the server when it is not there. */
  readonly folder: string;
  /** 0 (the default) takes a free port. */
  readonly port?: number;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** How long the start may take, in milliseconds. */
  readonly patience?: number;
}

/** The server ended before it was ready. */
export class ServerEndedError extends Error {
  override readonly name = 'ServerEndedError';
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;

  constructor(child: ChildProcess, output: string) {
    super(`rind serve ended with ${child.exitCode ?? child.signalCode} before it was ready\n${output}`);
    this.code = child.exitCode;
    this.signal = child.signalCode;
  }
}

/** A running `rind serve`, the built program in a process of its own. */
export class RindServer {
  readonly folder: string;
  /** Base URL with a slash at its end. */
  readonly url: string;
  readonly fingerprint: string;
  readonly token: string;
  readonly #child: ChildProcess;
  readonly #output: () => string;

  private constructor(
    child: ChildProcess,
    output: () => string,
    folder: string,
    url: string,
    fingerprint: string,
    token: string,
  ) {
    this.#child = child;
    this.#output = output;
    this.folder = folder;
    this.url = url;
    this.fingerprint = fingerprint;
    this.token = token;
  }

  static start(options: ServerOptions): Promise<RindServer> {
    const args = [
      'serve',
      '--data',
      options.folder,
      '--port',
      String(options.port ?? 0),
      ...(options.args ?? []),
    ];
    return RindServer.startProgram(process.execPath, [rindMain, ...args], options);
  }

  /** Starts a program that ends up as `rind serve` (the README's `npm start` does) and waits for the lines it prints when ready. */
  static async startProgram(
    command: string,
    args: readonly string[],
    options: ServerOptions & { readonly cwd?: string; readonly path?: string },
  ): Promise<RindServer> {
    const child = startProcess(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: options.cwd ?? dirname(options.folder),
      env: cleanEnvironment({
        ...(options.path === undefined ? {} : { PATH: options.path }),
        ...options.env,
      }),
    });
    let output = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (output += text));
    const deadline = performance.now() + (options.patience ?? 60_000);
    for (;;) {
      // The line that people paste is the interface: whatever else is printed may change.
      const ready = /trust add (http\S+) --fingerprint ([0-9a-f]{64})/.exec(output);
      if (ready?.[1] !== undefined && ready[2] !== undefined) {
        const token = (await readFile(join(options.folder, 'upload-token'), 'utf8').catch(() => '')).trim();
        const url = ready[1].endsWith('/') ? ready[1] : `${ready[1]}/`;
        return new RindServer(child, () => output, options.folder, url, ready[2], token);
      }
      if (child.exitCode !== null || child.signalCode !== null) {
        await sleep(50);
        throw new ServerEndedError(child, output);
      }
      if (performance.now() > deadline) {
        killProcess(child);
        throw new Error(`rind serve was not ready in time\n${output}`);
      }
      await sleep(20);
    }
  }

  get uploadUrl(): string {
    return `${this.url}legacy/`;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get output(): string {
    return this.#output();
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Waits for the end of the process. */
  async ended(): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    if (this.isRunning) await new Promise((resolve) => this.#child.once('exit', resolve));
    return { code: this.#child.exitCode, signal: this.#child.signalCode };
  }

  /** Asks for an orderly end. */
  async stop(): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    if (this.isRunning && this.#child.pid !== undefined) process.kill(this.#child.pid, 'SIGTERM');
    const timer = setTimeout(() => killProcess(this.#child), 20_000);
    const end = await this.ended();
    clearTimeout(timer);
    return end;
  }

  /** kill -9. */
  async kill(): Promise<void> {
    killProcess(this.#child);
    await this.ended();
  }
}

/** The `rind` of one user on one machine: her trust store, her Python tools. */
export class RindClient {
  readonly state: string;
  readonly #bin: string;

  /** `state` is the folder of what she trusts; `bin` holds the pip that `rind pip` finds first. */
  constructor(state: string, bin: string) {
    this.state = state;
    this.#bin = bin;
  }

  environment(bin: string = this.#bin): Record<string, string> {
    return {
      RIND_STATE_DIR: this.state,
      XDG_STATE_HOME: join(this.state, 'xdg-state'),
      XDG_CACHE_HOME: join(this.state, 'xdg-cache'),
      HOME: this.state,
      PATH: [bin, dirname(process.execPath), process.env['PATH'] ?? ''].join(delimiter),
    };
  }

  trust(server: { readonly url: string; readonly fingerprint: string }): Promise<Finished> {
    return rind(['trust', 'add', server.url, '--fingerprint', server.fingerprint], {
      env: this.environment(),
    });
  }

  /** `rind ARGS`, with the programs in `bin` first on the PATH. */
  run(
    args: readonly string[],
    options: { bin?: string; env?: Readonly<Record<string, string>> } = {},
  ): Promise<Finished> {
    return rind(args, { env: { ...this.environment(options.bin), ...options.env }, cwd: this.state });
  }
}
