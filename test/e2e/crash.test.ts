import { cp, mkdir, rm } from 'node:fs/promises';
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
import { type UploadAnswer, Uploader } from '../tools/upload.ts';

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

async function upload(server: RindServer, distribution: Distribution): Promise<UploadAnswer> {
  const uploader = new Uploader(server.uploadUrl, server.token);
  try {
    return await uploader.upload(distribution);
  } finally {
    uploader.close();
  }
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
    const seed = Number(process.env['RIND_SEED'] ?? 20_261_122);
    const random = randomNumbers(seed);
    const folder = join(scratch.path, 'random');
    await cp(fresh, folder, { recursive: true });
    const answered: Distribution[] = [];
    const unanswered: Distribution[] = [];
    let made = 0;
    for (let round = 0; round < 8; round += 1) {
      const server = await RindServer.start({ folder });
      const uploader = new Uploader(server.uploadUrl, server.token);
      const keepUploading = async (): Promise<void> => {
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
      const uploads = Array.from({ length: 6 }, keepUploading);
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
        expect(await upload(restarted, distribution), `seed ${seed}`).toMatchObject({ status: 200 });
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

  /** Runs `attempt` for each number, three at a time; `next` gives undefined when there are no more. */
  async function forEachPoint(
    next: () => number | undefined,
    attempt: (k: number) => Promise<void>,
  ): Promise<void> {
    const worker = async (): Promise<void> => {
      for (let k = next(); k !== undefined; k = next()) await attempt(k);
    };
    await Promise.all([worker(), worker(), worker()]);
  }

  /** Starts the server so that it dies before its k-th durable operation; undefined when that is during the start. */
  async function startDoomed(folder: string, k: number): Promise<RindServer | undefined> {
    return RindServer.start({ folder, env: { RIND_FAULT: String(k) } }).catch((error: unknown) => {
      if (error instanceof ServerEndedError && error.signal === 'SIGKILL') return undefined;
      throw error;
    });
  }

  it('before a durable operation of an upload leaves it absent or whole, and the same upload works afterwards', async () => {
    const existing = makeWheel({ name: 'before', version: '1.0' });
    const distribution = makeWheel({ name: 'during', version: '1.0', padding: 3_000 });
    const base = join(scratch.path, 'base');
    await cp(fresh, base, { recursive: true });
    const prepared = await RindServer.start({ folder: base });
    expect(await upload(prepared, existing)).toMatchObject({ status: 200 });
    await prepared.stop();

    // Every second point; RIND_TEST_CRASH_STEP=1 takes them all.
    const step = Number(process.env['RIND_TEST_CRASH_STEP'] ?? 2);
    let k = 1 - step;
    let end = Number.POSITIVE_INFINITY;
    const points: number[] = [];
    const next = (): number | undefined => {
      k += step;
      return k < end ? k : undefined;
    };
    await forEachPoint(next, async (point) => {
      const folder = join(scratch.path, `fault-${point}`);
      await cp(base, folder, { recursive: true });
      const doomed = await startDoomed(folder, point);
      const answer =
        doomed === undefined ? undefined : await upload(doomed, distribution).catch(() => undefined);
      if (answer !== undefined) expect(answer.status, answer.reason).toBe(200);
      // The last operations come after the answer: leave them time to be reached.
      for (let waited = 0; waited < 500 && doomed?.isRunning === true; waited += 20) await sleep(20);
      if (doomed?.isRunning === true) end = Math.min(end, point + 4);
      else points.push(point);
      await doomed?.kill();

      const restarted = await RindServer.start({ folder });
      expect(await isServed(restarted, existing), `k=${point}`).toBe(true);
      const served = await isServed(restarted, distribution);
      if (answer !== undefined) expect(served, `k=${point}: answered 200 and lost`).toBe(true);
      expect(await upload(restarted, distribution), `k=${point}`).toMatchObject({ status: 200 });
      expect(await isServed(restarted, distribution), `k=${point}`).toBe(true);
      await restarted.stop();
      await expectClean(folder);
      await rm(folder, { recursive: true });
    });
    expect(points.length).toBeGreaterThan(10);
    console.log(
      `an upload was killed before ${points.length} operations, the last of them number ${Math.max(...points)}`,
    );
  });

  it('in the middle of the first start does not keep the second from finishing it', async () => {
    const cases = [1, 2, 5, 20, 60, 150, 250, 266, 290];
    let points = 0;
    await forEachPoint(
      () => cases.shift(),
      async (k) => {
        const folder = join(scratch.path, `creation-${k}`);
        const doomed = await startDoomed(folder, k);
        if (doomed === undefined) points += 1;
        await doomed?.kill();
        const server = await RindServer.start({ folder });
        expect(await upload(server, makeWheel({ name: 'first', version: '1.0' })), `k=${k}`).toMatchObject({
          status: 200,
        });
        await server.stop();
        await expectClean(folder);
      },
    );
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
