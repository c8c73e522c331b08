import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { AttackCase, Expected } from './attack-case.ts';
import { NearClient, type Outcome, type Road } from './near-client.ts';
import type { Scene } from './scene.ts';
import type { World } from './world.ts';

/** What the newest state of the index gives for each project. */
const HONEST: Readonly<Record<string, string>> = {
  wheely: 'wheely 2.0',
  sourcy: 'sourcy 2.0',
  yanky: 'yanky 1.0',
  other: 'other 1.0',
};

/** The project that the benign twin installs: of one that does not exist there is none. */
export function twinProject({ wanted = 'wheely' }: AttackCase): string {
  return wanted in HONEST ? wanted : 'other';
}

export function honest(project: string): string {
  return HONEST[project] ?? project;
}

/** What is wrong with an outcome; `undefined` when the verdict holds. */
export function deviation(expected: Expected, project: string, outcome: Outcome): string | undefined {
  const installed = outcome.installed.join(', ');
  const seen = `${installed === '' ? 'nothing' : installed} installed (${outcome.code ?? 'no verdict'}; ${outcome.detail})`;
  switch (expected.verdict) {
    case 'rejected':
      return installed === '' && outcome.code === expected.code
        ? undefined
        : `${seen} instead of ${expected.code}`;
    case 'no effect':
      return installed === honest(project) ? undefined : seen;
    case 'bounded':
      return installed === expected.installs ? undefined : `${seen} instead of ${expected.installs}`;
  }
}

export interface NearResult {
  readonly attack: Outcome;
  readonly twin: Outcome;
  readonly isStruck: boolean;
}

/** Runs one case against the client in this process: what was known before, the attack, the benign twin with what the attack left behind. */
export async function runNear(
  world: World,
  attackCase: AttackCase,
  road: Road,
  folder: string,
): Promise<NearResult> {
  const { id, wanted = 'wheely', before = 'old', clock, patience, readsHtml } = attackCase;
  await mkdir(folder, { recursive: true });
  const state = await mkdtemp(join(folder, `${id}-`));
  const mirror = await world.mirrorFor(attackCase);
  const scene = mirror.open(`${road === 'rind run' ? 'run' : 'proxy'}-${id}`, world.new);
  const options = {
    url: scene.url,
    root: world.root,
    folder: state,
    known: world.known,
    certificateAuthorities: world.authorities.pem,
    ...(readsHtml === undefined ? {} : { readsHtml }),
  };
  try {
    if (before !== 'nothing')
      await cp(await world.seen(before), join(state, 'metadata'), { recursive: true });
    scene.show(world.new);
    await attackCase.attack(scene, world);
    mirror.present(attackCase.certificate?.(world));
    const attacked = new NearClient({
      ...options,
      ...(clock === undefined ? {} : { clock }),
      ...(patience === undefined ? {} : { patience }),
    });
    const attack = await attacked.install(wanted, road);
    const { isStruck } = scene;
    requireSilence(attackCase, scene);
    mirror.present();
    scene.show(world.new);
    // What stolen keys have signed stays where it is believed: such a client starts again, unless the twin is its recovery.
    const isBelieved = attackCase.expected.verdict === 'bounded' && attackCase.twin === undefined;
    if (isBelieved || attackCase.isBelieved === true) await rm(state, { recursive: true });
    await attackCase.twin?.(scene, world);
    const twin = await new NearClient(options).install(twinProject(attackCase), road);
    return { attack, twin, isStruck };
  } finally {
    if (mirror !== world.mirror) await mirror.close();
    await rm(state, { recursive: true, force: true });
  }
}

/** Nobody tells a server with a wrong certificate even what she wants. */
export function requireSilence({ certificate }: AttackCase, { asked }: Scene): void {
  if (certificate !== undefined && asked.length > 0)
    throw new Error(`the server with a wrong certificate was asked for ${asked.join(', ')}`);
}
