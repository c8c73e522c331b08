import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { takeAway, withFolderLock } from './folder-lock.ts';
import { MetadataDir } from './metadata-dir.ts';

let folder: string;
let dir: MetadataDir;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rind-dir-'));
  dir = new MetadataDir(join(folder, 'a', 'metadata'));
  await dir.prepare();
});

afterEach(() => rm(folder, { recursive: true, force: true }));

const bytes = (text: string) => Buffer.from(text);
const mode = async (path: string) => (await stat(path)).mode & 0o777;

describe('MetadataDir', () => {
  it('is readable and writable by its owner only', async () => {
    await dir.write('timestamp', bytes('x'), { durable: true });
    await dir.writeRoot(3, bytes('r'));
    for (const each of ['', 'root_history', 'tmp']) {
      expect(await mode(join(dir.path, each))).toBe(0o700);
    }
    expect(await mode(join(dir.path, 'timestamp.json'))).toBe(0o600);
    expect(await mode(join(dir.path, 'root_history/3.root.json'))).toBe(0o600);
  });

  it('keeps bytes as they are and gives them back', async () => {
    const odd = Buffer.from([0xff, 0x00, 0x0a, 0x0d]);
    await dir.write('a/b', odd, { durable: false });
    expect(await dir.read('a/b', 100)).toEqual(odd);
    expect(await dir.read('other', 100)).toBeUndefined();
    expect(await dir.readRoot(1, 100)).toBeUndefined();
  });

  it.each([65_535, 65_536, 65_537, 1_000_000])(
    'keeps %i bytes whole, and for its owner only',
    async (size) => {
      const large = Buffer.alloc(size, 'abc');
      for (const durable of [true, false]) {
        await dir.write('targets', large, { durable });
        const kept = (await dir.read('targets', size)) ?? bytes('');
        expect(large.equals(kept)).toBe(true);
      }
      expect(await dir.read('targets', size - 1)).toBeUndefined();
      expect(await mode(join(dir.path, 'targets.json'))).toBe(0o600);
      expect(await readdir(join(dir.path, 'tmp'))).toEqual([]);
    },
  );

  it('does not take for absent what the disk refuses to open', async () => {
    await rm(join(dir.path, 'root_history'), { recursive: true });
    await writeFile(join(dir.path, 'root_history'), '');
    await expect(dir.readRoot(1, 100)).rejects.toMatchObject({ code: 'INPUT_OUTPUT', message: /ENOTDIR/ });
  });

  it('does not read a file that is longer than the limit', async () => {
    await dir.write('timestamp', bytes('12345'), { durable: true });
    expect(await dir.read('timestamp', 4)).toBeUndefined();
    expect(await dir.read('timestamp', 5)).toEqual(bytes('12345'));
  });

  it('leaves nothing but the file', async () => {
    await dir.exclusively(() => dir.write('timestamp', bytes('x'), { durable: true }));
    expect((await readdir(dir.path)).toSorted()).toEqual(['root_history', 'timestamp.json', 'tmp']);
    expect(await readdir(join(dir.path, 'tmp'))).toEqual([]);
  });

  it('removes temporary files of crashes long ago, and only those', async () => {
    await writeFile(join(dir.path, 'tmp', 'old'), '');
    await utimes(join(dir.path, 'tmp', 'old'), 1, 1);
    await writeFile(join(dir.path, 'tmp', 'new'), '');
    await dir.prepare();
    expect(await readdir(join(dir.path, 'tmp'))).toEqual(['new']);
  });

  it('refuses a folder that everybody may write to', async () => {
    await chmod(dir.path, 0o777);
    await expect(dir.prepare()).rejects.toMatchObject({ code: 'INSECURE', path: dir.path });
  });

  it('says which folder cannot be used, and why', async () => {
    await writeFile(join(folder, 'file'), '');
    const blocked = new MetadataDir(join(folder, 'file', 'metadata'));
    await expect(blocked.prepare()).rejects.toMatchObject({
      code: 'INPUT_OUTPUT',
      message: /file\/metadata: .*ENOTDIR/,
    });
    await mkdir(join(dir.path, 'timestamp.json'));
    await expect(dir.read('timestamp', 100_000)).rejects.toMatchObject({ code: 'INPUT_OUTPUT' });
    await expect(dir.write('timestamp', bytes('x'), { durable: true })).rejects.toMatchObject({
      code: 'INPUT_OUTPUT',
    });
    expect(await readdir(join(dir.path, 'tmp'))).toEqual([]);
  });

  it('passes errors of an action on as they are', async () => {
    await expect(dir.exclusively(() => Promise.reject(new RangeError('mine')))).rejects.toThrow(RangeError);
  });
});

