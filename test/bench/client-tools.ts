import { mkdir } from 'node:fs/promises';
import { request, Agent } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { makeWheel } from '../tools/distribution.ts';
import { cleanEnvironment, killProcess, run, startProcess } from '../tools/process.ts';
import { pythonTools, type PythonTools } from '../tools/python-tools.ts';
import { rindMain, RindClient, RindServer } from '../tools/rind-program.ts';
import { Uploader } from '../tools/upload.ts';
import { isQuick, percentile, type Table } from './report.ts';

const PACKAGES = isQuick ? 5 : 50;
const rounds = process.argv.find((argument) => argument.startsWith('--rounds='))?.slice('--rounds='.length);
const ROUNDS = isQuick ? 1 : Number(rounds ?? 5);
const ASKED = isQuick ? 20 : 500;
/** What a command may take longer with rind, in milliseconds; what is aimed at; and beyond the first, in shares of the time alone. */
const MOST = 400;
const AIM = 250;
const SHARES: Readonly<Record<string, number>> = { pip: 0.05, uv: 0.15 };
const PAGE_P50 = 3;
const PAGE_P99 = 10;

/** Packages that require each other: the goals are about a tree as projects have it. */
interface Packages {
  /** The first of them requires all others, in the end. */
  readonly names: readonly string[];
  /** Which others one of them requires, by their places. */
  readonly requires: (place: number) => readonly number[];
  readonly description: string;
  readonly isJudged: boolean;
}

const namesOf = (kind: string): string[] =>
  Array.from({ length: PACKAGES }, (_, place) => `${kind}-${place}`);
const TREE: Packages = {
  names: namesOf('tree'),
  requires: (place) => [3 * place + 1, 3 * place + 2, 3 * place + 3],
  description: `a tree of ${PACKAGES} packages`,
  isJudged: true,
};
const CHAIN: Packages = {
  names: namesOf('chain'),
  requires: (place) => [place + 1],
  description: `a chain of ${PACKAGES} (worst case)`,
  isJudged: false,
};

/** What rind adds to a command, to an install of fifty packages with pip and uv, and to single requests, and whether that reaches the goals. */
export async function benchClientTools(folder: string): Promise<Table> {
  await mkdir(folder, { recursive: true });
  const tools = await pythonTools();
  const server = await RindServer.start({ folder: join(folder, 'data') });
  try {
    for (const packages of [TREE, CHAIN]) await upload(server, packages);
    const client = await newClient(folder, server, tools);
    const rows = await commands(client);
    for (const packages of [TREE, CHAIN]) rows.push(...(await installs(folder, server, tools, packages)));
    rows.push(...(await requests(client)));
    return {
      title: 'What `rind` adds to an installer',
      method: `Best (and median) of ${ROUNDS} in turns, on one machine, the index \`rind serve\` with 256 bins; ${PACKAGES} packages of 20 KB, each of which requires three others (in the chain: one). Cold: caches of the tool and of rind are empty; warm: as the last run left them. The goals are judged by the best: a command takes at most ${MOST} ms more (aim: ${AIM} ms), an install beyond that 5 % more with pip and 15 % with uv.`,
      columns: ['what', 'alone', 'with rind', 'more', 'goal'],
      rows,
      missing: [],
    };
  } finally {
    await server.stop();
  }
}

async function upload(server: RindServer, { names, requires }: Packages): Promise<void> {
  const uploader = new Uploader(server.uploadUrl, server.token);
  for (const [position, name] of names.entries()) {
    const required = requires(position).flatMap((place) => names[place] ?? []);
    const wheel = makeWheel({ name, version: '1.0', padding: 20_000, requires: required });
    const { status, reason } = await uploader.upload(wheel);
    if (status !== 200) throw new Error(reason);
  }
  uploader.close();
}

let made = 0;

async function newClient(folder: string, server: RindServer, tools: PythonTools): Promise<RindClient> {
  made += 1;
  const state = join(folder, `user-${made}`);
  await mkdir(state);
  const client = new RindClient(state, tools.bin);
  const trusted = await client.trust(server);
  if (trusted.code !== 0) throw new Error(trusted.output);
  return client;
}

/** Both in turns; the first round counts for nothing. @param share of the time alone, beyond what a command may take; undefined: no goal */
async function compare(
  what: string,
  plain: () => Promise<number>,
  ours: () => Promise<number>,
  { warmUp = true, share }: { readonly warmUp?: boolean; readonly share: number | undefined },
): Promise<string[]> {
  const taken: [number[], number[]] = [[], []];
  if (warmUp) await Promise.all([plain(), ours()]);
  for (let round = 0; round < ROUNDS; round += 1) {
    taken[0].push(await plain());
    taken[1].push(await ours());
  }
  const text = (times: number[]): string =>
    `${Math.min(...times).toFixed(0)} (${percentile(times, 0.5).toFixed(0)}) ms`;
  const [best, bestOurs] = [Math.min(...taken[0]), Math.min(...taken[1])];
  const more = `${(bestOurs - best).toFixed(0)} ms, ${(((bestOurs - best) / best) * 100).toFixed(0)} %`;
  const goal = share === undefined ? '' : goalOf(bestOurs - best, MOST + share * best);
  return [what, text(taken[0]), text(taken[1]), more, goal];
}

