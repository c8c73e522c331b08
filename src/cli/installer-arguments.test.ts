import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { recognizeInstaller, refuseArguments } from './installer-arguments.ts';

async function refusal(line: string, environment: NodeJS.ProcessEnv = {}): Promise<string | undefined> {
  const [command = '', ...args] = line.split(' ');
  return (await refuseArguments(recognizeInstaller(command, args), environment))?.message;
}

describe('recognizeInstaller', () => {
  it('sees pip behind its many names', () => {
    for (const line of [
      'pip install x',
      '/venv/bin/pip3.12 install x',
      'python3 -m pip install x',
      'python -I -mpip install x',
    ]) {
      const [command = '', ...args] = line.split(' ');
      expect(recognizeInstaller(command, args)).toEqual({ tool: 'pip', args: ['install', 'x'] });
    }
    expect(recognizeInstaller('make', ['pip']).tool).toBe('other');
    expect(recognizeInstaller('python', ['setup.py', 'install']).tool).toBe('other');
  });
});

describe('refuseArguments', () => {
  it('lets ordinary commands pass untouched', async () => {
    for (const line of [
      'pip install flask',
      'pip install -U -r missing.txt --pre --no-deps',
      'pip install -qq --require-hashes -c missing.txt flask[async]>=3',
      'pip install --target /tmp/i -e . ./local.whl file:///srv/local.whl',
      'pip install -t if -d f flask',
      'pip show -f flask',
      'pip --version',
      'pip uninstall -y flask',
      'uv pip install flask',
      'uv run pytest -f --index-of https://example.org',
      'uvx ruff check -i',
      'pdm install',
      'make -f other https://example.org',
    ]) {
      expect([line, await refusal(line)]).toEqual([line, undefined]);
    }
  });

  it('lets pass what goes through the proxy: other indexes, direct URLs, locks', async () => {
    for (const line of [
      'pip install -i https://example.org x',
      'pip install -Uihttps://example.org x',
      'pip install --extra-index-url=https://example.org/simple x',
      'pip install --find-links https://example.org/wheels x',
      'pip install --trusted-host example.org x',
      'pip install https://example.org/x.whl',
      'pip install -Uegit+https://example.org/x#egg=x',
      'pip install -r pylock.toml',
      'uv add --default-index https://example.org x',
      'uv add --index acme=https://example.org x',
      'uv sync --frozen',
      'uvx --from git+https://example.org/x tool',
      'poetry install',
    ]) {
      expect([line, await refusal(line)]).toEqual([line, undefined]);
    }
  });

  it('refuses every way around the proxy, also cut short or run together', async () => {
    for (const line of [
      'pip install -f /srv x',
      'pip install -Uf/srv x',
      'pip install -i file:///srv/simple x',
      'pip install --extra-index ../simple x',
      'pip install --find-links=/srv x',
      'pip install --find-links',
      'pip --isolated install x',
      'pip --prox http://example.org install x',
      'python -m pip wheel -f /srv x',
      'uv pip install --index-url file:///srv x',
      'uv add --index acme=/srv x',
      'uv sync --config-file other.toml',
      'uvx --find-links /srv ruff',
    ]) {
      expect([line, await refusal(line)]).toEqual([line, expect.stringContaining('nobody verified')]);
    }
  });

  it('refuses requirements that no proxy sees', async () => {
    for (const line of [
      'pip install ftp://example.org/x.whl',
      'pip install git+ssh://git@example.org/x',
      'pip install git+git@example.org:x',
      'pip install -e git+ssh://example.org/x#egg=x',
      'pip install -Uesvn+https://example.org/x#egg=x',
      'pip install --editable=hg+https://example.org/x',
      'uv pip install x@sftp://example.org/x.whl',
      'uvx --from git+ssh://example.org/x tool',
    ]) {
      expect([line, await refusal(line)]).toEqual([line, expect.stringContaining('over https')]);
    }
  });
});

describe('refuseArguments with requirements files', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rind-requirements-'));
  });
  afterEach(() => rm(folder, { recursive: true }));
  const write = (name: string, text: string): Promise<void> => writeFile(join(folder, name), text);

  it('lets ordinary files pass', async () => {
    await write(
      'a.txt',
      '# see https://example.org\nflask>=3  # https://example.org\n-c b.txt\n--pre\n--only-binary :all:\nx==1 \\\n  --hash=sha256:00\n',
    );
    await write('b.txt', './local.whl\n-r a.txt\n');
    expect(await refusal(`pip install -r ${folder}/a.txt`)).toBeUndefined();
  });

  it('names file and line of what goes around the proxy', async () => {
    const cases: [string, string][] = [
      ['flask\n--extra-index-url file:///srv\n', 'a.txt, line 2: --extra-index-url'],
      ['-i /srv\n', 'a.txt, line 1: -i'],
      ['--find-link=/srv\n', 'a.txt, line 1: --find-links'],
      ['flask \\\n  @ ftp://example.org/x.whl\n', 'a.txt, line 1: flask'],
      ['flask @ ${WHERE}x.whl\n', 'ftp://evil.example/x.whl'],
      ['-e "git+ssh://example.org/x"\n', 'git+ssh'],
    ];
    for (const [text, message] of cases) {
      await write('a.txt', text);
      const found = await refusal(`pip install -r${folder}/a.txt`, { WHERE: 'ftp://evil.example/' });
      expect([text, found]).toEqual([text, expect.stringContaining(message)]);
    }
  });

  it('follows an inclusion that is cut short or hidden behind another option of its line', async () => {
    await write('c.txt', '--extra-index-url file:///srv\n');
    for (const line of [
      '--requirem c.txt',
      '--cons=c.txt',
      '--pre -r c.txt',
      '--no-index --require c.txt -q',
      '-rc.txt',
    ]) {
      await write('a.txt', `flask\n${line}\n`);
      expect([line, await refusal(`pip install -r ${folder}/a.txt`)]).toEqual([
        line,
        expect.stringContaining('c.txt, line 1: --extra-index-url'),
      ]);
    }
    expect(await refusal(`pip install --requir ${folder}/c.txt`)).toContain('c.txt, line 1');
  });

  it('follows files that files include, and those the environment names', async () => {
    await write('a.txt', '-r sub.txt\n');
    await write('sub.txt', '--requirement=c.txt\n');
    await write('c.txt', 'x @ ftp://example.org/x.whl\n');
    expect(await refusal(`pip install --requirement ${folder}/a.txt`)).toContain('c.txt, line 1');
    expect(await refusal('pip install x', { PIP_CONSTRAINT: `${folder}/c.txt` })).toContain('c.txt, line 1');
    expect(await refusal(`pip install -qr ${folder}/a.txt`)).toContain('c.txt, line 1');
  });
});
