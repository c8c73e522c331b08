import { expect, it } from 'vitest';
import { Admission } from './admission.ts';

it('lets in as many as are allowed, tells the others when to come again, and counts them', () => {
  const admission = new Admission({ maxRequests: 2, maxDelay: 1000 });
  const first = admission.enter();
  admission.enter();
  expect(() => admission.enter()).toThrow(expect.objectContaining({ code: 'BUSY', retryAfter: 1 }));
  expect(admission).toMatchObject({ underWay: 2, refused: 1 });
  first.leave();
  first.leave();
  expect(() => admission.enter()).not.toThrow();
  expect(() => admission.enter()).toThrow('busy');
});

it('has room for others while a request waits for its client, and for so many files on their way', async () => {
  const admission = new Admission({ maxRequests: 1, maxDelay: 1000 });
  let open = (): void => undefined;
  const gate = new Promise<void>((resolve) => (open = resolve));
  const receiving = admission.enter();
  const received = receiving.receive(() => gate);
  const sent: Promise<void>[] = [];
  for (let file = 0; file < 4; file += 1) sent.push(admission.enter().send(() => gate));
  await expect(admission.enter().send(() => gate)).rejects.toMatchObject({ code: 'BUSY' });
  expect(admission.underWay).toBe(0);
  open();
  await Promise.all([received, ...sent]);
  expect(admission.underWay).toBe(1);
  receiving.leave();
  expect(admission.underWay).toBe(0);
});

it('refuses while the process falls behind, not after one pause, and not when it has caught up', () => {
  let now = 0;
  const admission = new Admission({ maxRequests: 10, maxDelay: 1000, now: () => now });
  const lookAfter = (milliseconds: number): void => {
    now += milliseconds;
    admission.look();
  };
  lookAfter(5000);
  expect(() => admission.enter()).not.toThrow();
  lookAfter(5000);
  expect(() => admission.enter()).toThrow('busy');
  lookAfter(100);
  expect(() => admission.enter()).not.toThrow();
});
