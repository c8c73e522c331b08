import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Distribution, makeSdist, makeWheel } from '../tools/distribution.ts';
import { createVirtualEnvironment, pythonTools } from '../tools/python-tools.ts';
import {
  buildRind,
  rind,
  RindClient,
  RindServer,
  scratchFolder,
  ServerEndedError,
} from '../tools/rind-program.ts';
import { whenAvailable } from '../tools/unavailable.ts';
import { Uploader } from '../tools/upload.ts';

const jsonPage = 'application/vnd.pypi.simple.v1+json';

/** A pseudo-random number in [0, 1) from a seed, so that a failing run can be repeated. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return state / 0x80000000;
  };
}

async function expectClean(folder: string): Promise<void> {
  const checked = await rind(['fsck', '--data', folder]);
  expect(checked.code, checked.output).toBe(0);
}

/** Whether the index lists a distribution; if so, its bytes must be whole. */
async function isServed(server: RindServer, { filename, name, bytes }: Distribution): Promise<boolean> {
  const answer = await fetch(`${server.url}simple/${name}/`, { headers: { accept: jsonPage } });
  if (answer.status === 404) return false;
  const { files } = (await answer.json()) as { files: { filename: string; url: string }[] };
  const listed = files.find((file) => file.filename === filename);
  if (listed === undefined) return false;
  const served = await fetch(new URL(listed.url, `${server.url}simple/${name}/`));
  expect(served.status).toBe(200);
  expect(Buffer.from(await served.arrayBuffer()).equals(bytes)).toBe(true);
  return true;
}

