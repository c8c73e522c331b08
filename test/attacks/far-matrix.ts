import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { killProcess, run, startProcess, type Finished } from '../tools/process.ts';
import { rindMain } from '../tools/rind-program.ts';
import type { AttackCase } from './attack-case.ts';
import type { Outcome, Road } from './near-client.ts';
import { requireSilence, twinProject } from './near-matrix.ts';
import type { Scene } from './scene.ts';
import { installedBelow, type Errand, type ToolName, type Tools } from './tools.ts';
import type { World } from './world.ts';

const HATCH = '--unsafely-disable-package-verification';

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
  /** The project names the attacker's index as a second one, which has a higher version of everything, or the same one. */
  readonly withSecond?: boolean | 'same version';
  /** pip has the proxy for its HTTP proxy too, as after `rind client setup`. */
  readonly isSetUp?: boolean;
}

let runs = 0;
let projects = 0;

/** Runs one case with the built program and a real installer, each in a process and a home of its own. */
export async function runFar(
  world: World,
  tools: Tools,
  attackCase: AttackCase,
  { tool, road, withTwin = true, withSecond = false, isSetUp = false }: FarOptions,
): Promise<FarResult> {
  const { wanted = 'wheely', before = 'old', readsHtml, earlier } = attackCase;
  runs += 1;
  const mirror = await world.mirrorFor(attackCase);
  const scene = mirror.open(`far-${runs}`, world.new);
  const home = await mkdtemp(join(world.folder, 'far-'));
  const variables = mirror === world.mirror ? {} : { SSL_CERT_FILE: world.authorities.path };
  const user = new FarUser({ tools, scene, home, road, tool, variables, isSetUp });
  try {
    if (road !== 'plain') await user.trust(world, before);
    if (earlier !== undefined) await user.beFooled(world, attackCase);
    scene.show(world.new);
    await attackCase.attack(scene, world);
    mirror.present(attackCase.certificate?.(world));
    const call = attackCase.call?.(scene, world);
    const errand = {
      ...(call === undefined ? {} : { call }),
      ...(readsHtml === undefined ? {} : { readsHtml }),
      ...(withSecond === false
        ? {}
        : { secondUrl: `${scene.strangerUrl}${withSecond === true ? '' : 'same/'}simple/` }),
      keepsCache: earlier !== undefined,
    };
    const attack = await user.install(wanted, errand);
    const { isStruck } = scene;
    requireSilence(attackCase, scene);
    if (!withTwin) return { attack, twin: undefined, isStruck };
    mirror.present();
    if (earlier !== undefined) await user.fillCaches(world);
    scene.show(world.new);
    await attackCase.twin?.(scene, world);
    const isBelieved = attackCase.expected.verdict === 'bounded' && attackCase.twin === undefined;
    if (road !== 'plain' && (isBelieved || attackCase.isBelieved === true)) await user.forget();
    const twin = await user.install(twinProject(attackCase), { keepsCache: earlier !== undefined });
    return { attack, twin, isStruck };
  } finally {
    if (mirror !== world.mirror) await mirror.close();
    await rm(home, { recursive: true, force: true, maxRetries: 5 });
  }
}

interface FarUserOptions {
  readonly tools: Tools;
  readonly scene: Scene;
  readonly home: string;
  readonly road: FarRoad;
  readonly tool: ToolName;
  readonly variables: Readonly<Record<string, string>>;
  readonly isSetUp: boolean;
}

/** One user on one machine, with an installer and one of the roads. */
class FarUser {
  readonly #options: FarUserOptions;
  readonly #tools: Tools;
  readonly #scene: Scene;
  readonly #home: string;
  readonly #road: FarRoad;

  constructor(options: FarUserOptions) {
    this.#options = options;
    this.#tools = options.tools;
    this.#scene = options.scene;
    this.#home = options.home;
    this.#road = options.road;
  }

  /** An installer of this user meets the attacker while nobody verifies, and its caches are filled. */
  async beFooled(world: World, { earlier, wanted = 'wheely', wasUnverified }: AttackCase): Promise<void> {
    this.#scene.show(world.new);
    await earlier?.(this.#scene, world);
    const isHatch = wasUnverified === true && this.#road === 'rind run';
    const plain = new FarUser({ ...this.#options, road: isHatch ? 'rind run' : 'plain' });
    const { installed, detail } = await plain.install(wanted, { keepsCache: true, isUnverified: isHatch });
    if (installed.join() !== `${wanted} of the attacker`) throw new Error(`nobody was fooled: ${detail}`);
  }

  /** The caches hold what was installed by itself from an honest mirror, and nothing else. */
  async fillCaches(world: World): Promise<void> {
    this.#scene.show(world.new);
    await rm(join(this.#home, '.cache'), { recursive: true, force: true });
    await new FarUser({ ...this.#options, road: 'plain' }).install('wheely', { keepsCache: true });
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

  async install(
    wanted: string,
    {
      isUnverified = false,
      ...more
    }: Omit<Errand, 'folder' | 'indexUrl' | 'wanted'> & { isUnverified?: boolean },
  ): Promise<FarOutcome> {
    projects += 1;
    const folder = join(this.#home, `project-${projects}`);
    await mkdir(folder);
    if (this.#road !== 'rind proxy') {
      return this.#outcome(
        await this.#run({ folder, indexUrl: `${this.#scene.url}simple/`, wanted, ...more }, isUnverified),
        folder,
        '',
      );
    }
    const proxy = await this.#startProxy();
    try {
      const errand = { folder, indexUrl: proxy.url, wanted, ...more };
      const set = this.#options.isSetUp ? { PIP_PROXY: new URL(proxy.url).origin } : {};
      const finished = await this.#run(errand, false, set);
      return await this.#outcome(finished, folder, proxy.said());
    } finally {
      proxy.end();
    }
  }

  async #run(
    errand: Errand,
    isUnverified = false,
    more: Readonly<Record<string, string>> = {},
  ): Promise<Finished> {
    const { command, args, env } = await this.#tools.prepare(this.#options.tool, errand);
    const { folder } = errand;
    const [program, ...all] =
      this.#road === 'rind run'
        ? [process.execPath, rindMain, 'run', ...(isUnverified ? [HATCH] : []), '--', command, ...args]
        : [command, ...args];
    return run(program ?? command, all, {
      cwd: folder,
      env: this.#environment({ ...env, ...more }),
      timeout: 240_000,
    });
  }

  #rind(args: readonly string[]): Promise<Finished> {
    return run(process.execPath, [rindMain, ...args], { cwd: this.#home, env: this.#environment() });
  }

  #environment(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
    return this.#tools.environment(this.#home, { ...this.#options.variables, ...extra });
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
