import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { acquireStoreLock } from './store-lock.ts';

const SOURCE = fileURLToPath(new URL('./store-lock.ts', import.meta.url));

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rind-lock-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

describe('acquireStoreLock', () => {
  it('lets one holder in, and the next when it is released', async () => {
    const lock = await acquireStoreLock(folder);
    await expect(acquireStoreLock(folder)).rejects.toMatchObject({
      code: 'STORE_LOCKED',
      message: expect.stringContaining('stop it first') as string,
    });
    lock.release();
    lock.release();
    (await acquireStoreLock(folder)).release();
    expect(await readdir(folder)).toEqual(['publisher.lock']);
  });

  it('still holds against other processes after this one tried a second time', async () => {
    const lock = await acquireStoreLock(folder);
    await expect(acquireStoreLock(folder)).rejects.toMatchObject({ code: 'STORE_LOCKED' });
    const program = `
      import { acquireStoreLock } from ${JSON.stringify(SOURCE)};
      await acquireStoreLock(${JSON.stringify(folder)}).catch((error) => process.stdout.write(error.code));
    `;
    const other = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program]);
    const [output] = (await once(other.stdout, 'data')) as [Buffer];
    expect(String(output)).toBe('STORE_LOCKED');
    lock.release();
  });

  it('locks each folder for itself', async () => {
    const other = await mkdtemp(join(tmpdir(), 'rind-lock-'));
    const locks = [await acquireStoreLock(folder), await acquireStoreLock(other)];
    for (const lock of locks) lock.release();
    await rm(other, { recursive: true });
  });

  it('holds against other processes, and a killed process holds nothing', async () => {
    const program = `
      import { acquireStoreLock } from ${JSON.stringify(SOURCE)};
      await acquireStoreLock(${JSON.stringify(folder)});
      process.stdout.write('locked');
      setInterval(() => undefined, 1000);
    `;
    const holder = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program]);
    await once(holder.stdout, 'data');
    await expect(acquireStoreLock(folder)).rejects.toMatchObject({ code: 'STORE_LOCKED' });
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    (await acquireStoreLock(folder)).release();
  });

  it('says what is wrong when the folder is not there', async () => {
    await expect(acquireStoreLock(join(folder, 'no'))).rejects.toMatchObject({ code: 'OPEN_FAILED' });
  });
});
