import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cachedFolder } from './cache-folder.ts';
import { cleanEnvironment, run, succeed } from './process.ts';
import { findPython, pythonTools, registryEnvironment } from './python-tools.ts';
import { UnavailableError } from './unavailable-error.ts';

/** Folder of pipx, tox, pre-commit and ipython: programs that start installers, pinned in starters.txt. */
export async function starters(): Promise<string> {
  const { uv } = await pythonTools();
  const { executable, version } = await findPython();
  const path = join(import.meta.dirname, 'starters.txt');
  const list = await readFile(path, 'utf8');
  const folder = await cachedFolder('starters', [list, executable, version], async (fresh) => {
    await succeed(executable, ['-m', 'venv', '--without-pip', fresh], { env: cleanEnvironment() });
    const args = [
      'pip',
      'install',
      '--quiet',
      '--compile-bytecode',
      '--python',
      join(fresh, 'bin', 'python'),
    ];
    const installed = await run(uv, [...args, '--requirement', path], {
      env: registryEnvironment(),
      timeout: 600_000,
    });
    if (installed.code === 0) return;
    const reason = installed.stderr.trim().split('\n').at(-1) ?? '';
    throw new UnavailableError(`pipx, tox, pre-commit and ipython could not be fetched from PyPI: ${reason}`);
  });
  return join(folder, 'bin');
}
