import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { CliError } from './cli-error.ts';

/** A program and the arguments that come before those of the user. */
export interface PipCommand {
  readonly command: string;
  readonly args: readonly string[];
}

/**
 * The pip to run: that of the active virtual environment; the `pip` on the PATH, told to work on the active virtual
 * environment when that has no pip of its own; Python's own.
 *
 * @throws CliError when there is none
 */
export async function findPip(environment: NodeJS.ProcessEnv): Promise<PipCommand> {
  const active = environment['VIRTUAL_ENV'];
  const folder = process.platform === 'win32' ? 'Scripts' : 'bin';
  if (active && (await isProgram(join(active, folder, 'pip')))) {
    return { command: join(active, folder, 'python'), args: ['-m', 'pip'] };
  }
  const target = active ? ['--python', join(active, folder, 'python')] : [];
  for (const name of ['pip', 'pip3']) {
    if (await isOnPath(name, environment)) return { command: name, args: target };
  }
  if (await isOnPath('python3', environment)) return { command: 'python3', args: ['-m', 'pip', ...target] };
  throw new CliError('failure', 'There is no pip on the PATH and no virtual environment is active.', [
    'activate a virtual environment, or install Python with pip',
  ]);
}

async function isOnPath(name: string, environment: NodeJS.ProcessEnv): Promise<boolean> {
  const folders = (environment['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  for (const folder of folders) {
    if (await isProgram(join(folder, name))) return true;
  }
  return false;
}

async function isProgram(path: string): Promise<boolean> {
  for (const extension of process.platform === 'win32' ? ['.exe', '.bat'] : ['']) {
    try {
      await access(path + extension, constants.X_OK);
      return true;
    } catch {
      // Not this one.
    }
  }
  return false;
}
