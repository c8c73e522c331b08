import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IndexFixture } from '../../test/support/index-fixture.ts';
import { fsck } from './fsck.ts';
import type { Publisher } from './publisher.ts';

let fixture: IndexFixture;
let publisher: Publisher;
let elapsed = 0;
beforeEach(async () => {
  fixture = await IndexFixture.create();
  publisher = fixture.newPublisher(undefined, { elapsed: () => elapsed });
  await publisher.start();
});
afterEach(async () => {
  await publisher.close();
  await fixture.close();
});

/** How many bins the next publication signs, and which changes it takes. */
async function next(): Promise<{ readonly bins: number; readonly changes: number }> {
  const bins = async () => {
    const keys = [...(await fixture.objects('metadata/')).keys()];
    return keys.filter((key) => /\.bin-[0-9a-f]+\.json$/.test(key)).length;
  };
  const before = await bins();
  const publication = await publisher.publishOnce();
  return { bins: (await bins()) - before, changes: publication?.journalIds.length ?? 0 };
}

describe('renewal of all bins beside uploads', () => {
  it('lets uploads go first, in portions that none of them waits long for, and goes on however many there are', async () => {
    fixture.advance(31 * 24);
    await fixture.upload('flask', '1.0');
    const first = await next();
    expect(first.changes).toBe(1);
    expect(first.bins).toBeLessThanOrEqual(3);
    // Nothing waits now, but may at any moment.
    const small = await next();
    expect(small.bins).toBeGreaterThanOrEqual(14);
    expect(small.bins).toBeLessThanOrEqual(16);
    elapsed += 500;
    await fixture.upload('flask', '2.0');
    expect((await next()).bins).toBeLessThanOrEqual(3);
    // Uploads all the time: once in a while they share.
    elapsed += 1000;
    await fixture.upload('flask', '3.0');
    const shared = await next();
    expect(shared.changes).toBe(1);
    expect(shared.bins).toBeGreaterThanOrEqual(14);
    expect(shared.bins).toBeLessThanOrEqual(19);
    // Nobody uploads any more.
    elapsed += 5000;
    expect(await next()).toEqual({ bins: 64, changes: 0 });
    while ((await publisher.publishOnce()) !== undefined);
    expect((await fsck(fixture)).findings).toEqual([]);
  });
});
