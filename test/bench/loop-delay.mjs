// Loaded into a server with --import: on SIGUSR2 writes how late the event loop of its main thread was since the last time, in milliseconds.
import { writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { isMainThread } from 'node:worker_threads';

const file = process.env.RIND_BENCH_LOOP_DELAY;
if (isMainThread && file !== undefined) {
  const RESOLUTION = 5;
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION });
  delay.enable();
  const late = (value) => Math.max(0, value / 1e6 - RESOLUTION);
  process.on('SIGUSR2', () => {
    writeFileSync(
      file,
      JSON.stringify({
        p50: late(delay.percentile(50)),
        p99: late(delay.percentile(99)),
        max: late(delay.max),
      }),
    );
    delay.reset();
  });
}
