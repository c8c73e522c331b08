import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cachedFolder } from '../tools/cache-folder.ts';
import { makeWheel, type Distribution } from '../tools/distribution.ts';
import { cleanEnvironment, killProcess, run, startProcess } from '../tools/process.ts';
import { findPython, registryEnvironment } from '../tools/python-tools.ts';
import type { RindServer } from '../tools/rind-program.ts';
import { Uploader, uploadForm } from '../tools/upload.ts';
import { freePort, isInstalled, startNginx } from './pages.ts';
import { isQuick, processorSeconds, type Table } from './report.ts';

const SECONDS = isQuick ? 1 : 4;
const ROUNDS = isQuick ? 1 : 3;
const PROJECTS = isQuick ? 4 : 40;
const RELEASES = 5;
const PINNED = ['devpi-server==6.20.3', 'pypiserver==2.4.2', 'proxpi==1.3.1', 'gunicorn==27.0.1'];
const JSON_PAGE = 'Accept: application/vnd.pypi.simple.v1+json';

interface Peer {
  readonly name: string;
  readonly page: string;
  readonly file: string;
  readonly pageHeaders: readonly string[];
  readonly pids: () => readonly number[];
  readonly stop: () => void;
}

/** Every process below this one, with it. */
function family(pid: number): number[] {
  const path = `/proc/${pid}/task/${pid}/children`;
  const children = existsSync(path) ? readFileSync(path, 'utf8').trim().split(' ') : [];
  return [pid, ...children.filter((child) => child !== '').flatMap((child) => family(Number(child)))];
}

async function answers(url: string, patience = 180_000): Promise<boolean> {
  for (const end = performance.now() + patience; performance.now() < end; await sleep(200)) {
    const up = await fetch(url).then(
      (response) => response.status < 500,
      () => false,
    );
    if (up) return true;
  }
  return false;
}

/** Python peers, pinned, in an environment that is made once. */
async function peerPrograms(): Promise<string> {
  const { executable, version } = await findPython();
  const folder = await cachedFolder('index-peers', [...PINNED, version], async (fresh) => {
    await run(executable, ['-m', 'venv', fresh], { env: cleanEnvironment() });
    for (const pinned of PINNED) {
      const args = ['-m', 'pip', '--quiet', 'install', '--no-input', pinned];
      await run(join(fresh, 'bin', 'python'), args, { env: registryEnvironment(), timeout: 300_000 });
    }
  });
  return join(folder, 'bin');
}

function started(command: string, args: readonly string[], env: Record<string, string> = {}): ChildProcess {
  return startProcess(command, args, { stdio: 'ignore', env: cleanEnvironment(env) });
}

function peer(child: ChildProcess, parts: Pick<Peer, 'name' | 'page' | 'file'>): Peer {
  const pid = child.pid ?? 0;
  return { ...parts, pageHeaders: [], pids: () => family(pid), stop: () => killProcess(child, 'SIGTERM') };
}

async function startPypiserver(bin: string, wheels: string, filename: string): Promise<Peer> {
  const url = `http://127.0.0.1:${await freePort()}`;
  const port = new URL(url).port;
  const child = started(join(bin, 'pypi-server'), [
    'run',
    '-i',
    '127.0.0.1',
    '-p',
    port,
    '-P',
    '.',
    '-a',
    '.',
    wheels,
  ]);
  if (!(await answers(url))) throw new Error('it did not start');
  return peer(child, {
    name: 'pypiserver',
    page: `${url}/simple/bench-0/`,
    file: `${url}/packages/${filename}`,
  });
}

async function startProxpi(bin: string, upstream: string, filename: string): Promise<Peer> {
  const url = `http://127.0.0.1:${await freePort()}`;
  const args = ['--bind', new URL(url).host, '--workers', '1', '--threads', '8', 'proxpi.server:app'];
  const child = started(join(bin, 'gunicorn'), args, { PROXPI_INDEX_URL: `${upstream}simple/` });
  const page = `${url}/index/bench-0/`;
  if (!(await answers(page))) throw new Error('it did not start');
  return {
    ...peer(child, { name: 'proxpi', page, file: `${page}${filename}` }),
    pageHeaders: ['Accept: text/html'],
  };
}

