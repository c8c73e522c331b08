import { describe, expect, it } from 'vitest';
import { changedLimits, changedSettings } from './index-settings.ts';

describe('settings that cannot be taken', () => {
  it.each([
    [{ bogus: { key: 1 } }, "There is no setting 'bogus': docs/projects.md has the list."],
    [{ upload: { bogus: 1 } }, "There is no setting 'upload.bogus': docs/projects.md has the list."],
    [
      { limits: { maxFileBytes: 'abc' } },
      'The setting limits.maxFileBytes cannot be taken: it has to be a number.',
    ],
    [
      { limits: { maxFileBytes: 1.5 } },
      'The setting limits.maxFileBytes cannot be taken: it has to be a whole number.',
    ],
    [
      { limits: { maxFileBytes: -1 } },
      'The setting limits.maxFileBytes cannot be taken: it has to be at least 1.',
    ],
    [
      { upload: { localVersions: 'maybe' } },
      'The setting upload.localVersions cannot be taken: it has to be true or false.',
    ],
    [
      { upload: { prohibitedNames: 'acme' } },
      'The setting upload.prohibitedNames cannot be taken: it has to be a list.',
    ],
    [{ kind: 'secret' }, 'The setting kind cannot be taken: it has to be one of private, public.'],
    [{ limits: 7 }, 'The setting limits cannot be taken: it has to be a group of settings.'],
  ])('%j are refused with what they have to be', (change, message) => {
    expect(() => changedSettings({}, change)).toThrow(expect.objectContaining({ message }));
  });

  it('of a project are refused the same way', () => {
    const message = "There is no setting 'upload': docs/projects.md has the list.";
    expect(() => changedLimits({}, { upload: {} })).toThrow(expect.objectContaining({ message }));
    expect(changedLimits({ limits: { maxFileBytes: 5 } }, { limits: { maxFileBytes: null } })).toEqual({
      limits: {},
    });
  });
});
