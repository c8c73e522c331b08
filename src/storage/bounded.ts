/** More at once only queue up in the thread pool and hold open files. */
const AT_ONCE = 16;

/** Runs `work` over all items, some at once. The first failure stops what has not begun, and is thrown when all that has begun has ended. */
export async function eachBounded<T>(
  items: readonly T[],
  work: (item: T, index: number) => Promise<void>,
): Promise<void> {
  const queue = items.entries();
  let failed = false;
  const run = async (): Promise<void> => {
    for (const [index, item] of queue) {
      if (failed) return;
      try {
        await work(item, index);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const runs = await Promise.allSettled(Array.from({ length: Math.min(AT_ONCE, items.length) }, run));
  for (const result of runs) if (result.status === 'rejected') throw result.reason;
}
