import { mkdir } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { readSelfSignedRoot } from '../../src/proxy/trusted-root.ts';
import { SimulatedIndex } from '../support/simulated-index.ts';
import { cleanEnvironment, killProcess, startProcess } from '../tools/process.ts';
import { rind, rindMain } from '../tools/rind-program.ts';
import { isQuick, type Table } from './report.ts';

const LENGTH = isQuick ? 50_000_000 : 1_000_000_000;
const FILE = 'large-1.0-py3-none-any.whl';

/** Memory of `rind proxy` while a wheel of a gigabyte goes through it. */
export async function benchClientMemory(folder: string): Promise<Table> {
  await mkdir(folder, { recursive: true });
  const index = await SimulatedIndex.start();
  // What is in it does not matter: nobody unpacks it.
  index.addProject('large', [{ filename: FILE, bytes: Buffer.alloc(LENGTH, 'rind') }]);
  const env = cleanEnvironment({ HOME: folder, RIND_STATE_DIR: `${folder}/rind` });
  const { fingerprint } = await readSelfSignedRoot(index.repository.initialRoot);
  const trusted = await rind(['trust', 'add', index.url, '--fingerprint', fingerprint], {
    env: env as Record<string, string>,
  });
  if (trusted.code !== 0) throw new Error(trusted.output);
  const child = startProcess(process.execPath, [rindMain, 'proxy'], {
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let url = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (url += text));
  while (!url.includes('\n')) await delay(20);
  const base = url.trim().replace(/simple\/$/, '');
  const before = peakMemory(child.pid ?? 0);
  const rows: string[][] = [];
  for (const what of ['first time', 'from the cache']) {
    const started = performance.now();
    const length = await drained(`${base}packages/large/${FILE}`);
    if (length !== LENGTH) throw new Error(`${length} bytes came`);
    const seconds = (performance.now() - started) / 1000;
    const peak = peakMemory(child.pid ?? 0);
    rows.push([
      what,
      `${peak.toFixed(0)} MiB`,
      `${(peak - before).toFixed(0)} MiB`,
      `${seconds.toFixed(1)} s`,
    ]);
  }
  killProcess(child);
  await index.close();
  return {
    title: 'Memory while a large wheel goes through the proxy',
    method: `A wheel of ${LENGTH / 1e6} MB through \`rind proxy\`; most memory that was resident at any time (VmHWM). Aim: 150 MB.`,
    columns: ['the wheel', 'most memory', 'more than before', 'time'],
    rows,
    missing: [],
  };
}

/** MiB, since the start of the process. */
function peakMemory(pid: number): number {
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

function drained(url: string): Promise<number> {
  return new Promise((resolve, reject) => {
    request(url, (response) => {
      let length = 0;
      response.on('data', (chunk: Buffer) => (length += chunk.length));
      response.once('end', () => resolve(length)).once('error', reject);
    })
      .once('error', reject)
      .end();
  });
}