async function startDevpi(bin: string, folder: string, wheels: readonly Distribution[]): Promise<Peer> {
  await run(join(bin, 'devpi-init'), ['--serverdir', folder, '--no-root-pypi'], { timeout: 120_000 });
  const url = `http://127.0.0.1:${await freePort()}`;
  const args = ['--serverdir', folder, '--port', new URL(url).port, '--offline-mode'];
  const child = started(join(bin, 'devpi-server'), args);
  if (!(await answers(`${url}/+api`))) throw new Error('it did not start');
  const headers = { 'content-type': 'application/json', accept: 'application/json' };
  const login = await fetch(`${url}/+login`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ user: 'root', password: '' }),
  });
  const { result } = (await login.json()) as { result: { password: string } };
  const authorization = Buffer.from(`root:${result.password}`).toString('base64');
  const made = await fetch(`${url}/root/bench`, {
    method: 'PUT',
    headers: { ...headers, 'x-devpi-auth': authorization },
    body: JSON.stringify({ type: 'stage', bases: [], volatile: true }),
  });
  if (!made.ok) throw new Error(`it refused an index (${made.status})`);
  for (const wheel of wheels) {
    const { body, contentType } = uploadForm(wheel);
    const sent = await fetch(`${url}/root/bench/`, {
      method: 'POST',
      headers: { 'content-type': contentType, 'x-devpi-auth': authorization },
      body: new Uint8Array(body),
    });
    if (!sent.ok) throw new Error(`it refused an upload (${sent.status})`);
  }
  const page = `${url}/root/bench/+simple/bench-0/`;
  const href = /href="([^"#]+)/.exec(await (await fetch(page)).text())?.[1] ?? '';
  return peer(child, { name: 'devpi', page, file: new URL(href, page).href });
}

interface Figures {
  readonly perSecond: number;
  readonly perProcessorSecond: number;
}

async function measure(
  url: string,
  headers: readonly string[],
  pids: () => readonly number[],
): Promise<Figures> {
  const processor = (): number => pids().reduce((sum, pid) => sum + processorSeconds(pid), 0);
  const before = processor();
  const options = ['-t1', '-c32', `-d${SECONDS}s`, '--timeout', '60s'];
  const { output } = await run('wrk', [...options, ...headers.flatMap((header) => ['-H', header]), url]);
  const used = Math.max(0.01, processor() - before);
  const requests = Number(/(\d+) requests in/.exec(output)?.[1] ?? 0);
  const failures = Number(/Non-2xx or 3xx responses: (\d+)/.exec(output)?.[1] ?? 0);
  if (failures > 0) throw new Error(`${url} failed ${failures} of ${requests} times`);
  return { perSecond: requests / SECONDS, perProcessorSecond: requests / used };
}

async function startPeers(
  server: RindServer,
  folder: string,
  wheels: readonly Distribution[],
  missing: string[],
): Promise<Peer[]> {
  const [first] = wheels;
  const filename = first?.filename ?? '';
  const peers: Peer[] = [
    {
      name: 'rind',
      page: `${server.url}simple/bench-0/`,
      file: `${server.url}packages/bench-0/${filename}`,
      pageHeaders: [JSON_PAGE],
      pids: () => [server.pid],
      stop: () => undefined,
    },
  ];
  const attempt = async (name: string, start: () => Promise<Peer>): Promise<void> => {
    try {
      peers.push(await start());
    } catch (error) {
      missing.push(`${name}: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`);
    }
  };
  await attempt('nginx', async () => {
    if (!(await isInstalled('nginx', '-v'))) throw new Error('it is not installed');
    const web = join(folder, 'nginx');
    await mkdir(join(web, 'www'), { recursive: true });
    const page = await fetch(`${server.url}simple/bench-0/`, { headers: { accept: JSON_PAGE.slice(8) } });
    await writeFile(join(web, 'www', 'page.json'), Buffer.from(await page.arrayBuffer()));
    await writeFile(join(web, 'www', 'wheel.whl'), first?.bytes ?? '');
    const port = await freePort();
    const { child, worker } = await startNginx(web, port);
    const url = `http://127.0.0.1:${port}`;
    const parts = { name: 'nginx', page: `${url}/page.json`, file: `${url}/wheel.whl` };
    return { ...peer(child, parts), pids: () => [worker] };
  });
  const bin = await peerPrograms();
  const need = (program: string): void => {
    if (!existsSync(join(bin, program))) throw new Error('it could not be installed from PyPI');
  };
  await attempt('devpi', () => (need('devpi-server'), startDevpi(bin, join(folder, 'devpi'), wheels)));
  await attempt(
    'pypiserver',
    () => (need('pypi-server'), startPypiserver(bin, join(folder, 'wheels'), filename)),
  );
  await attempt('proxpi', () => (need('gunicorn'), startProxpi(bin, server.url, filename)));
  return peers;
}

