import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { rindMain } from '../tools/rind-program.ts';
import { writeMadeUpTargets } from './made-up-targets.ts';

/** Imports made-up targets with the built program. `rate`: targets a second, from its start to its end; `peak`: MiB of resident memory. */
export async function benchImport(
  data: string,
  scratch: string,
  total: number,
): Promise<{ readonly rate: number; readonly peak: number; readonly total: number }> {
  const file = join(scratch, 'targets.csv');
  await writeMadeUpTargets(file, 0, total);
  const started = performance.now();
  const child = spawn(process.execPath, [rindMain, 'import', '--data', data, '--json', file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  let peak = 0;
  while (child.exitCode === null && child.signalCode === null) {
    peak = Math.max(peak, peakMemory(child.pid ?? 0));
    await sleep(200);
  }
  const seconds = (performance.now() - started) / 1000;
  if (child.exitCode !== 0) throw new Error('the import failed');
  const { targets } = JSON.parse(output) as { targets: number };
  return { rate: targets / seconds, peak, total: targets };
}

function peakMemory(pid: number): number {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}
