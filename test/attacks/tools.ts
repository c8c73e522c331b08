import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { installers, type Installers } from '../tools/installers.ts';
import { cleanEnvironment } from '../tools/process.ts';
import type { Call } from './attack-case.ts';

export type ToolName = 'pip' | 'uv' | 'poetry' | 'pdm' | 'pipenv';

export const TOOLS: readonly ToolName[] = ['pip', 'uv', 'poetry', 'pdm', 'pipenv'];

/** What a tool is to install, and from where. */
export interface Errand {
  /** An empty folder; the project and what is installed lie in it. */
  readonly folder: string;
  /** `…/simple/`, as the project names it. */
  readonly indexUrl: string;
  readonly wanted: string;
  /** A second index that the project names. */
  readonly secondUrl?: string;
  readonly call?: Call;
  /** An installer that reads HTML pages. */
  readonly readsHtml?: boolean;
  /** The installer reads and fills its caches, as it does when nothing is said. */
  readonly keepsCache?: boolean;
}

/** A command line of a real installer. */
export interface ToolCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

const PROJECT = '[project]\nname = "x"\nversion = "0"\nrequires-python = ">=3.9"\n';

/** The real installers, from PyPI. */
export class Tools {
  readonly #installers: Installers;

  private constructor(found: Installers) {
    this.#installers = found;
  }

  static async find(): Promise<Tools> {
    return new Tools(await installers());
  }

  get path(): string {
    const { tools, bin, pdm } = this.#installers;
    const folders = [dirname(pdm), tools.bin, bin, dirname(process.execPath), process.env['PATH'] ?? ''];
    return folders.join(delimiter);
  }

  /** An environment in which every tool keeps to the errand's folder. */
  environment(folder: string, extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
    const unset = {
      POETRY_VIRTUALENVS_CREATE: 'true',
      PYTHON_KEYRING_BACKEND: 'keyring.backends.null.Keyring',
    };
    return cleanEnvironment({
      ...unset,
      HOME: folder,
      XDG_CACHE_HOME: join(folder, '.cache'),
      XDG_CONFIG_HOME: join(folder, '.config'),
      XDG_STATE_HOME: join(folder, '.state'),
      RIND_STATE_DIR: join(folder, '.rind'),
      PATH: this.path,
      NO_COLOR: '1',
      PIP_NO_INPUT: '1',
      PIP_RETRIES: '0',
      UV_NO_CONFIG: '0',
      PDM_USE_VENV: '0',
      PDM_CHECK_UPDATE: '0',
      POETRY_VIRTUALENVS_IN_PROJECT: 'true',
      PIPENV_IGNORE_VIRTUALENVS: '1',
      PIPENV_VENV_IN_PROJECT: '1',
      PIPENV_PYTHON: this.#installers.tools.python,
      PIPENV_NOSPIN: '1',
      ...extra,
    });
  }

  /** Writes the project and gives the command that installs it. */
  async prepare(tool: ToolName, errand: Errand): Promise<ToolCommand> {
    const { folder, call } = errand;
    await mkdir(folder, { recursive: true });
    for (const [name, content] of Object.entries(call?.files ?? {}))
      await writeFile(join(folder, name), content);
    const env = call?.env ?? {};
    switch (tool) {
      case 'pip':
        return this.#pip(errand, env);
      case 'uv':
        return uv(errand, env);
      case 'poetry':
        await writeFile(join(folder, 'pyproject.toml'), poetryProject(errand));
        return { command: 'poetry', args: ['install', '--no-root', '--no-interaction'], env };
      case 'pdm':
        await writeFile(join(folder, 'pyproject.toml'), pdmProject(errand));
        return { command: 'pdm', args: ['install', '--no-self'], env };
      case 'pipenv':
        await writeFile(join(folder, 'Pipfile'), pipfile(errand));
        return { command: 'pipenv', args: ['install'], env };
    }
  }

