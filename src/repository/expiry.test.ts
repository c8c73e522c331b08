import { describe, expect, it } from 'vitest';
import { dueRoles, expiryFrom, nextRenewal, renewalTime } from './expiry.ts';
import { expirySettingsOf, requireSoundWindows, type ExpirySettings } from './expiry-settings.ts';
import { PYPI_PROFILE, TEAM_PROFILE } from './profile.ts';

const TEAM = expirySettingsOf(TEAM_PROFILE);

const HOUR = 3_600_000;
const SIGNED = new Date('2026-01-01T00:00:00Z');
const after = (hours: number) => new Date(SIGNED.getTime() + hours * HOUR);
const bins = Array.from({ length: 256 }, (_, index) => ({
  role: `bin-${index.toString(16).padStart(2, '0')}`,
  version: 1,
  signedAt: SIGNED,
}));

describe('renewalTime', () => {
  it('renews timestamp and snapshot exactly after the renewal period', () => {
    for (const role of ['timestamp', 'snapshot']) {
      expect(renewalTime({ role, version: 4, signedAt: SIGNED }, TEAM)).toEqual(after(24));
    }
  });

  it('spreads bins that were signed together over half of the period, never past it', () => {
    const times = bins.map((bin) => renewalTime(bin, TEAM).getTime());
    for (const time of times) {
      expect(time).toBeGreaterThan(after(12).getTime());
      expect(time).toBeLessThanOrEqual(after(24).getTime());
    }
    const hours = new Set(times.map((time) => Math.floor((time - SIGNED.getTime()) / HOUR)));
    expect(hours.size).toBe(12);
  });

  it('moves a bin to another place with each version', () => {
    const first = renewalTime({ role: 'bin-00', version: 1, signedAt: SIGNED }, TEAM);
    const second = renewalTime({ role: 'bin-00', version: 2, signedAt: SIGNED }, TEAM);
    expect(first).not.toEqual(second);
  });
});

describe('dueRoles', () => {
  it('asks for nothing while nothing is due', () => {
    expect(dueRoles(bins, TEAM, after(11))).toEqual([]);
  });

  it('takes along what would be due within the hour, and not more', () => {
    const now = after(14);
    const due = dueRoles(bins, TEAM, now);
    expect(due.length).toBeGreaterThan(10);
    expect(due.length).toBeLessThan(200);
    for (const bin of bins) {
      const soon = renewalTime(bin, TEAM) <= after(15);
      expect(due.includes(bin.role)).toBe(soon);
    }
  });

  it('gives the most urgent first when it may not give all', () => {
    const times = new Map(bins.map((bin) => [bin.role, renewalTime(bin, TEAM).getTime()]));
    const due = dueRoles(bins, TEAM, after(20), 10);
    const sorted = [...times].toSorted(([, a], [, b]) => a - b).map(([role]) => role);
    expect(due).toEqual(sorted.slice(0, 10));
  });

  it('has everything due after the period', () => {
    expect(dueRoles(bins, TEAM, after(24))).toHaveLength(256);
  });
});

describe('windows that differ', () => {
  const settings: ExpirySettings = {
    ...TEAM,
    timestamp: { lifetime: 24 * HOUR, renewal: 6 * HOUR },
    snapshot: { lifetime: 48 * HOUR, renewal: 20 * HOUR },
  };
  const all = ['timestamp', 'snapshot'].map((role) => ({ role, version: 1, signedAt: SIGNED }));

  it('sign timestamp and snapshot each by its own, and take no bin along', () => {
    expect(dueRoles([...all, ...bins], settings, after(6))).toEqual(['timestamp']);
    const fresh = bins.map((bin) => ({ ...bin, signedAt: after(20) }));
    expect(dueRoles([...all, ...fresh], settings, after(20))).toEqual(['timestamp', 'snapshot']);
  });

  it('are refused when a renewal comes in the second half of a lifetime', () => {
    expect(() => requireSoundWindows(settings)).not.toThrow();
    expect(() => requireSoundWindows(expirySettingsOf(PYPI_PROFILE))).not.toThrow();
    const late = { ...settings, snapshot: { lifetime: 24 * HOUR, renewal: 13 * HOUR } };
    expect(() => requireSoundWindows(late)).toThrow('snapshot last');
    const never = { ...settings, bins: { lifetime: 24 * HOUR, renewal: 0 } };
    expect(() => requireSoundWindows(never)).toThrow('bins last');
  });
});

describe('a signature from a far future', () => {
  it('is replaced at once: it would last too long', () => {
    const [first, ...others] = bins.slice(0, 10);
    if (first === undefined) throw new Error('no bin');
    const far = { ...first, signedAt: after(26) };
    expect(dueRoles([far, ...others], TEAM, SIGNED)).toEqual([far.role]);
    expect(dueRoles([{ ...first, signedAt: after(24) }, ...others], TEAM, SIGNED)).toEqual([]);
  });
});

describe('nextRenewal', () => {
  it('is the earliest time at which dueRoles speaks', () => {
    const next = nextRenewal(bins, TEAM);
    expect(next).toBeDefined();
    if (next === undefined) return;
    expect(dueRoles(bins, TEAM, next)).not.toEqual([]);
    expect(dueRoles(bins, TEAM, new Date(next.getTime() - 1))).toEqual([]);
  });
});

describe('expiryFrom', () => {
  it('has whole seconds', () => {
    expect(expiryFrom(new Date('2026-01-01T00:00:00.999Z'), 1000).toISOString()).toBe(
      '2026-01-01T00:00:01.000Z',
    );
  });
});
