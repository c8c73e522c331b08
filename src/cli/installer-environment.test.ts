import { devNull } from 'node:os';
import { describe, expect, it } from 'vitest';
import { installerEnvironment } from './installer-environment.ts';

const SIMPLE_URL = 'http://127.0.0.1:1/t/simple/';
const environmentFrom = (environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  installerEnvironment(environment, { simpleUrl: SIMPLE_URL, cacheFolder: '/cache/id' });

describe('installerEnvironment', () => {
  it('leads every installer to the verified index', () => {
    expect(environmentFrom({})).toMatchObject({
      PIP_INDEX_URL: SIMPLE_URL,
      PIP_CONFIG_FILE: devNull,
      UV_DEFAULT_INDEX: SIMPLE_URL,
      UV_NO_CONFIG: '1',
      UV_NO_SOURCES: '1',
      PDM_PYPI_URL: SIMPLE_URL,
      PDM_IGNORE_STORED_INDEX: '1',
      PIPENV_PYPI_MIRROR: SIMPLE_URL,
    });
  });

  it('takes away what would add another index', () => {
    const environment = environmentFrom({
      PIP_INDEX_URL: 'https://evil.example/simple/',
      PIP_EXTRA_INDEX_URL: 'https://evil.example/simple/',
      PIP_FIND_LINKS: '/opt/wheels',
      PIP_NO_INDEX: '1',
      PIP_TRUSTED_HOST: 'evil.example',
      pip_find_links: '/opt/wheels',
      UV_INDEX: 'https://evil.example/simple/',
      UV_FIND_LINKS: '/opt/wheels',
      UV_FROZEN: '1',
      PDM_PYPI_USERNAME: 'somebody',
    });
    expect(JSON.stringify(environment)).not.toMatch(/evil|opt\/wheels|somebody|FROZEN|NO_INDEX/);
  });

  it('gives caches that belong to the trust in one index alone', () => {
    const environment = environmentFrom({
      PIP_CACHE_DIR: '/home/me/.cache/pip',
      UV_CACHE_DIR: '/home/me/.cache/uv',
    });
    for (const name of ['PIP_CACHE_DIR', 'UV_CACHE_DIR', 'PDM_CACHE_DIR', 'PIPENV_CACHE_DIR']) {
      expect(environment[name]).toMatch(/^\/cache\/id\//);
    }
  });

  it('keeps everything else, and the exceptions of a proxy', () => {
    const environment = environmentFrom({
      PATH: '/bin',
      PIP_CERT: '/ca.pem',
      PIP_CONSTRAINT: 'c.txt',
      no_proxy: 'a.example, b.example',
    });
    expect(environment).toMatchObject({ PATH: '/bin', PIP_CERT: '/ca.pem', PIP_CONSTRAINT: 'c.txt' });
    expect(environment['NO_PROXY']).toBe('a.example,b.example,127.0.0.1');
    expect(environmentFrom({ NO_PROXY: '127.0.0.1' })['no_proxy']).toBe('127.0.0.1');
  });
});
