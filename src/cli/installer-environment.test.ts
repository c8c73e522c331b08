import { devNull } from 'node:os';
import { describe, expect, it } from 'vitest';
import { installerEnvironment, type InstallerEnvironmentOptions } from './installer-environment.ts';

const SIMPLE_URL = 'https://packages.example.org/simple/';
const PROXY_URL = 'http://rind:secret@127.0.0.1:1';
const OPTIONS: InstallerEnvironmentOptions = {
  proxyUrl: PROXY_URL,
  bundlePath: '/run/bundle.pem',
  simpleUrls: [SIMPLE_URL],
  cacheFolder: '/cache/id',
  refusesUnknownHosts: true,
  keepsUvConfiguration: false,
  hasUvDefault: false,
};
const environmentFrom = (
  environment: NodeJS.ProcessEnv,
  options: Partial<InstallerEnvironmentOptions> = {},
): NodeJS.ProcessEnv => installerEnvironment(environment, { ...OPTIONS, ...options });

describe('installerEnvironment', () => {
  it('leads every installer to the index under its own URL, through the proxy', () => {
    const environment = environmentFrom({});
    expect(environment).toMatchObject({
      PIP_INDEX_URL: SIMPLE_URL,
      PIP_CONFIG_FILE: devNull,
      PIP_PROXY: PROXY_URL,
      UV_DEFAULT_INDEX: SIMPLE_URL,
      UV_NO_CONFIG: '1',
      PDM_PYPI_URL: SIMPLE_URL,
      PDM_IGNORE_STORED_INDEX: '1',
      PIPENV_PYPI_MIRROR: SIMPLE_URL,
    });
    for (const name of ['http_proxy', 'https_proxy', 'all_proxy']) {
      expect(environment[name]).toBe(PROXY_URL);
      expect(environment[name.toUpperCase()]).toBe(PROXY_URL);
    }
    for (const name of ['SSL_CERT_FILE', 'REQUESTS_CA_BUNDLE', 'PIP_CERT']) {
      expect(environment[name]).toBe('/run/bundle.pem');
    }
  });

  it('takes away what leads around the proxy, in every spelling', () => {
    const environment = environmentFrom({
      PIP_FIND_LINKS: '/opt/wheels',
      pip_find_links: '/opt/wheels',
      PIP_NO_INDEX: '1',
      UV_FIND_LINKS: '/opt/wheels',
      UV_HTTPS_PROXY: 'http://evil.example',
      UV_NO_PROXY: '*',
      NO_PROXY: 'evil.example',
      no_proxy: '*',
      HTTPS_PROXY: 'http://evil.example',
      PDM_PYPI_USERNAME: 'somebody',
    });
    expect(JSON.stringify(environment)).not.toMatch(/evil|opt\/wheels|somebody|NO_INDEX|no_proxy/i);
  });

  it('takes away indexes in the file system, which no proxy sees, and keeps those beside them', () => {
    const other = 'https://me:secret@other.example/simple/';
    const second = 'https://second.example/simple/';
    const given = {
      PIP_EXTRA_INDEX_URL: `file:///opt/local ${other}\t/opt/local ./local a=${second} ${second}\u0085file:///opt/local`,
      PIP_extra_index_url: 'file:///opt/local',
      UV_EXTRA_INDEX_URL: '../local',
      UV_INDEX: `local=file:///opt/local corp=${other} /opt/local`,
      UV_DEFAULT_INDEX: 'FILE:///opt/local',
    };
    const environment = environmentFrom(given, { hasUvDefault: true });
    expect(environment).toMatchObject({ PIP_EXTRA_INDEX_URL: other, UV_INDEX: `corp=${other}` });
    for (const name of ['PIP_extra_index_url', 'UV_EXTRA_INDEX_URL', 'UV_DEFAULT_INDEX']) {
      expect(environment).not.toHaveProperty(name);
    }
    const more = environmentFrom(given, { simpleUrls: [SIMPLE_URL, second] });
    expect(more).toMatchObject({
      PIP_EXTRA_INDEX_URL: `${other} ${second}`,
      UV_INDEX: `corp=${other} ${second}`,
      UV_DEFAULT_INDEX: SIMPLE_URL,
    });
  });

  it('gives caches that belong to one trust alone, and leaves the environments of poetry where they are', () => {
    const environment = environmentFrom({
      PIP_CACHE_DIR: '/home/me/.cache/pip',
      UV_CACHE_DIR: '/home/me/.cache/uv',
      POETRY_CACHE_DIR: '/home/me/poetry',
    });
    for (const tool of ['PIP', 'UV', 'PDM', 'PIPENV', 'POETRY']) {
      expect(environment[`${tool}_CACHE_DIR`]).toMatch(/^\/cache\/id\//);
    }
    expect(environment['POETRY_VIRTUALENVS_PATH']).toBe('/home/me/poetry/virtualenvs');
  });

  it('keeps everything else: other indexes, which the proxy judges, and roots when nothing needs an authority', () => {
    const given = {
      PATH: '/bin',
      PIP_CERT: '/ca.pem',
      PIP_CONSTRAINT: 'c.txt',
      PIP_EXTRA_INDEX_URL: 'https://other.example/simple/',
      UV_FROZEN: '1',
    };
    expect(environmentFrom(given, { bundlePath: undefined })).toMatchObject(given);
  });

  it('names further trusted indexes, and does not disturb what a uv project says', () => {
    const second = 'https://other.example/simple/';
    const environment = environmentFrom(
      {},
      { simpleUrls: [SIMPLE_URL, second], keepsUvConfiguration: true, hasUvDefault: true },
    );
    expect(environment).toMatchObject({ PIP_EXTRA_INDEX_URL: second, UV_INDEX: second });
    expect(environment).not.toHaveProperty('UV_NO_CONFIG');
    expect(environment).not.toHaveProperty('UV_DEFAULT_INDEX');
  });

  it('keeps git from other ways than http while unknown hosts are refused', () => {
    expect(environmentFrom({ GIT_CONFIG_COUNT: '2' })).toMatchObject({
      GIT_ALLOW_PROTOCOL: 'file:http:https',
      GIT_CONFIG_COUNT: '3',
      GIT_CONFIG_KEY_2: 'http.proxy',
    });
    expect(environmentFrom({}, { refusesUnknownHosts: false })).not.toHaveProperty('GIT_ALLOW_PROTOCOL');
  });
});