describe('the lock of the folder', () => {
  it('lets one action run at a time', async () => {
    let running = 0;
    let most = 0;
    const actions = Array.from({ length: 20 }, () =>
      dir.exclusively(async () => {
        running += 1;
        most = Math.max(most, running);
        await new Promise((resolve) => setTimeout(resolve, 1));
        running -= 1;
      }),
    );
    await Promise.all(actions);
    expect(most).toBe(1);
    expect(await readdir(dir.path)).not.toContain('.lock');
  });

  it('is free again after an action that failed', async () => {
    await expect(dir.exclusively(() => Promise.reject(new Error('x')))).rejects.toThrow('x');
    expect(await dir.exclusively(() => Promise.resolve(1))).toBe(1);
  });

  const machine = () => {
    try {
      return `${hostname()} ${readlinkSync('/proc/self/ns/pid')}`;
    } catch {
      return `${hostname()} `;
    }
  };

  it('of a process that died is taken over', async () => {
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    await writeFile(join(dir.path, '.lock'), JSON.stringify({ machine: machine(), pid, id: 'x' }));
    const actions = Array.from({ length: 5 }, (_, index) => dir.exclusively(() => Promise.resolve(index)));
    expect(await Promise.all(actions)).toEqual([0, 1, 2, 3, 4]);
    expect((await readdir(dir.path)).toSorted()).toEqual(['root_history', 'tmp']);
  });

  it('of a process that lives, or of another machine, is waited for', async () => {
    for (const owner of [
      { machine: machine(), pid: process.pid, id: 'x' },
      { machine: 'elsewhere', pid: 999_999, id: 'x' },
    ]) {
      const text = JSON.stringify(owner);
      await writeFile(join(dir.path, '.lock'), text);
      let isDone = false;
      const action = dir.exclusively(() => Promise.resolve((isDone = true)));
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(isDone).toBe(false);
      expect(await readFile(join(dir.path, '.lock'), 'utf8')).toBe(text);
      await rm(join(dir.path, '.lock'));
      await action;
      expect(isDone).toBe(true);
    }
  });

  it.each(['', 'null', '{}', '{"machine":1,"pid":2}', 'MACHINE"pid":"999999"}'])(
    'with the owner %s is left alone until it is old',
    async (text) => {
      const owner = text.replace('MACHINE', `{"machine":${JSON.stringify(machine())},`);
      await writeFile(join(dir.path, '.lock'), owner);
      const patience = { staleAfter: 10_000, waitAtMost: 30 };
      await expect(withFolderLock(dir.path, () => Promise.resolve(), patience)).rejects.toMatchObject({
        code: 'LOCKED',
      });
      expect(await readFile(join(dir.path, '.lock'), 'utf8')).toBe(owner);
    },
  );

  it('of a process that stopped is taken over after a while', async () => {
    const owner = JSON.stringify({ machine: 'elsewhere', pid: 1, id: 'x' });
    await writeFile(join(dir.path, '.lock'), owner);
    const patience = { staleAfter: 50, waitAtMost: 10_000 };
    expect(await withFolderLock(dir.path, () => Promise.resolve('mine'), patience)).toBe('mine');
    expect(await readdir(dir.path)).not.toContain('.lock');
  });

  it('is not waited for without end', async () => {
    await writeFile(join(dir.path, '.lock'), 'damaged');
    const patience = { staleAfter: 10_000, waitAtMost: 30 };
    await expect(withFolderLock(dir.path, () => Promise.resolve(), patience)).rejects.toMatchObject({
      code: 'LOCKED',
      message: /delete it if there are none/,
    });
    expect(await readFile(join(dir.path, '.lock'), 'utf8')).toBe('damaged');
  });

  it('that somebody took away is not taken away from the next owner', async () => {
    await withFolderLock(dir.path, () => writeFile(join(dir.path, '.lock'), 'the next owner'));
    expect(await readFile(join(dir.path, '.lock'), 'utf8')).toBe('the next owner');
  });

  it('that another process took in between is put back', async () => {
    const path = join(dir.path, '.lock');
    await writeFile(path, 'the next owner');
    takeAway(path, 'the owner that was old');
    expect(await readFile(path, 'utf8')).toBe('the next owner');
    takeAway(path, 'the next owner');
    expect((await readdir(dir.path)).toSorted()).toEqual(['root_history', 'tmp']);
    takeAway(path, 'nobody');
  });

  it('cannot be taken in a folder that is not there', async () => {
    await expect(withFolderLock(join(folder, 'absent'), () => Promise.resolve())).rejects.toThrow(/ENOENT/);
  });
});
