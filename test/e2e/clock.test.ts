import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Metadata } from '../../src/tuf/metadata.ts';
import { makeSdist } from '../tools/distribution.ts';
import { FakeClock, fakeTimeLibrary } from '../tools/fake-time.ts';
import { buildRind, rind, RindServer, scratchFolder } from '../tools/rind-program.ts';
import { whenAvailable } from '../tools/unavailable.ts';
import { Uploader } from '../tools/upload.ts';

const YEARS = 3652;

describe('the clock of the machine is set while the server runs', () => {
  const library = whenAvailable(fakeTimeLibrary);
  let scratch: Awaited<ReturnType<typeof scratchFolder>>;
  let clock: FakeClock;
  let server: RindServer;
  let uploader: Uploader;
  let uploads = 0;

  beforeAll(async () => {
    await buildRind();
    scratch = await scratchFolder('clock');
    clock = await FakeClock.create(library.value, join(scratch.path, 'time'));
    server = await RindServer.start({ folder: join(scratch.path, 'data'), env: clock.environment });
    uploader = new Uploader(server.uploadUrl, server.token);
  });
  afterAll(async () => {
    uploader?.close();
    await server?.stop();
    await scratch?.remove();
  });

  const upload = async () =>
    (await uploader.upload(makeSdist({ name: 'demo', version: `1.${uploads++}` }))).status;

  async function timestamp(): Promise<{ readonly version: number; readonly expires: Date }> {
    const answer = await fetch(`${server.url}metadata/timestamp.json`);
    expect(answer.status).toBe(200);
    return Metadata.fromBytes(new Uint8Array(await answer.arrayBuffer()), 'timestamp').signed;
  }

  it('a day back and forth: it goes on, versions rise and no expiry moves back', async () => {
    expect(await upload()).toBe(200);
    let before = await timestamp();
    for (const days of [-1, 0, 1, 0]) {
      await clock.set(days);
      expect(await upload()).toBe(200);
      const after = await timestamp();
      expect(after.version).toBeGreaterThan(before.version);
      expect(after.expires.getTime(), `${days} days`).toBeGreaterThanOrEqual(before.expires.getTime());
      before = after;
    }
  });

  it.each([-YEARS, YEARS])(
    '%i days: nothing is signed and everything is read until it is right again, then what waits is public',
    async (days) => {
      const before = await timestamp();
      const said = server.output.length;
      await clock.set(days);
      const waiting = upload();
      await expect.poll(() => server.output.slice(said), { timeout: 30_000 }).toContain('CLOCK_STEPPED');
      expect(await timestamp()).toEqual(before);
      expect((await fetch(`${server.url}simple/demo/`)).status).toBe(200);
      await clock.set(0);
      expect(await waiting).toBe(200);
      const after = await timestamp();
      expect(after.version).toBeGreaterThan(before.version);
      expect(after.expires.getTime()).toBeLessThan(Date.now() + 30 * 86_400_000);
    },
  );

  it('started ten years off it serves what is public and signs nothing, and the data is whole afterwards', async () => {
    uploader.close();
    await server.stop();
    await clock.set(-YEARS);
    server = await RindServer.start({ folder: server.folder, env: clock.environment });
    uploader = new Uploader(server.uploadUrl, server.token);
    // Until it was stopped it went on signing anew what the jump had made due.
    const before = await timestamp();
    const waiting = upload();
    await expect.poll(() => server.output, { timeout: 30_000 }).toContain('CLOCK_STEPPED');
    expect(await timestamp()).toEqual(before);
    await clock.set(0);
    expect(await waiting).toBe(200);
    await server.stop();
    const checked = await rind(['fsck', '--data', server.folder]);
    expect(checked.code, checked.output).toBe(0);
  });
});
