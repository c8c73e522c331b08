import { chmod, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FileChanges } from './file-changes.ts';
import { installerSettings } from './installer-settings.ts';
import { lineDifference } from './line-difference.ts';

let folder: string;
let changes: FileChanges;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rind-changes-'));
  changes = new FileChanges(join(folder, 'state'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('FileChanges', () => {
  it('puts back every byte and the mode, also after a second change', async () => {
    const path = join(folder, 'pip.conf');
    const bytes = Buffer.from([0xff, 0x00, 0x0d, 0x0a, 0x20]);
    await writeFile(path, bytes);
    await chmod(path, 0o640);
    await changes.replace(path, 'one');
    await changes.replace(path, 'two');
    expect(await readFile(path, 'utf8')).toBe('two');
    expect(await changes.undo()).toEqual([{ path, outcome: 'restored' }]);
    expect(await readFile(path)).toEqual(bytes);
    expect((await stat(path)).mode & 0o777).toBe(0o640);
    expect(await changes.undo()).toEqual([]);
  });

  it('lets nobody else read the secret path in a pip.conf that others could read before', async () => {
    const path = join(folder, 'pip.conf');
    await writeFile(path, 'mine');
    await chmod(path, 0o644);
    for (const content of ['http://127.0.0.1:1/secret/', 'http://127.0.0.1:2/secret/']) {
      await changes.replace(path, content);
      expect((await stat(path)).mode & 0o777).toBe(0o600);
    }
    await changes.undo();
    expect((await stat(path)).mode & 0o777).toBe(0o644);
  });

  it('removes what was not there before', async () => {
    const path = join(folder, 'new', 'uv.toml');
    await changes.replace(path, 'x');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await changes.undo()).toEqual([{ path, outcome: 'removed' }]);
    expect(existsSync(path)).toBe(false);
  });

  it('leaves alone what somebody changed since, and still knows it afterwards', async () => {
    const path = join(folder, 'pip.conf');
    await writeFile(path, 'mine');
    await changes.replace(path, 'rind');
    await writeFile(path, 'mine again');
    await expect(changes.replace(path, 'other')).rejects.toThrow('was changed since');
    expect(await changes.undo()).toEqual([{ path, outcome: 'changed-since' }]);
    expect(await readFile(path, 'utf8')).toBe('mine again');
    await writeFile(path, 'rind');
    expect(await changes.undo()).toEqual([{ path, outcome: 'restored' }]);
    expect(await readFile(path, 'utf8')).toBe('mine');
  });

  it('changes what a link points to and leaves the link', async () => {
    await mkdir(join(folder, 'dotfiles'));
    const [real, link] = [join(folder, 'dotfiles', 'pip.conf'), join(folder, 'pip.conf')];
    await writeFile(real, 'mine');
    await symlink(real, link);
    await changes.replace(link, 'rind');
    expect(await readFile(real, 'utf8')).toBe('rind');
    await changes.undo();
    expect(await readFile(link, 'utf8')).toBe('mine');
  });

  it('keeps what was before from other users, since it can hold passwords', async () => {
    await writeFile(join(folder, 'pip.conf'), 'index-url = https://me:secret@host/');
    await changes.replace(join(folder, 'pip.conf'), 'x');
    expect((await stat(join(folder, 'state'))).mode & 0o777).toBe(0o700);
    expect((await stat(join(folder, 'state', 'changes.json'))).mode & 0o777).toBe(0o600);
  });
});

describe('the settings of installers', () => {
  const url = 'http://127.0.0.1:4000/token/simple/';
  const [pip, uv, pdm] = installerSettings({}, '/home/me');

  it('are found where the tools look for them', () => {
    expect([pip, uv, pdm].map((each) => each?.path)).toEqual([
      '/home/me/.config/pip/pip.conf',
      '/home/me/.config/uv/uv.toml',
      '/home/me/.config/pdm/config.toml',
    ]);
    const moved = installerSettings({ XDG_CONFIG_HOME: '/x', PIP_CONFIG_FILE: '/p.conf' }, '/home/me');
    expect(moved.map(({ path }) => path)).toEqual(['/p.conf', '/x/uv/uv.toml', '/x/pdm/config.toml']);
  });

  it('keep everything but what goes around the index (pip)', () => {
    const before = [
      '# mine',
      '[global]',
      'timeout = 60',
      'extra-index-url =',
      '    https://a.example/',
      '    https://b.example/',
      '[install]',
      'find_links = /srv',
      'pre = yes',
    ];
    expect(pip?.edit(`${before.join('\n')}\n`, url).split('\n')).toEqual([
      '# mine',
      '[global]',
      `index-url = ${url}`,
      'proxy = http://127.0.0.1:4000',
      'timeout = 60',
      '# rind: extra-index-url =',
      '# rind:     https://a.example/',
      '# rind:     https://b.example/',
      '[install]',
      '# rind: find_links = /srv',
      'pre = yes',
      '',
    ]);
    expect(pip?.edit('', url)).toBe(`[global]\nindex-url = ${url}\nproxy = http://127.0.0.1:4000\n`);
  });

  it('take out an extra index that is written as --extra-index-url or indented (pip)', () => {
    const edited = (text: string): string => pip?.edit(text, url) ?? '';
    expect(edited('[global]\n--extra-index-url = https://evil.example/\n')).toBe(
      `[global]\nindex-url = ${url}\nproxy = http://127.0.0.1:4000\n# rind: --extra-index-url = https://evil.example/\n`,
    );
    expect(
      edited('[global]\n  extra_index_url: https://evil.example/\n  # x\n     https://worse.example/\n'),
    ).toBe(
      `[global]\n  index-url = ${url}\n  proxy = http://127.0.0.1:4000\n# rind:   extra_index_url: https://evil.example/\n  # x\n# rind:      https://worse.example/\n`,
    );
    // Nothing of another option becomes part of ours, and nothing of ours part of another.
    expect(edited('[global]\n  timeout = 5\n  find-links = /srv\nretries = 1\n')).toBe(
      `[global]\n  index-url = ${url}\n  proxy = http://127.0.0.1:4000\n  timeout = 5\n# rind:   find-links = /srv\nretries = 1\n`,
    );
    expect(edited('[GLOBAL]\ntimeout = 5\n')).toBe(
      `[GLOBAL]\ntimeout = 5\n\n[global]\nindex-url = ${url}\nproxy = http://127.0.0.1:4000\n`,
    );
    expect(edited('[global]\ntimeout =\n  index-url = 5\n')).toContain('\n  index-url = 5\n');
  });

  it('keep everything but what goes around the index (uv, pdm)', () => {
    expect(uv?.edit('# mine\npreview = true\n', url)).toBe(
      `# mine\npreview = true\n\n[[index]]\nname = "rind"\nurl = "${url}"\ndefault = true\n`,
    );
    const replaced = uv?.edit('preview = true\nextra-index-url = ["https://evil.example/"]\n', url);
    expect(replaced).toContain('preview = true');
    expect(replaced).not.toContain('evil');
    const project = pdm?.edit(
      'theme = "x"\n[pypi]\nurl = "a"\nverify_ssl = true\n[pypi.evil]\nurl = "b"\n',
      url,
    );
    expect(project).toContain(`url = "${url}"`);
    expect(project).toContain('verify_ssl = true');
    expect(project).not.toContain('evil');
    expect(() => uv?.edit('[[[', url)).toThrow('is not TOML');
  });

  it('are shown line by line', () => {
    expect(lineDifference('a\nb\nc\n', 'a\nx\nc\nd\n')).toEqual(['  a', '- b', '+ x', '  c', '+ d']);
    expect(lineDifference('', 'a\n')).toEqual(['+ a']);
  });
});
