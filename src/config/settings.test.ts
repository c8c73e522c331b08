import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError } from './error.ts';
import { loadSettings, type SettingsSources } from './load.ts';
import { renderConfigurationPage } from './page.ts';
import { everyKey, variableOf } from './settings.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rind-config-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function written(text: string): Promise<string> {
  const path = join(folder, 'rind.toml');
  await writeFile(path, text);
  return path;
}

async function load(text: string, more: Partial<SettingsSources> = {}) {
  return loadSettings({ file: await written(text), environment: {}, ...more });
}

async function problemsOf(text: string, more: Partial<SettingsSources> = {}): Promise<readonly string[]> {
  const error = await load(text, more).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ConfigError);
  return error instanceof ConfigError ? error.problems.map((line) => line.replace(folder, '…')) : [];
}

it('without any file the defaults hold', async () => {
  const { settings, file } = await loadSettings({ environment: {}, commandLine: { 'server.data': folder } });
  expect(file).toBeUndefined();
  expect(settings.server).toMatchObject({ host: '127.0.0.1', port: 8458, 'trusted-proxies': [] });
  expect(settings.server['public-url']).toBeUndefined();
  expect(settings.limits['cache-size']).toBe(128 * 1024 ** 2);
  expect(settings.gc.interval).toBe(15 * 60_000);
});

it('takes rind.toml of the data folder, RIND_CONFIG before it, --config before both', async () => {
  await written('[server]\nport = 1\n');
  const other = join(folder, 'other.toml');
  await writeFile(other, '[server]\nport = 2\n');
  const third = join(folder, 'third.toml');
  await writeFile(third, '[server]\nport = 3\n');
  const port = async (sources: SettingsSources) => (await loadSettings(sources)).settings.server.port;
  const commandLine = { 'server.data': folder };
  expect(await port({ environment: {}, commandLine })).toBe(1);
  expect(await port({ environment: { RIND_SERVER_DATA: folder } })).toBe(1);
  expect(await port({ environment: { RIND_CONFIG: other }, commandLine })).toBe(2);
  expect(await port({ file: third, environment: { RIND_CONFIG: other }, commandLine })).toBe(3);
});

it('the command line wins over the environment, the environment over the file', async () => {
  const text = '[server]\nport = 1000\nhost = "10.0.0.1"\npublic-url = "https://a.example/x"\n';
  const environment = { RIND_SERVER_PORT: '2000', RIND_SERVER_HOST: '10.0.0.2', RIND_GC_INTERVAL: '' };
  const { settings, origins } = await load(text, { environment, commandLine: { 'server.port': 3000 } });
  expect(settings.server).toMatchObject({
    port: 3000,
    host: '10.0.0.2',
    'public-url': 'https://a.example/x/',
  });
  expect(origins.get('server.port')).toBe('command line');
  expect(origins.get('server.host')).toBe('environment');
  expect(origins.get('server.public-url')).toBe('file');
  expect(origins.get('gc.interval')).toBe('default');
});

it('reads lists and issuers from the environment too', async () => {
  const environment = {
    RIND_SERVER_TRUSTED_PROXIES: '10.0.0.0/8, ::1',
    RIND_PUBLISHING_ISSUERS: 'claims=https://ci.example',
    RIND_UPLOADS_LINUX_WHEELS: 'false',
  };
  const { settings } = await load('', { environment });
  expect(settings.server['trusted-proxies']).toEqual(['10.0.0.0/8', '::1']);
  expect(settings.publishing.issuers).toEqual([{ kind: 'claims', url: 'https://ci.example' }]);
  expect(settings.uploads['linux-wheels']).toBe(false);
});

