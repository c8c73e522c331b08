import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cleanEnvironment, run } from '../tools/process.ts';
import { checkout } from '../tools/rind-program.ts';

describe('npm run bench', () => {
  it('measures uploads, finds that a 200 means signed and visible, and leaves a store that fsck accepts', async () => {
    const args = [join(checkout, 'scripts', 'bench.mjs'), '--quick', '--only=uploads'];
    const finished = await run(process.execPath, args, { cwd: checkout, env: cleanEnvironment() });
    expect(finished.code, finished.output).toBe(0);
    for (const row of ['in batches, 64 connections', 'one by one', 'at 20 a second']) {
      expect(finished.stdout).toMatch(new RegExp(`\\| ${row} +\\| +\\d+ +\\| [\\d.]+ ms +\\| [\\d.]+ ms`));
    }
    expect(finished.stdout).toContain('fsck finds nothing wrong afterwards');
  });
});
