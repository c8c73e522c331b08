import type { ChildProcess } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { killProcess, run, startProcess } from '../tools/process.ts';
import type { RindServer } from '../tools/rind-program.ts';
import { isQuick, processorSeconds, type Table } from './report.ts';

const seconds = isQuick ? 1 : 4;
const rounds = isQuick ? 1 : 3;
const jsonPage = 'application/vnd.pypi.simple.v1+json';

interface Subject {
  readonly name: string;
  readonly url: string;
  readonly pid: number;
  readonly headers: readonly string[];
}

interface Figures {
  readonly perSecond: number;
  readonly perProcessorSecond: number;
}

export async function isInstalled(program: string, flag: string): Promise<boolean> {
  return run(program, [flag]).then(
    () => true,
    () => false,
  );
}

export async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** nginx as it is quickest with static files: one worker, open files cached, no log. */
export async function startNginx(
  folder: string,
  port: number,
): Promise<{ child: ChildProcess; worker: number }> {
  const configuration = [
    // The folder is this user's alone; nginx changes to another user only when root starts it.
    ...(process.getuid?.() === 0 ? ['user root;'] : []),
    'worker_processes 1;',
    'daemon off;',
    `pid ${folder}/nginx.pid;`,
    'error_log stderr error;',
    'events { worker_connections 1024; }',
    'http {',
    '  access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000;',
    '  open_file_cache max=1000 inactive=1h; open_file_cache_valid 1h;',
    '  types { application/vnd.pypi.simple.v1+json json; text/html html; }',
    ...['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      (name) => `  ${name}_temp_path ${folder}/${name};`,
    ),
    `  server { listen 127.0.0.1:${port}; root ${folder}/www; location / { } }`,
    '}',
  ];
  await writeFile(join(folder, 'nginx.conf'), configuration.join('\n'));
  const child = startProcess('nginx', ['-p', folder, '-c', join(folder, 'nginx.conf')], { stdio: 'ignore' });
  for (let waited = 0; waited < 5_000; waited += 50) {
    await sleep(50);
    const up = await fetch(`http://127.0.0.1:${port}/`).then(
      () => true,
      () => false,
    );
    if (up) break;
  }
  const children = await readFile(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8');
  return { child, worker: Number(children.trim().split(' ')[0]) };
}

async function load({ url, pid, headers }: Subject, duration: number): Promise<Figures> {
  const before = processorSeconds(pid);
  const args = ['-t1', '-c32', `-d${duration}s`, ...headers.flatMap((header) => ['-H', header]), url];
  const finished = await run('wrk', args);
  const used = processorSeconds(pid) - before;
  const requests = Number(/(\d+) requests in/.exec(finished.output)?.[1] ?? 0);
  const failures = /Non-2xx or 3xx responses: (\d+)/.exec(finished.output)?.[1];
  if (requests === 0 || failures !== undefined)
    throw new Error(`wrk could not load ${url}\n${finished.output}`);
  return { perSecond: requests / duration, perProcessorSecond: requests / used };
}

/** The best of some rounds of each, taken in turns: a busy neighbour then slows all of them alike. */
async function compare(subjects: readonly Subject[]): Promise<Map<string, Figures>> {
  const best = new Map<string, Figures>();
  for (const subject of subjects) await load(subject, 1);
  for (let round = 0; round < rounds; round += 1) {
    for (const subject of subjects) {
      const figures = await load(subject, seconds);
      if (figures.perProcessorSecond > (best.get(subject.name)?.perProcessorSecond ?? 0))
        best.set(subject.name, figures);
    }
  }
  return best;
}

/** Cached answers a second, beside nginx with the same bytes. */
export async function benchPages(server: RindServer, folder: string, wheel: string): Promise<Table> {
  const title = 'Cached answers';
  const columns = ['answer', 'bytes', 'server', 'requests/s', 'per server-CPU-second', 'of nginx'];
  const method = `wrk with 32 connections on one thread, ${seconds} s, best of ${rounds}, in turns; per second of processor time of the server. nginx: one worker, open files cached, no log.`;
  if (!(await isInstalled('wrk', '--version')))
    return { title, method, columns, rows: [], missing: ['wrk is not installed'] };
  const hasNginx = await isInstalled('nginx', '-v');
  const things = [
    {
      name: 'project page, JSON',
      path: 'simple/bench-0/',
      file: 'page.json',
      headers: [`Accept: ${jsonPage}`],
    },
    {
      name: 'project page, HTML',
      path: 'simple/bench-0/',
      file: 'page.html',
      headers: ['Accept: text/html'],
    },
    { name: 'core metadata', path: `${wheel}.metadata`, file: 'wheel.metadata', headers: [] },
    { name: 'wheel', path: wheel, file: 'wheel.whl', headers: [] },
    { name: 'timestamp', path: 'metadata/timestamp.json', file: 'timestamp.json', headers: [] },
  ];
  await mkdir(join(folder, 'www'), { recursive: true });
  const port = await freePort();
  const nginx = hasNginx ? await startNginx(folder, port) : undefined;
  const rows: string[][] = [];
  for (const { name, path, file, headers } of things) {
    const answer = await fetch(
      server.url + path,
      headers.length === 0 ? {} : { headers: { accept: headers[0]?.slice('Accept: '.length) ?? '' } },
    );
    if (answer.status !== 200) throw new Error(`${path} was answered ${answer.status}`);
    const bytes = Buffer.from(await answer.arrayBuffer());
    await writeFile(join(folder, 'www', file), bytes);
    const subjects: Subject[] = [{ name: 'rind', url: server.url + path, pid: server.pid, headers }];
    if (nginx !== undefined)
      subjects.push({
        name: 'nginx',
        url: `http://127.0.0.1:${port}/${file}`,
        pid: nginx.worker,
        headers: [],
      });
    const best = await compare(subjects);
    const peer = best.get('nginx')?.perProcessorSecond;
    for (const [subject, { perSecond, perProcessorSecond }] of best) {
      const ratio = peer === undefined ? 'unknown' : (perProcessorSecond / peer).toFixed(2);
      rows.push([
        name,
        String(bytes.length),
        subject,
        perSecond.toFixed(0),
        perProcessorSecond.toFixed(0),
        ratio,
      ]);
    }
  }
  if (nginx !== undefined) killProcess(nginx.child, 'SIGTERM');
  return {
    title,
    method,
    columns,
    rows,
    missing: hasNginx ? [] : ['nginx is not installed, so that there is nothing to compare with'],
  };
}
