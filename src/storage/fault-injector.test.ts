import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { FaultInjector } from './fault-injector.ts';

const SOURCE = fileURLToPath(new URL('./fault-injector.ts', import.meta.url));

describe('FaultInjector', () => {
  it('fails exactly the k-th operation', () => {
    const faults = new FaultInjector(2, 'ENOSPC');
    faults.before('write');
    expect(() => faults.before('sync')).toThrow(expect.objectContaining({ code: 'ENOSPC' }));
    faults.before('sync');
    expect(faults.count).toBe(3);
  });

  it('is absent unless the environment asks for it', () => {
    expect(FaultInjector.fromEnvironment({})).toBeUndefined();
    expect(FaultInjector.fromEnvironment({ RIND_FAULT: '' })).toBeUndefined();
  });

  it.each(['0', '-1', 'x', '1:', '1:EWHAT', '1:EIO:x', '1e3'])('refuses RIND_FAULT=%s', (text) => {
    expect(() => FaultInjector.fromEnvironment({ RIND_FAULT: text })).toThrow(/RIND_FAULT/);
  });

  it('kills the process at the k-th operation, counted over all of its threads', () => {
    const program = `
      import { Worker } from 'node:worker_threads';
      import { FaultInjector } from ${JSON.stringify(SOURCE)};
      const faults = FaultInjector.fromEnvironment();
      faults.before('one');
      const inThread = "import('tsx/esm/api').then((tsx) => tsx.register()).then(() => import(" +
        JSON.stringify(${JSON.stringify(SOURCE)}) + ")).then(({ FaultInjector }) => {" +
        "const faults = FaultInjector.fromEnvironment(); faults.before('two'); faults.before('three'); })";
      await new Promise((resolve) => new Worker(inThread, { eval: true }).once('exit', resolve));
      process.stdout.write(String(faults.count) + ' ');
      faults.before('four');
      process.stdout.write('alive');
    `;
    const run = (fault: string): { readonly signal: string | null; readonly stdout: string } =>
      spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
        env: { ...process.env, RIND_FAULT: fault },
        encoding: 'utf8',
      });
    expect(run('4')).toMatchObject({ signal: 'SIGKILL', stdout: '3 ' });
    expect(run('3')).toMatchObject({ signal: 'SIGKILL', stdout: '' });
    expect(run('5')).toMatchObject({ signal: null, stdout: '3 alive' });
  });
});
