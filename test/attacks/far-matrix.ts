import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { killProcess, run, startProcess, type Finished } from '../tools/process.ts';
import { rindMain } from '../tools/rind-program.ts';
import type { AttackCase } from './attack-case.ts';
import type { Outcome, Road } from './near-client.ts';
import { twinProject } from './near-matrix.ts';
import type { Scene } from './scene.ts';
import { installedBelow, type Errand, type ToolName, type Tools } from './tools.ts';
import type { World } from './world.ts';

export type FarRoad = Road | 'plain';

export interface FarOutcome extends Outcome {
  readonly finished: Finished;
}

export interface FarResult {
  readonly attack: FarOutcome;
  /** Left out where it was not asked for. */
  readonly twin: FarOutcome | undefined;
  readonly isStruck: boolean;
}

export interface FarOptions {
  readonly tool: ToolName;
  readonly road: FarRoad;
  readonly withTwin?: boolean;
  /** The project names the attacker's index as a second one. */
  readonly withSecond?: boolean;
}

let runs = 0;

/** Runs one case with the built program and a real installer, each in a process and a home of its own. */
export async function runFar(
  world: World,
  tools: Tools,
  attackCase: AttackCase,
  { tool, road, withTwin = true, withSecond = false }: FarOptions,
): Promise<FarResult> {
  const { wanted = 'wheely', before = 'old', readsHtml } = attackCase;
  runs += 1;
  const scene = world.mirror.open(`far-${runs}`, world.new);
  const home = await mkdtemp(join(world.folder, 'far-'));
  const user = new FarUser(tools, scene, home, road, tool);
  try {
    if (road !== 'plain') await user.trust(world, before);
    scene.show(world.new);
    await attackCase.attack(scene, world);
    const call = attackCase.call?.(scene, world);
    const errand = {
      ...(call === undefined ? {} : { call }),
      ...(readsHtml === undefined ? {} : { readsHtml }),
      ...(withSecond ? { secondUrl: `${scene.strangerUrl}simple/` } : {}),
    };
    const attack = await user.install(wanted, errand);
    const { isStruck } = scene;
    if (!withTwin) return { attack, twin: undefined, isStruck };
    scene.show(world.new);
    await attackCase.twin?.(scene, world);
    const isBelieved = attackCase.expected.verdict === 'bounded' && attackCase.twin === undefined;
    if (road !== 'plain' && (isBelieved || attackCase.isBelieved === true)) await user.forget();
    return { attack, twin: await user.install(twinProject(attackCase), {}), isStruck };
  } finally {
    await rm(home, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** One user on one machine, with an installer and one of the roads. */
class FarUser {
  readonly #tools: Tools;
  readonly #scene: Scene;
  readonly #home: string;
  readonly #road: FarRoad;
  readonly #tool: ToolName;
  #installs = 0;

  constructor(tools: Tools, scene: Scene, home: string, road: FarRoad, tool: ToolName) {
    this.#tools = tools;
    this.#scene = scene;
    this.#home = home;
    this.#road = road;
    this.#tool = tool;
  }

  async trust(world: World, before: 'nothing' | 'old' | 'new'): Promise<void> {
    this.#scene.show(before === 'new' ? world.new : world.old);
    const finished = await this.#rind(['trust', 'add', this.#scene.url, '--fingerprint', world.fingerprint]);
    if (finished.code !== 0) throw new Error(finished.output);
    if (before === 'nothing') await this.forget();
  }

  /** Nothing is left but the root. */
  async forget(): Promise<void> {
    const state = join(this.#home, '.rind');
    for (const name of await readdir(state, { recursive: true })) {
      if (name.endsWith('/metadata')) await rm(join(state, name), { recursive: true });
    }
  }

  async install(wanted: string, more: Omit<Errand, 'folder' | 'indexUrl' | 'wanted'>): Promise<FarOutcome> {
    this.#installs += 1;
    const folder = join(this.#home, `project-${this.#installs}`);
    await mkdir(folder);
    if (this.#road !== 'rind proxy') {
      return this.#outcome(
        await this.#run({ folder, indexUrl: `${this.#scene.url}simple/`, wanted, ...more }),
        folder,
        '',
      );
    }
    const proxy = await this.#startProxy();
    try {
      const finished = await this.#run({ folder, indexUrl: proxy.url, wanted, ...more });
      return await this.#outcome(finished, folder, proxy.said());
    } finally {
      proxy.end();
    }
  }

  async #run(errand: Errand): Promise<Finished> {
    const { command, args, env } = await this.#tools.prepare(this.#tool, errand);
    const { folder } = errand;
    const [program, ...all] =
      this.#road === 'rind run'
        ? [process.execPath, rindMain, 'run', '--', command, ...args]
        : [command, ...args];
    return run(program ?? command, all, { cwd: folder, env: this.#environment(env), timeout: 240_000 });
  }

  #rind(args: readonly string[]): Promise<Finished> {
    return run(process.execPath, [rindMain, ...args], { cwd: this.#home, env: this.#environment() });
  }

  #environment(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
    return this.#tools.environment(this.#home, extra);
  }

  async #outcome(finished: Finished, folder: string, said: string): Promise<FarOutcome> {
    const installed = await installedBelow(folder);
    const code =
      this.#road === 'plain' ? undefined : codeOf(`${finished.stderr}${said}`, finished, installed);
    return { installed, code, detail: finished.output.slice(-300), finished };
  }

  async #startProxy(): Promise<{ url: string; said: () => string; end: () => void }> {
    const child = startProcess(process.execPath, [rindMain, 'proxy'], {
      cwd: this.#home,
      env: this.#environment(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let printed = '';
    let said = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (printed += text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text));
    while (!printed.includes('\n')) {
      if (child.exitCode !== null) throw new Error(`rind proxy ended: ${said}`);
      await delay(10);
    }
    return { url: printed.trim(), said: () => said, end: () => killProcess(child) };
  }
}

/** The code of the verdict in what `rind` printed, or what else kept the installer from installing. */
function codeOf(said: string, { code }: Finished, installed: readonly string[]): string | undefined {
  const verdict = /(?:did not verify|could not be verified) \(([a-z-]+)\)/.exec(said)?.[1];
  if (verdict !== undefined) return verdict;
  if (installed.length > 0) return undefined;
  if (code === 2 && /^error: .*\nhint: /m.test(said) && /verified/.test(said)) return 'not started';
  if (/has no project named/.test(said)) return 'absent';
  return / refused/.test(said) ? 'other host' : 'absent';
}
