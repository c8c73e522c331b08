import { expect, it } from 'vitest';
import { Admission } from './admission.ts';

it('lets in as many as are allowed, tells the others when to come again, and counts them', () => {
  const admission = new Admission({ maxRequests: 2, maxDelay: 1000 });
  admission.enter();
  admission.enter();
  expect(() => admission.enter()).toThrow(expect.objectContaining({ code: 'BUSY', retryAfter: 1 }));
  expect(admission).toMatchObject({ underWay: 2, refused: 1 });
  admission.leave();
  expect(() => admission.enter()).not.toThrow();
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
