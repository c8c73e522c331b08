import { readdir, realpath, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Where a Python environment keeps what is installed in it. */
export interface PythonEnvironment {
  readonly prefix: string;
  /** Folders with distributions in them. */
  readonly sites: readonly string[];
  /** Folder of commands. */
  readonly scripts: string;
}

/**
 * Finds the folders of an environment by their names. Its interpreter is not started: whatever was put into the environment could
 * run and lie.
 *
 * @param path an interpreter, or the folder of an environment
 * @returns undefined when there is no folder of distributions
 */
export async function findPythonEnvironment(path: string): Promise<PythonEnvironment | undefined> {
  const isFolder = (await stat(path).catch(() => undefined))?.isDirectory() === true;
  // A virtual environment's interpreter is a link to another place, which must not be followed.
  const prefix = isFolder ? path : dirname(dirname(path));
  const sites = new Set<string>();
  for (const parent of ['lib', 'lib64', 'local/lib', 'Lib']) {
    const names = await readdir(join(prefix, parent)).catch(() => []);
    const versions = names.filter((name) => /^(?:python|pypy)3/.test(name));
    for (const version of [...versions, '.']) {
      for (const name of ['site-packages', 'dist-packages']) {
        const site = await realpath(join(prefix, parent, version, name)).catch(() => undefined);
        if (site !== undefined) sites.add(site);
      }
    }
  }
  const scripts = process.platform === 'win32' ? 'Scripts' : 'bin';
  return sites.size === 0 ? undefined : { prefix, sites: [...sites], scripts: join(prefix, scripts) };
}
