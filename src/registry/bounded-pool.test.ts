import { describe, expect, it } from 'vitest';
import { BoundedPool } from './bounded-pool.ts';

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}

describe('BoundedPool', () => {
  it('runs no more tasks at a time than it was told, and all of them in the end', async () => {
    const pool = new BoundedPool({ concurrency: 2, queueLength: 10 });
    let running = 0;
    let most = 0;
    await Promise.all(
      Array.from({ length: 10 }, () =>
        pool.run(async () => {
          most = Math.max(most, ++running);
          await new Promise((resolve) => setImmediate(resolve));
          running -= 1;
        }),
      ),
    );
    expect(most).toBe(2);
    expect(running).toBe(0);
  });

  it('turns away whoever comes when the queue is full, and takes tasks again afterwards', async () => {
    const pool = new BoundedPool({ concurrency: 1, queueLength: 1 });
    const gate = deferred();
    const first = pool.run(() => gate.promise);
    const second = pool.run(() => Promise.resolve('second'));
    await expect(pool.run(() => Promise.resolve())).rejects.toMatchObject({ code: 'BUSY', retryAfter: 5 });
    gate.resolve();
    await first;
    expect(await second).toBe('second');
    expect(await pool.run(() => Promise.resolve('third'))).toBe('third');
  });

  it('frees the place of a task that fails', async () => {
    const pool = new BoundedPool({ concurrency: 1, queueLength: 1 });
    await expect(pool.run(() => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    expect(await pool.run(() => Promise.resolve('next'))).toBe('next');
  });
});