/** Pages and small files beside the peers, in turns in one run. */
export async function benchPeers(server: RindServer, folder: string): Promise<Table> {
  const wheels = Array.from({ length: PROJECTS * RELEASES }, (_, number) =>
    makeWheel({ name: `bench-${number % PROJECTS}`, version: `1.${number}`, padding: 20_000 }),
  );
  await mkdir(join(folder, 'wheels'), { recursive: true });
  const uploader = new Uploader(server.uploadUrl, server.token, 16);
  await Promise.all(
    wheels.map(async (wheel) => {
      await writeFile(join(folder, 'wheels', wheel.filename), wheel.bytes);
      const { status, reason } = await uploader.post(uploadForm(wheel));
      if (status !== 200) throw new Error(`an upload was answered ${status} ${reason}`);
    }),
  );
  uploader.close();
  const missing: string[] = [];
  const peers = (await isInstalled('wrk', '--version'))
    ? await startPeers(server, folder, wheels, missing)
    : [];
  if (peers.length === 0) missing.push('wrk is not installed');
  for (const { page, file, pageHeaders, pids } of peers) {
    await measure(page, pageHeaders, pids).catch(() => undefined);
    await measure(file, [], pids).catch(() => undefined);
  }
  const best = new Map<string, Figures>();
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const { name, page, file, pageHeaders, pids } of peers) {
      for (const [what, url, headers] of [
        ['page', page, pageHeaders],
        ['wheel, 21 kB', file, []],
      ] as const) {
        try {
          const figures = await measure(url, headers, pids);
          const key = `${what}\0${name}`;
          if (figures.perProcessorSecond > (best.get(key)?.perProcessorSecond ?? 0)) best.set(key, figures);
        } catch (error) {
          missing.push(`${name}, ${what}: ${error instanceof Error ? error.message : String(error)}`);
        }
      }
    }
  }
  for (const { stop } of peers) stop();
  return {
    title: 'Beside other indexes',
    method: `${PROJECTS} projects of ${RELEASES} wheels; one page and one wheel, wrk with 32 connections on one thread, ${SECONDS} s, best of ${ROUNDS}, in turns in one run; per second of processor time of all processes of the server. rind sends the signed JSON page, nginx the same bytes from the disk, the others what they make (${PINNED.join(', ')}; proxpi has rind behind it).`,
    columns: ['answer', 'server', 'requests/s', 'per server-CPU-second', 'of nginx'],
    rows: [...best].map(([key, { perSecond, perProcessorSecond }]) => {
      const [what = '', name = ''] = key.split('\0');
      const nginx = best.get(`${what}\0nginx`)?.perProcessorSecond;
      const ratio = nginx === undefined ? 'unknown' : (perProcessorSecond / nginx).toPrecision(2);
      return [
        what,
        name,
        perSecond.toFixed(0),
        perProcessorSecond.toFixed(perProcessorSecond < 100 ? 1 : 0),
        ratio,
      ];
    }),
    missing,
  };
}
