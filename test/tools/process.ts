import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process';

export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Both, in the order in which they came. */
  readonly output: string;
  readonly milliseconds: number;
}

export interface RunOptions {
  readonly cwd?: string;
  /** The whole environment; `cleanEnvironment()` when absent. */
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string;
  /** After so many milliseconds the process group is killed and the run is an error. */
  readonly timeout?: number;
}

const live = new Set<ChildProcess>();

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // The group is gone already.
  }
}

process.on('exit', () => {
  for (const child of live) killGroup(child, 'SIGKILL');
});

/** Starts a program as the leader of its own process group, which dies with this process. */
export function startProcess(command: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  const child = spawn(command, args, { ...options, detached: true });
  live.add(child);
  child.once('close', () => live.delete(child));
  return child;
}

export function killProcess(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): void {
  killGroup(child, signal);
}

/**
 * The environment without the settings of this machine's installers (pip's extra places would let an install go around
 * what is tested), of npm and of Rind itself, plus `extra`.
 */
export function cleanEnvironment(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const unwanted =
    /^(pip_|uv_|twine_|python|virtual_env|rind_|npm_|node_|vitest|no_proxy|all_proxy|https?_proxy|requests_ca|init_cwd|prod$|dev$|mode$|test$|base_url$|ssr$)/i;
  const environment: NodeJS.ProcessEnv = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (!unwanted.test(name) || name === 'RIND_CI_RUN') environment[name] = value;
  }
  return Object.assign(
    environment,
    { PIP_CONFIG_FILE: '/dev/null', PIP_DISABLE_PIP_VERSION_CHECK: '1', UV_NO_CONFIG: '1' },
    extra,
  );
}

/** Runs a program to its end and returns what it printed; only a time-out and a missing program are errors. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const started = performance.now();
  const child = startProcess(command, args, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: options.env ?? cleanEnvironment(),
    stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  });
  return new Promise((resolve, reject) => {
    let stdout = '';
    let stderr = '';
    let output = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      output += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
      output += text;
    });
    const limit = options.timeout ?? 240_000;
    const timer = setTimeout(() => {
      killGroup(child, 'SIGKILL');
      reject(new Error(`${command} ${args.join(' ')} did not end within ${limit} ms\n${output}`));
    }, limit);
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, stdout, stderr, output, milliseconds: performance.now() - started });
    });
    if (options.input !== undefined) child.stdin?.end(options.input);
  });
}

/** As `run`, but an exit code other than 0 is an error that carries the output. */
export async function succeed(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Finished> {
  const finished = await run(command, args, options);
  if (finished.code !== 0) {
    throw new Error(
      `${command} ${args.join(' ')} ended with ${finished.code ?? finished.signal}\n${finished.output}`,
    );
  }
  return finished;
}
