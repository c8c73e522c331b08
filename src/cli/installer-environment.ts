import { devNull, homedir } from 'node:os';
import { join } from 'node:path';

/** Variables that would lead an installer around the proxy, or away from its environment. */
const REMOVED: ReadonlySet<string> = new Set([
  'PIP_INDEX_URL',
  'PIP_PYPI_URL',
  'PIP_FIND_LINKS',
  'PIP_NO_INDEX',
  'PIP_TRUSTED_HOST',
  'PIP_PROXY',
  'PIP_ISOLATED',
  'PIP_EDITABLE',
  'UV_INDEX_URL',
  'UV_FIND_LINKS',
  'UV_NO_INDEX',
  'UV_CONFIG_FILE',
  'UV_INSECURE_HOST',
  'UV_HTTP_PROXY',
  'UV_HTTPS_PROXY',
  'UV_NO_PROXY',
  'UV_OFFLINE',
  'PIPENV_PYPI_MIRROR',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'ALL_PROXY',
  'NO_PROXY',
  'FTP_PROXY',
]);

/** Variables that list indexes. Those in the file system are no matter of the proxy, so they are left out. */
const INDEX_LISTS: ReadonlySet<string> = new Set([
  'PIP_EXTRA_INDEX_URL',
  'UV_EXTRA_INDEX_URL',
  'UV_INDEX',
  'UV_DEFAULT_INDEX',
]);

/** Printable ASCII alone: what separates entries elsewhere than here hides no second one. uv names its indexes. */
const REMOTE_INDEX = /^https?:\/\/[!-~]+$/i;
const REMOTE_UV_INDEX = /^(?:[a-z0-9._-]+=)?https?:\/\/[!-~]+$/i;

const PROXIES = ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'http_proxy', 'https_proxy', 'all_proxy'];
const BUNDLES = ['SSL_CERT_FILE', 'REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE', 'PIP_CERT'];

/** What the environment of an installer is made of. */
export interface InstallerEnvironmentOptions {
  /** URL of the intercepting proxy, with its credentials. */
  readonly proxyUrl: string;
  /** The user's roots and the run's authority, PEM; left out when nothing trusted is reached over https. */
  readonly bundlePath: string | undefined;
  /** `…/simple/` of the trusted indexes as everybody knows them, the default one first. */
  readonly simpleUrls: readonly string[];
  /** Folder for installers' caches; belongs to one trust, so that nothing unverified is ever in it. */
  readonly cacheFolder: string;
  /** Whether hosts that are no trusted index are refused. */
  readonly refusesUnknownHosts: boolean;
  /** uv reads its configuration files, because it works on a project whose lock it may write. */
  readonly keepsUvConfiguration: boolean;
  /** The project's own files name the default index already. */
  readonly hasUvDefault: boolean;
}

/**
 * The environment in which installers reach the network through the intercepting proxy alone and, where nothing else is said, take
 * the trusted index under its own URL. Everything else stays as it is.
 */
export function installerEnvironment(
  environment: NodeJS.ProcessEnv,
  options: InstallerEnvironmentOptions,
): NodeJS.ProcessEnv {
  const remote = withoutLocalIndexes(environment);
  const kept = Object.entries(remote).filter(([name]) => !isRemoved(name));
  return Object.fromEntries([
    ...kept,
    ...PROXIES.map((name) => [name, options.proxyUrl]),
    ...(options.bundlePath === undefined ? [] : BUNDLES.map((name) => [name, options.bundlePath])),
    ...indexVariables(remote, options),
    ...cacheVariables(environment, options.cacheFolder),
    ['PIP_CONFIG_FILE', devNull],
    ['PIP_DISABLE_PIP_VERSION_CHECK', '1'],
    // pip.conf and --isolated apart, this beats whatever else pip could take a proxy from.
    ['PIP_PROXY', options.proxyUrl],
    ['PDM_CHECK_UPDATE', '0'],
    ['PDM_IGNORE_STORED_INDEX', '1'],
    ...(options.refusesUnknownHosts ? refusalVariables(environment, options.proxyUrl) : []),
  ]) as NodeJS.ProcessEnv;
}

type Variables = (readonly [name: string, value: string])[];

function indexVariables(environment: NodeJS.ProcessEnv, options: InstallerEnvironmentOptions): Variables {
  const [first = '', ...others] = options.simpleUrls;
  const more = (name: string): Variables =>
    others.length === 0 ? [] : [[name, [environment[name] ?? '', ...others].join(' ').trim()]];
  return [
    ['PIP_INDEX_URL', first],
    ...more('PIP_EXTRA_INDEX_URL'),
    ...(options.hasUvDefault ? [] : ([['UV_DEFAULT_INDEX', first]] as const)),
    ...more('UV_INDEX'),
    ...(options.keepsUvConfiguration ? [] : ([['UV_NO_CONFIG', '1']] as const)),
    ['PDM_PYPI_URL', first],
    ['PIPENV_PYPI_MIRROR', first],
  ];
}

function cacheVariables(environment: NodeJS.ProcessEnv, folder: string): Variables {
  const poetry = environment['POETRY_CACHE_DIR'] ?? defaultPoetryCache(environment);
  return [
    ['PIP_CACHE_DIR', join(folder, 'pip')],
    ['UV_CACHE_DIR', join(folder, 'uv')],
    ['PDM_CACHE_DIR', join(folder, 'pdm')],
    ['PIPENV_CACHE_DIR', join(folder, 'pipenv')],
    ['POETRY_CACHE_DIR', join(folder, 'poetry')],
    // Otherwise the virtual environments, which poetry keeps beside its cache, would be others.
    ['POETRY_VIRTUALENVS_PATH', environment['POETRY_VIRTUALENVS_PATH'] ?? join(poetry, 'virtualenvs')],
  ];
}

function defaultPoetryCache(environment: NodeJS.ProcessEnv): string {
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'pypoetry');
  return join(environment['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'pypoetry');
}

/** What keeps tools from waiting for, and git from going around, hosts that are refused. */
function refusalVariables(environment: NodeJS.ProcessEnv, proxyUrl: string): Variables {
  const count = Number(environment['GIT_CONFIG_COUNT'] ?? '0') || 0;
  return [
    ['PIP_RETRIES', environment['PIP_RETRIES'] ?? '0'],
    ['GIT_ALLOW_PROTOCOL', 'file:http:https'],
    ['GIT_CONFIG_COUNT', String(count + 1)],
    [`GIT_CONFIG_KEY_${count}`, 'http.proxy'],
    [`GIT_CONFIG_VALUE_${count}`, proxyUrl],
  ];
}

function withoutLocalIndexes(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(environment).flatMap(([name, value = '']) => {
      const upper = name.toUpperCase();
      if (!INDEX_LISTS.has(upper)) return [[name, value]];
      const isRemote = upper.startsWith('UV_') ? REMOTE_UV_INDEX : REMOTE_INDEX;
      const entries = value.split(/\s+/).filter((entry) => isRemote.test(entry));
      return entries.length === 0 ? [] : [[name, entries.join(' ')]];
    }),
  ) as NodeJS.ProcessEnv;
}

/** Every spelling of the letters. */
function isRemoved(name: string): boolean {
  const upper = name.toUpperCase();
  return REMOVED.has(upper) || upper.startsWith('PDM_PYPI_');
}
