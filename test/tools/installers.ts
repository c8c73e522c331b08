import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cachedFolder } from './cache-folder.ts';
import { cleanEnvironment, run, succeed } from './process.ts';
import { findPython, pythonTools, registryEnvironment, type PythonTools } from './python-tools.ts';
import { UnavailableError } from './unavailable-error.ts';

/** Everything that uploads to an index or reads one, as it comes from PyPI, pinned in installers.txt, pdm.txt and here. */
export interface Installers {
  readonly tools: PythonTools;
  /** Folder of flit, poetry, hatch, pipenv, keyring, and of the indexes pypi-server and devpi-server. */
  readonly bin: string;
  readonly pdm: string;
  /** A folder for PYTHONPATH with the oldest pip that today's Python still runs: HTML pages only, no metadata beside files. */
  readonly oldPip: string;
}

const OLD_PIP = 'pip==21.3.1';

export async function installers(): Promise<Installers> {
  const tools = await pythonTools();
  const { executable, version } = await findPython();
  const lists = await Promise.all(
    ['installers.txt', 'pdm.txt'].map((name) => readFile(join(import.meta.dirname, name), 'utf8')),
  );
  const folder = await cachedFolder('installers', [...lists, OLD_PIP, executable, version], async (fresh) => {
    for (const name of ['installers', 'pdm']) {
      const environment = join(fresh, name);
      await succeed(executable, ['-m', 'venv', '--without-pip', environment], { env: cleanEnvironment() });
      const list = join(import.meta.dirname, `${name}.txt`);
      await fetchWith(tools.uv, ['--python', join(environment, 'bin', 'python'), '--requirement', list]);
    }
    await fetchWith(tools.uv, ['--python', executable, '--target', join(fresh, 'old-pip'), OLD_PIP]);
  });
  return {
    tools,
    bin: join(folder, 'installers', 'bin'),
    pdm: join(folder, 'pdm', 'bin', 'pdm'),
    oldPip: join(folder, 'old-pip'),
  };
}

async function fetchWith(uv: string, args: readonly string[]): Promise<void> {
  const installed = await run(uv, ['pip', 'install', '--quiet', '--compile-bytecode', ...args], {
    env: registryEnvironment(),
    timeout: 600_000,
  });
  if (installed.code === 0) return;
  const reason = installed.stderr.trim().split('\n').at(-1) ?? '';
  throw new UnavailableError(`the installers could not be fetched from PyPI: ${reason}`);
}