describe('what is wrong is said with file, line, key and the way out', () => {
  it.each([
    [
      '[server]\n\nport = "http"\n',
      '…/rind.toml, line 3: server.port is no number from 0 to 65535: write one without quotation marks.',
    ],
    [
      '[server]\nprot = 1\n',
      '…/rind.toml, line 2: there is no key server.prot; did you mean port? Write that, or take it out.',
    ],
    [
      '[sever]\nport = 1\n',
      '…/rind.toml, line 1: there is no section sever; did you mean server? Write that, or take it out.',
    ],
    [
      'port = 1\n',
      '…/rind.toml, line 1: port stands outside of every section: write it below one such as [server].',
    ],
    [
      'server = 1\n',
      '…/rind.toml, line 1: server is a section: write [server] on a line, and its keys below.',
    ],
    [
      '[gc]\ninterval = 15\n',
      '…/rind.toml, line 2: gc.interval is no duration: write a number and a unit in quotation marks, such as "30s", "15m", "12h" or "7d".',
    ],
    [
      '[server]\ntrusted-proxies = ["10.0.0.0/33"]\n',
      '…/rind.toml, line 2: server.trusted-proxies is no address and no network: write it such as "10.0.0.1", "10.0.0.0/8" or "fd00::/8".',
    ],
    [
      '[server]\npublic-url = "https://user:secret@x/"\n',
      '…/rind.toml, line 2: server.public-url is no public URL: write one that begins with http:// or https:// and has no user, query or fragment.',
    ],
    [
      '[tls]\ncertificate = "c.pem"\n',
      '…/rind.toml, line 2: tls.certificate is set and tls.key is not: set both or none.',
    ],
    [
      '[expiry]\nbins-lifetime = "7d"\nbins-renewal = "6d"\n',
      '…/rind.toml, line 3: expiry.bins-renewal is more than half of expiry.bins-lifetime: renew earlier, so that there is time to notice a failure.',
    ],
  ])('%j', async (text, sentence) => {
    expect(await problemsOf(text)).toEqual([sentence]);
  });

  it('a document that is no TOML names line and column', async () => {
    const [problem = ''] = await problemsOf('[server]\nhost = nothing\n');
    expect(problem).toMatch(/^…\/rind\.toml, line 2, column \d+: this is no TOML, /);
  });

  it('says all problems at once', async () => {
    expect(await problemsOf('[server]\nport = 1.5\nhots = "x"\n[log]\nlevel = "loud"\n')).toHaveLength(3);
  });

  it('names the variable for the environment, unknown ones included', async () => {
    const environment = { RIND_SERVER_PROT: '1', RIND_LOG_LEVEL: 'loud', RIND_STATE_DIR: '/x' };
    const problems = await problemsOf('', { environment });
    expect(problems).toEqual([
      'RIND_SERVER_PROT: there is no key server.prot; did you mean port? Write that, or take it out.',
      'RIND_LOG_LEVEL: log.level is none of "debug", "info", "warn", "error", "silent": write one of them.',
    ]);
  });

  it('a value is never repeated: it may be a secret at the wrong place', async () => {
    const text = '[reminders]\nwebhook = "canary-4711"\n[heads]\nwebhook = "https://u:canary-4711@x/"\n';
    expect((await problemsOf(text)).join()).not.toContain('canary-4711');
  });
});

it('a file that was asked for must be there, and be text', async () => {
  const file = join(folder, 'absent.toml');
  await expect(loadSettings({ file, environment: {} })).rejects.toThrow('it does not exist');
  const binary = await written('');
  await writeFile(binary, Buffer.from([0x61, 0xff]));
  await expect(loadSettings({ file: binary, environment: {} })).rejects.toThrow('it is not UTF-8');
});

it('hostile keys are only unknown keys', async () => {
  const problems = await problemsOf('[server]\n__proto__ = 1\nconstructor = 2\n["a b"]\nx = 1\n');
  expect(problems).toHaveLength(3);
  expect(Object.hasOwn(Object.prototype, 'port')).toBe(false);
});

it('every default is what its own key accepts, and no two keys share a variable', () => {
  const variables = new Set<string>();
  for (const [section, word, key] of everyKey()) {
    variables.add(variableOf(section, word));
    if (key.standard !== undefined)
      expect(key.kind.schema.safeParse(key.standard).success, `${section}.${word}`).toBe(true);
    expect(key.about, word).toMatch(/[.]$/);
  }
  expect(variables.size).toBe([...everyKey()].length);
});

it('docs/configuration.md is made of the table: npm run config-page', async () => {
  const page = await readFile(join(import.meta.dirname, '../../docs/configuration.md'), 'utf8');
  expect(page).toBe(renderConfigurationPage());
});
