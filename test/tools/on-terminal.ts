import { join } from 'node:path';
import { run, type Finished, type RunOptions } from './process.ts';
import { rindMain } from './rind-program.ts';

/** Runs `rind` on a terminal of its own, as a person would. `steps`: what it waits for, and what is typed then. */
export function onTerminal(
  steps: readonly (readonly [asked: string, typed: string])[],
  args: readonly string[],
  options: Pick<RunOptions, 'cwd' | 'env'>,
): Promise<Finished> {
  const script = join(import.meta.dirname, 'type_into_terminal.py');
  return run('python3', [script, JSON.stringify(steps), process.execPath, rindMain, ...args], options);
}
