import { join } from 'node:path';
import { devNull } from 'node:os';

/** Variables that would lead an installer to another index, or away from its environment. */
const REMOVED: readonly string[] = [
  'PIP_EXTRA_INDEX_URL',
  'PIP_FIND_LINKS',
  'PIP_NO_INDEX',
  'PIP_TRUSTED_HOST',
  'PIP_PYPI_URL',
  'PIP_PROXY',
  'PIP_ISOLATED',
  'PIP_EDITABLE',
  'UV_INDEX',
  'UV_INDEX_URL',
  'UV_EXTRA_INDEX_URL',
  'UV_FIND_LINKS',
  'UV_NO_INDEX',
  'UV_CONFIG_FILE',
  'UV_INSECURE_HOST',
  'UV_FROZEN',
  'PDM_PYPI_URL',
  'PIPENV_PYPI_MIRROR',
];

/** What the environment of an installer is made of. */
export interface InstallerEnvironmentOptions {
  /** URL of the verified index on the loopback. */
  readonly simpleUrl: string;
  /** Folder for installers' caches; belongs to the trust in one index, so that nothing unverified is ever in it. */
  readonly cacheFolder: string;
}

/**
 * The environment in which pip, uv, pdm and pipenv see the verified index and no other, whatever their configuration
 * files say. Everything else stays as it is.
 */
export function installerEnvironment(
  environment: NodeJS.ProcessEnv,
  { simpleUrl, cacheFolder }: InstallerEnvironmentOptions,
): NodeJS.ProcessEnv {
  const kept = Object.entries(environment).filter(([name]) => !isRemoved(name));
  return Object.fromEntries([
    ...kept,
    ['PIP_INDEX_URL', simpleUrl],
    ['PIP_CONFIG_FILE', devNull],
    ['PIP_DISABLE_PIP_VERSION_CHECK', '1'],
    ['PIP_CACHE_DIR', join(cacheFolder, 'pip')],
    ['UV_DEFAULT_INDEX', simpleUrl],
    // uv.toml and [tool.uv] could name further indexes.
    ['UV_NO_CONFIG', '1'],
    // [tool.uv.sources] could lead single projects to other indexes, URLs and repositories (and to local folders).
    ['UV_NO_SOURCES', '1'],
    ['UV_CACHE_DIR', join(cacheFolder, 'uv')],
    ['PDM_PYPI_URL', simpleUrl],
    ['PDM_IGNORE_STORED_INDEX', '1'],
    ['PDM_CACHE_DIR', join(cacheFolder, 'pdm')],
    ['PIPENV_PYPI_MIRROR', simpleUrl],
    ['PIPENV_CACHE_DIR', join(cacheFolder, 'pipenv')],
    ['NO_PROXY', withLoopback(environment['NO_PROXY'] ?? environment['no_proxy'])],
    ['no_proxy', withLoopback(environment['no_proxy'] ?? environment['NO_PROXY'])],
  ]);
}

/** Also `UV_INDEX_<NAME>_…` and the like, and every spelling of the letters. */
function isRemoved(name: string): boolean {
  const upper = name.toUpperCase();
  return REMOVED.includes(upper) || upper.startsWith('PDM_PYPI_');
}

function withLoopback(noProxy: string | undefined): string {
  const hosts = (noProxy ?? '').split(',').map((host) => host.trim());
  return [...new Set([...hosts, '127.0.0.1'])].filter((host) => host !== '').join(',');
}
