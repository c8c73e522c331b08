import { describe, expect, it } from 'vitest';
import { isNormalizedProjectName } from './project-name.ts';
import { reservedReason } from './reserved-names.ts';

describe('reservedReason', () => {
  it.each([
    ['os', 'standard-library'],
    ['urllib', 'standard-library'],
    ['concurrent', 'standard-library'],
    ['tomllib', 'standard-library'],
    ['dummy-threading', 'standard-library'],
    ['requirements-txt', 'mistaken-file'],
    ['py-compile', 'standard-library'],
    ['cprofile', 'standard-library'],
    ['con', 'device'],
    ['lpt1', 'device'],
    ['requests', undefined],
    ['constructor', undefined],
    ['console', undefined],
  ])('says of %s %s', (name, reason) => {
    expect(isNormalizedProjectName(name)).toBe(true);
    expect(reservedReason(name)).toBe(reason);
  });
});
