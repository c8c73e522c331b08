import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Fetcher } from '../updater/fetcher.ts';
import { WatchedFetcher } from './watched-fetcher.ts';

const MIB = 2 ** 20;

/** Gives as many pieces of a MiB as it is asked for, a second after each other. */
const slow: Fetcher = {
  async *fetch(_url, { maxLength }) {
    for (let length = 0; length < maxLength; length += MIB) {
      vi.advanceTimersByTime(1001);
      yield new Uint8Array(MIB);
    }
  },
};

async function read(bytes: AsyncIterable<Uint8Array>, most = Number.POSITIVE_INFINITY): Promise<number> {
  let length = 0;
  for await (const chunk of bytes) {
    length += chunk.length;
    if (length >= most) break;
  }
  return length;
}

afterEach(() => vi.useRealTimers());

describe('WatchedFetcher', () => {
  it('shows large files while they come, and ends the line when they are there', async () => {
    vi.useFakeTimers();
    const shown: number[][] = [];
    const fetcher = new WatchedFetcher(slow, {
      show: ({ done, total }) => void shown.push([done / MIB, total / MIB]),
    });
    expect(await read(fetcher.fetch('a', { maxLength: 3 * MIB }))).toBe(3 * MIB);
    expect(shown).toEqual([[1, 3], [2, 3], [3, 3], [3, 3]]); // prettier-ignore
  });

  it('ends the line also when the file is cut off', async () => {
    vi.useFakeTimers();
    const shown: number[][] = [];
    const fetcher = new WatchedFetcher(slow, {
      show: ({ done, total }) => void shown.push([done / MIB, total / MIB]),
    });
    await read(fetcher.fetch('a', { maxLength: 3 * MIB }), MIB);
    expect(shown.at(-1)).toEqual([3, 3]);
  });

  it('says nothing about pages, metadata and what has no length', async () => {
    vi.useFakeTimers();
    const shown: unknown[] = [];
    const fetcher = new WatchedFetcher(slow, { show: (state) => void shown.push(state) });
    await read(fetcher.fetch('a', { maxLength: 3 * MIB, compressible: true }));
    await read(fetcher.fetch('a', { maxLength: 1000 }));
    await read(fetcher.fetch('a', { maxLength: Number.MAX_SAFE_INTEGER }), MIB);
    expect(shown).toEqual([]);
  });
});
