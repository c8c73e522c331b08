import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { InstallerProcess } from './installer-process.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rind-process-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function content(name: string): Promise<string> {
  for (;;) {
    const text = await readFile(join(folder, name), 'utf8').catch(() => '');
    if (text.endsWith('\n')) return text.trim();
    await delay(10);
  }
}

function isRunning(pid: string): Promise<boolean> {
  return readFile(`/proc/${pid}/stat`, 'utf8').then(
    (stat) => !/\) [ZX] /.test(stat),
    () => false,
  );
}

describe('InstallerProcess', () => {
  it('gives the exit code of the command', async () => {
    const installer = InstallerProcess.start('sh', ['-c', 'exit 7'], process.env);
    expect(await installer.ended).toEqual({ exitCode: 7, signal: undefined });
  });

  it('says which signal ended the command', async () => {
    const ending = await InstallerProcess.start('sh', ['-c', 'kill -TERM $$'], process.env).ended;
    expect(ending).toEqual({ exitCode: undefined, signal: 'SIGTERM' });
  });

  it('rejects when there is no such command', async () => {
    const installer = InstallerProcess.start(join(folder, 'no-such-installer'), [], process.env);
    await expect(installer.ended).rejects.toMatchObject({ code: 'ENOENT' });
    await installer.endGroup();
  });

  it.runIf(process.platform === 'linux')(
    'ends a grandchild that ignores SIGTERM and outlives its parent',
    async () => {
      const grandchild = `trap '' TERM; echo $$ > ${folder}/grandchild; while :; do sleep 0.05; done`;
      const child = `sh -c "${grandchild.replaceAll('$', '\\$')}" & echo $! > ${folder}/child; wait`;
      const installer = InstallerProcess.start('sh', ['-c', child], process.env);
      const pid = await content('grandchild');
      expect(await isRunning(pid)).toBe(true);
      await installer.endGroup(200);
      expect(await isRunning(pid)).toBe(false);
      expect((await installer.ended).signal).toBe('SIGTERM');
    },
  );

  it('sends signals on to the command', async () => {
    const script = `trap 'echo hup > ${folder}/got; exit 5' HUP; echo ready > ${folder}/ready; while :; do sleep 0.05; done`;
    const installer = InstallerProcess.start('sh', ['-c', script], process.env);
    await content('ready');
    process.emit('SIGHUP', 'SIGHUP');
    expect((await installer.ended).exitCode).toBe(5);
    expect(await content('got')).toBe('hup');
    expect(process.listenerCount('SIGHUP')).toBe(0);
  });
});
