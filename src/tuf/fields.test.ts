import { describe, expect, it } from 'vitest';
import { MalformedMetadataError } from './errors.ts';
import { within } from './fields.ts';

describe('within', () => {
  it('builds the place from the outside in, and keeps reason and cause', () => {
    const cause = new Error('x');
    const fail = () => {
      throw new MalformedMetadataError('is odd', { cause });
    };
    expect(() => within('a', () => within('b', fail))).toThrow(
      expect.objectContaining({ path: 'a.b', reason: 'is odd', message: 'a.b: is odd', cause }),
    );
  });

  it('leaves every other error as it is', () => {
    const error = new TypeError('a bug of ours');
    const fail = () => {
      throw error;
    };
    expect(() => within('a', fail)).toThrow(error);
  });
});
