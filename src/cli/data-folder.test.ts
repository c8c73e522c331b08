import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDataFolder } from './data-folder.ts';

let parent: string;
let folder: string;
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'rind-data-'));
  folder = join(parent, 'data');
});
afterEach(() => rm(parent, { recursive: true }));

const mode = async (): Promise<number> => (await stat(folder)).mode & 0o777;

describe('the data folder', () => {
  it('is made closed to others, and opened again', async () => {
    await openDataFolder(folder);
    expect(await mode()).toBe(0o700);
    expect((await openDataFolder(folder)).path).toBe(folder);
  });

  it('is made with the folders above it', async () => {
    folder = join(parent, 'a', 'b', 'data');
    await openDataFolder(folder);
    expect(await mode()).toBe(0o700);
  });

  it.runIf(process.platform === 'linux')(
    'where the system makes no folders is refused, with an end',
    async () => {
      await expect(openDataFolder('/proc/rind/data')).rejects.toMatchObject({
        name: 'CliError',
        message: expect.stringMatching(/^The data folder \/proc\/rind\/data cannot be used: /),
      });
    },
  );

  it.each(['nothing', 'lost+found', '.cache'])(
    'with %s in it is taken and closed to others',
    async (name) => {
      await mkdir(name === 'nothing' ? folder : join(folder, name), { recursive: true, mode: 0o755 });
      await openDataFolder(folder);
      expect(await mode()).toBe(0o700);
    },
  );

  it('with the files of somebody else is refused, and nothing is written there', async () => {
    await mkdir(folder, { mode: 0o755 });
    await writeFile(join(folder, 'thesis.tex'), '');
    await expect(openDataFolder(folder)).rejects.toMatchObject({
      name: 'CliError',
      message: `${folder} is not empty and no data folder of rind; nothing was written there.`,
    });
    expect([await readdir(folder), await mode()]).toEqual([['thesis.tex'], 0o755]);
  });

  it('with settings only is taken when others cannot reach it', async () => {
    await mkdir(folder, { mode: 0o700 });
    await writeFile(join(folder, 'rind.toml'), '');
    await openDataFolder(folder);
    expect((await readdir(folder)).sort()).toEqual(['keys', 'rind.toml']);
  });

  it.runIf(process.platform !== 'win32')('with keys that others can reach is refused', async () => {
    await mkdir(join(folder, 'keys'), { recursive: true, mode: 0o755 });
    await expect(openDataFolder(folder)).rejects.toThrow(/can be reached by other users/);
  });
});
