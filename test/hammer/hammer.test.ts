import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildRind, RindServer, scratchFolder } from '../tools/rind-program.ts';
import { hammer } from './hammer.ts';

let scratch: Awaited<ReturnType<typeof scratchFolder>>;
let server: RindServer;

beforeAll(async () => {
  await buildRind();
  scratch = await scratchFolder('hammer');
  server = await RindServer.start({ folder: join(scratch.path, 'data') });
});
afterAll(async () => {
  await server.stop();
  await scratch.remove();
});

describe('readers during uploads (the short form of npm run hammer)', () => {
  it('verify whatever they are given: nothing fails, nothing is missing, no version has two contents', async () => {
    const result = await hammer(server, { seconds: 4, rate: 5, readers: 2 });
    expect(result.failures).toEqual([]);
    expect(result.equivocations).toEqual([]);
    expect(result.refusedUploads).toEqual([]);
    expect(result.uploads).toBe(20);
    // How many more depends on the machine.
    expect(result.sessions).toBeGreaterThanOrEqual(2);
    expect(result.targets).toBeGreaterThanOrEqual(4);
    expect(result.versions).toBeGreaterThanOrEqual(5);
  });
});
