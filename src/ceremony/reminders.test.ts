import { describe, expect, it } from 'vitest';
import { remindersDue } from './reminders.ts';

const now = new Date('2026-03-01T12:00:00Z');
const inDays = (days: number) => new Date(now.getTime() + days * 86_400_000);
const role = (days: number) => ({ roles: [{ role: 'root', version: 3, expires: inDays(days) }], events: [] });
const event = (days: number, missing = ['Ada', 'Joan']) => ({
  roles: [],
  events: [{ id: 'ab'.repeat(32), deadline: inDays(days), missing }],
});

describe('remindersDue', () => {
  it('opens the renewal 90 days before an offline role expires, and not a day earlier', () => {
    expect(remindersDue(role(91), now, new Set())).toEqual([]);
    expect(remindersDue(role(90), now, new Set())).toMatchObject([
      {
        key: 'root 3 90',
        urgency: 'notice',
        message: expect.stringMatching(/^root version 3 expires on 2026-05-30, in 90 days: hold a renewal/),
      },
    ]);
  });

  it('grows urgent, tells each step once, and of missed steps only the latest', () => {
    const [first] = remindersDue(role(5), now, new Set());
    expect(first).toMatchObject({ key: 'root 3 7', urgency: 'urgent' });
    expect(remindersDue(role(5), now, new Set(['root 3 7']))).toEqual([]);
    expect(remindersDue(role(2), now, new Set(['root 3 7']))).toMatchObject([{ key: 'root 3 3' }]);
    expect(remindersDue(role(-1), now, new Set())[0]?.message).toContain('expired on 2026-02-28');
  });

  it('names those who have not signed before the window closes, and nobody once all have', () => {
    expect(remindersDue(event(8), now, new Set())).toEqual([]);
    expect(remindersDue(event(3), now, new Set())).toMatchObject([
      {
        urgency: 'warning',
        message: expect.stringMatching(
          /abababababab closes on 2026-03-04, in 3 days; these have not signed: Ada, Joan/,
        ),
      },
    ]);
    expect(remindersDue(event(1, []), now, new Set())).toEqual([]);
  });
});
