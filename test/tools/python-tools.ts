import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cachedFolder } from './cache-folder.ts';
import { cleanEnvironment, run, succeed } from './process.ts';
import { UnavailableError } from './unavailable-error.ts';

/** A virtual environment with the real tools of Python people, pinned in requirements.txt. */
export interface PythonTools {
  /** The interpreter the environment was made from. */
  readonly basePython: string;
  readonly bin: string;
  readonly python: string;
  readonly pip: string;
  readonly twine: string;
  readonly uv: string;
}

const requirementsFile = join(import.meta.dirname, 'requirements.txt');
const describePython =
  'import sys, venv, ensurepip; print(sys.base_prefix, sys.executable, "%d.%d" % sys.version_info[:2], sep="\\n")';

/** The environment of the user for a fetch from the package registry: her own settings say how it is reached. */
export function registryEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, PIP_DISABLE_PIP_VERSION_CHECK: '1', PIP_NO_INPUT: '1' };
}

/** Finds a python3 that has venv and ensurepip. */
export async function findPython(): Promise<{ executable: string; version: string }> {
  for (const candidate of ['python3', 'python']) {
    const found = await run(candidate, ['-c', describePython], { env: { ...process.env } }).catch(
      () => undefined,
    );
    const [, executable, version] = found?.code === 0 ? found.stdout.trim().split('\n') : [];
    if (executable !== undefined && version !== undefined) return { executable, version };
  }
  throw new UnavailableError('there is no python3 with the modules venv and ensurepip on the PATH');
}

/** Makes a fresh virtual environment: with the pip that Python ships, or without any. */
export async function createVirtualEnvironment(
  folder: string,
  options: { withPip: boolean },
): Promise<string> {
  const { executable } = await findPython();
  const args = ['-m', 'venv', ...(options.withPip ? [] : ['--without-pip']), folder];
  await succeed(executable, args, { env: cleanEnvironment(), cwd: tmpdir() });
  return join(folder, 'bin');
}

export async function pythonTools(): Promise<PythonTools> {
  const { executable, version } = await findPython();
  const pins = await readFile(requirementsFile, 'utf8');
  const folder = await cachedFolder('python-tools', [pins, executable, version], async (fresh) => {
    await succeed(executable, ['-m', 'venv', fresh], { env: cleanEnvironment() });
    const pip = [join(fresh, 'bin', 'python'), '-m', 'pip', '--quiet', 'install', '--no-input'] as const;
    const [python, ...args] = pip;
    const environment = { env: registryEnvironment(), timeout: 600_000 };
    const newest = /^pip==\S+/m.exec(pins)?.[0] ?? 'pip';
    for (const wanted of [
      ['--upgrade', newest],
      ['--requirement', requirementsFile],
    ]) {
      const installed = await run(python, [...args, ...wanted], environment);
      if (installed.code !== 0) {
        const reason = installed.stderr.trim().split('\n').at(-1) ?? '';
        throw new UnavailableError(`the Python tools could not be installed from PyPI: ${reason}`);
      }
    }
  });
  const bin = join(folder, 'bin');
  return {
    basePython: executable,
    bin,
    python: join(bin, 'python'),
    pip: join(bin, 'pip'),
    twine: join(bin, 'twine'),
    uv: join(bin, 'uv'),
  };
}