  #pip(
    { wanted, call, readsHtml, secondUrl, indexUrl, keepsCache }: Errand,
    given: Readonly<Record<string, string>>,
  ): ToolCommand {
    const named = call?.isNamed === false ? [] : [wanted];
    const second = secondUrl === undefined ? [] : ['--extra-index-url', secondUrl];
    const args = [
      'install',
      '--target',
      'target',
      ...(keepsCache === true ? [] : ['--no-cache-dir']),
      '--no-compile',
      ...(call?.args ?? []),
      ...second,
      ...named,
    ];
    const env = { PIP_INDEX_URL: indexUrl, ...given };
    if (readsHtml !== true) return { command: 'pip', args, env };
    return {
      command: 'python',
      args: ['-m', 'pip', ...args],
      env: { ...env, PYTHONPATH: this.#installers.oldPip },
    };
  }
}

function uv(
  { wanted, secondUrl, indexUrl, call, keepsCache }: Errand,
  given: Readonly<Record<string, string>>,
): ToolCommand {
  const second = secondUrl === undefined ? [] : ['--index', secondUrl];
  const args = [
    'pip',
    'install',
    '--target',
    'target',
    ...(keepsCache === true ? [] : ['--no-cache']),
    ...(call?.args ?? []),
    ...second,
    wanted,
  ];
  return { command: 'uv', args, env: { UV_DEFAULT_INDEX: indexUrl, UV_HTTP_TIMEOUT: '20', ...given } };
}

function poetryProject({ wanted, indexUrl, secondUrl }: Errand): string {
  const source = (name: string, url: string, priority: string): string =>
    `[[tool.poetry.source]]\nname = "${name}"\nurl = "${url}"\npriority = "${priority}"\n`;
  const second = secondUrl === undefined ? '' : source('second', secondUrl, 'supplemental');
  return `${PROJECT}dependencies = ["${wanted}"]\n[tool.poetry]\npackage-mode = false\n${source('first', indexUrl, 'primary')}${second}`;
}

function pdmProject({ wanted, indexUrl, secondUrl }: Errand): string {
  const source = (name: string, url: string): string =>
    `[[tool.pdm.source]]\nname = "${name}"\nurl = "${url}"\n`;
  const second = secondUrl === undefined ? '' : source('second', secondUrl);
  return `${PROJECT}dependencies = ["${wanted}"]\n[tool.pdm]\ndistribution = false\n${source('pypi', indexUrl)}${second}`;
}

function pipfile({ wanted, indexUrl, secondUrl }: Errand): string {
  const source = (name: string, url: string): string =>
    `[[source]]\nname = "${name}"\nurl = "${url}"\nverify_ssl = true\n`;
  const second = secondUrl === undefined ? '' : source('second', secondUrl);
  return `${source('first', indexUrl)}${second}[packages]\n"${wanted}" = "*"\n`;
}

const MODULES = ['wheely', 'sourcy', 'yanky', 'other', 'ghost', 'dep', 'app'];

/** What is installed anywhere below a folder: `wheely 2.0`, or `wheely of the attacker`. */
export async function installedBelow(folder: string): Promise<string[]> {
  const found: string[] = [];
  const places = [join(folder, 'target'), ...(await sitePackages(join(folder, '.venv', 'lib')))];
  for (const version of await readdir(join(folder, '__pypackages__')).catch(() => [])) {
    places.push(join(folder, '__pypackages__', version, 'lib'));
  }
  for (const place of places) {
    for (const module of MODULES) {
      const source = await readFile(join(place, module, '__init__.py'), 'utf8').catch(() => undefined);
      if (source === undefined) continue;
      const version = /^version = '([^']*)'/m.exec(source)?.[1] ?? '?';
      const isEvil = source.includes("build = 'of the attacker'");
      found.push(isEvil ? `${module} of the attacker` : `${module} ${version}`);
    }
  }
  return found;
}

async function sitePackages(libraries: string): Promise<string[]> {
  const versions = await readdir(libraries).catch(() => []);
  return versions.map((version) => join(libraries, version, 'site-packages'));
}