describe('kill -9 of the server', () => {
  const tools = whenAvailable(pythonTools);
  let scratch: Awaited<ReturnType<typeof scratchFolder>>;
  /** A data folder as the first start leaves it. */
  let fresh: string;

  beforeAll(async () => {
    await buildRind();
    scratch = await scratchFolder('crash');
    fresh = join(scratch.path, 'fresh');
    const server = await RindServer.start({ folder: fresh });
    await server.stop();
  });

  afterAll(async () => {
    await scratch?.remove();
  });

  it('at random moments under parallel uploads loses nothing that was answered 200, and fsck is clean each time', async () => {
    const seed = Number(process.env['RIND_TEST_SEED'] ?? Date.now() & 0x7fffffff);
    const random = randomNumbers(seed);
    const folder = join(scratch.path, 'random');
    await cp(fresh, folder, { recursive: true });
    const answered: Distribution[] = [];
    const unanswered: Distribution[] = [];
    let made = 0;
    for (let round = 0; round < 8; round += 1) {
      const server = await RindServer.start({ folder });
      const uploader = new Uploader(server.uploadUrl, server.token);
      const upload = async (): Promise<void> => {
        while (server.isRunning) {
          made += 1;
          const padding = Math.floor(random() * 40_000);
          // sdists of few projects with many releases: the same pages and bins are rewritten again and again.
          const distribution =
            made % 3 === 0
              ? makeSdist({ name: `crash-${made % 7}`, version: `1.${made}`, padding })
              : makeWheel({ name: `crash-wheel-${made}`, version: '1.0', padding });
          const answer = await uploader.upload(distribution).catch(() => undefined);
          expect(answer === undefined ? 200 : answer.status, answer?.reason).toBe(200);
          (answer === undefined ? unanswered : answered).push(distribution);
        }
      };
      const uploads = Array.from({ length: 6 }, upload);
      await sleep(30 + random() * 900);
      await server.kill();
      await Promise.all(uploads);
      uploader.close();
      const restarted = await RindServer.start({ folder });
      for (const distribution of answered) {
        expect(
          await isServed(restarted, distribution),
          `seed ${seed}: ${distribution.filename} is lost`,
        ).toBe(true);
      }
      // Absent or whole, and taken when it is sent again.
      for (const distribution of unanswered.splice(0)) {
        await isServed(restarted, distribution);
        const again = new Uploader(restarted.uploadUrl, restarted.token);
        expect(await again.upload(distribution), `seed ${seed}`).toMatchObject({ status: 200 });
        again.close();
        answered.push(distribution);
      }
      await restarted.stop();
      await expectClean(folder);
    }
    console.log(`${answered.length} uploads were answered 200 over 8 kills (seed ${seed})`);

    const server = await RindServer.start({ folder });
    const home = join(scratch.path, 'home');
    await mkdir(home);
    const client = new RindClient(home, tools.value.bin);
    expect(await client.trust(server)).toMatchObject({ code: 0 });
    // Each wheel is a project of its own, so that one install takes them all.
    const wheels = answered
      .filter(({ kind }) => kind === 'wheel')
      .map(({ name, version }) => `${name}==${version}`);
    const python = join(await createVirtualEnvironment(join(home, 'venv'), { withPip: false }), 'python');
    const finished = await client.run([
      'pip',
      '--python',
      python,
      'install',
      '--no-deps',
      '--no-compile',
      ...wheels,
    ]);
    expect(finished.code, finished.output).toBe(0);
    expect(finished.output).toContain('Successfully installed');
    await server.stop();
  });

  it('before each durable operation of an upload leaves it absent or whole, and the same upload works afterwards', async () => {
    const existing = makeWheel({ name: 'before', version: '1.0' });
    const base = join(scratch.path, 'base');
    await cp(fresh, base, { recursive: true });
    const prepared = await RindServer.start({ folder: base });
    const first = new Uploader(prepared.uploadUrl, prepared.token);
    expect(await first.upload(existing)).toMatchObject({ status: 200 });
    first.close();
    await prepared.stop();

    let points = 0;
    for (let k = 1; ; k += 1) {
      const folder = join(scratch.path, `fault-${k}`);
      await cp(base, folder, { recursive: true });
      const distribution = makeWheel({ name: 'during', version: '1.0', padding: 3_000 });
      const server = await RindServer.start({ folder, env: { RIND_FAULT: String(k) } }).catch(
        (error: unknown) => {
          if (error instanceof ServerEndedError) return undefined;
          throw error;
        },
      );
      let answered = false;
      if (server !== undefined) {
        const uploader = new Uploader(server.uploadUrl, server.token);
        const answer = await uploader.upload(distribution).catch(() => undefined);
        uploader.close();
        answered = answer?.status === 200;
        if (answer !== undefined) expect(answer.status, answer.reason).toBe(200);
        // The last operations come after the answer: leave them time to be reached.
        for (let waited = 0; waited < 300 && server.isRunning; waited += 20) await sleep(20);
      }
      const survived = server?.isRunning === true;
      await server?.kill();
      if (!survived) points += 1;

      const restarted = await RindServer.start({ folder });
      expect(await isServed(restarted, existing), `k=${k}`).toBe(true);
      const served = await isServed(restarted, distribution);
      if (answered) expect(served, `k=${k}: answered 200 and lost`).toBe(true);
      const uploader = new Uploader(restarted.uploadUrl, restarted.token);
      expect(await uploader.upload(distribution), `k=${k}`).toMatchObject({ status: 200 });
      uploader.close();
      expect(await isServed(restarted, distribution), `k=${k}`).toBe(true);
      await restarted.stop();
      await expectClean(folder);
      if (survived) break;
    }
    expect(points).toBeGreaterThan(5);
    console.log(`an upload was killed at ${points} points`);
  });

  it('in the middle of the first start does not keep the second from finishing it', async () => {
    const cases = [1, 2, 3, 5, 8, 20, 60, 150, 250, 262, 266, 270];
    let points = 0;
    for (const k of cases) {
      const folder = join(scratch.path, `creation-${k}`);
      const started = await RindServer.start({ folder, env: { RIND_FAULT: String(k) } }).catch(
        (error: unknown) => {
          if (error instanceof ServerEndedError) return undefined;
          throw error;
        },
      );
      if (started === undefined) points += 1;
      await started?.kill();
      const server = await RindServer.start({ folder });
      const uploader = new Uploader(server.uploadUrl, server.token);
      expect(await uploader.upload(makeWheel({ name: 'first', version: '1.0' })), `k=${k}`).toMatchObject({
        status: 200,
      });
      uploader.close();
      await server.stop();
      await expectClean(folder);
    }
    expect(points).toBeGreaterThan(5);
  });

  it('frees the store for the next process, while a second process beside the first is refused', async () => {
    const folder = join(scratch.path, 'locked');
    await cp(fresh, folder, { recursive: true });
    const first = await RindServer.start({ folder });
    const second = await RindServer.start({ folder }).catch((error: unknown) => error);
    expect(second).toBeInstanceOf(ServerEndedError);
    expect((second as ServerEndedError).code).toBe(1);
    expect((second as ServerEndedError).message).toMatch(/error: .*(another|already|in use)/i);
    expect(first.isRunning).toBe(true);
    await first.kill();
    const third = await RindServer.start({ folder });
    expect(third.fingerprint).toBe(first.fingerprint);
    await third.stop();
  });
});