function goalOf(milliseconds: number, most: number): string {
  return `<= ${most.toFixed(0)} ms: ${milliseconds <= most ? 'met' : 'missed'}`;
}

async function timed(running: ReturnType<typeof run>): Promise<number> {
  const finished = await running;
  if (finished.code !== 0) throw new Error(finished.output);
  return finished.milliseconds;
}

async function commands(client: RindClient): Promise<string[][]> {
  const env = cleanEnvironment(client.environment());
  return [
    await compare(
      '`true`',
      () => timed(run('true', [], { env })),
      () => timed(client.run(['run', '--', 'true'])),
      { share: 0 },
    ),
    await compare(
      '`pip --version`',
      () => timed(run('pip', ['--version'], { env })),
      () => timed(client.run(['pip', '--version'])),
      { share: 0 },
    ),
  ];
}

async function installs(
  folder: string,
  server: RindServer,
  tools: PythonTools,
  { names, description, isJudged }: Packages,
): Promise<string[][]> {
  const rows: string[][] = [];
  const ways: readonly [string, readonly string[]][] = [
    ['pip', ['install', '--quiet', '--no-compile', '--target']],
    ['uv', ['pip', 'install', '--quiet', '--target']],
  ];
  for (const [tool, args] of ways) {
    for (const isWarm of [false, true]) {
      const kept = await newClient(folder, server, tools);
      const install = async (client: RindClient, isOurs: boolean): Promise<number> => {
        made += 1;
        const all = [...args, join(folder, `target-${made}`), names[0] ?? ''];
        if (isOurs) return timed(client.run([tool, ...all]));
        const index = { PIP_INDEX_URL: `${server.url}simple/`, UV_DEFAULT_INDEX: `${server.url}simple/` };
        return timed(run(tool, all, { env: cleanEnvironment({ ...client.environment(), ...index }) }));
      };
      const user = async (): Promise<RindClient> => (isWarm ? kept : newClient(folder, server, tools));
      const row = await compare(
        `${tool}, ${description}, ${isWarm ? 'warm' : 'cold'}`,
        async () => install(await user(), false),
        async () => install(await user(), true),
        { warmUp: isWarm, share: isJudged ? SHARES[tool] : undefined },
      );
      rows.push(row);
    }
  }
  return rows;
}

/** Pages and files of a `rind proxy` that has them, one after the other. */
async function requests(client: RindClient): Promise<string[][]> {
  const child = startProcess(process.execPath, [rindMain, 'proxy'], {
    cwd: client.state,
    env: cleanEnvironment(client.environment()),
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let printed = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (printed += text));
  while (!printed.includes('\n')) await delay(20);
  const base = printed.trim().replace(/simple\/$/, '');
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const kinds: readonly [string, (name: string) => string][] = [
    ['warm page', (name) => `${base}simple/${name}/`],
    ['warm file', (name) => `${base}packages/${name}/${name.replace('-', '_')}-1.0-py3-none-any.whl`],
  ];
  const rows: string[][] = [];
  for (const [what, urlOf] of kinds) {
    for (const name of TREE.names) await get(urlOf(name), agent);
    const times: number[] = [];
    for (let asked = 0; asked < ASKED; asked += 1)
      times.push(await get(urlOf(TREE.names[asked % PACKAGES] ?? ''), agent));
    const [p50, p99] = [percentile(times, 0.5), percentile(times, 0.99)];
    const isMet = p50 <= PAGE_P50 && p99 <= PAGE_P99;
    rows.push([
      `${what} of the proxy, p50 and p99`,
      '',
      `${p50.toFixed(1)} ms, ${p99.toFixed(1)} ms`,
      '',
      `<= ${PAGE_P50} ms, <= ${PAGE_P99} ms: ${isMet ? 'met' : 'missed'}`,
    ]);
  }
  agent.destroy();
  killProcess(child);
  return rows;
}

function get(url: string, agent: Agent): Promise<number> {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    request(url, { agent, headers: { accept: 'application/vnd.pypi.simple.v1+json' } }, (response) => {
      response.resume();
      response.once('end', () => {
        if (response.statusCode === 200) resolve(performance.now() - started);
        else reject(new Error(`${url} is answered ${response.statusCode}`));
      });
    })
      .once('error', reject)
      .end();
  });
}
