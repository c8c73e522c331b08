import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { edit, read, VALID } from '../../test/tools/valid-metadata.ts';
import { MalformedMetadataError } from './errors.ts';
import { MetaFile } from './file.ts';
import { Metadata } from './metadata.ts';
import { Timestamp } from './timestamp.ts';

describe('expires', () => {
  const refused = [
    '2030',
    'Jan 1 2030',
    '2030-01-01',
    '2030-01-01T00:00:00',
    '2030-01-01T00:00:00+00:00',
    '2030-01-01T00:00:00.000Z',
    '2030-01-01t00:00:00z',
    '2030-02-30T00:00:00Z',
    '2030-13-01T00:00:00Z',
    '2030-01-01T24:00:00Z',
    '2030-12-31T23:59:60Z',
    '+002030-01-01T00:00:00Z',
    ' 2030-01-01T00:00:00Z',
    'never',
    '',
  ];
  it.each(refused)('refuses %j, which other implementations read as never, or as something', (text) => {
    expect(() => read('timestamp', edit('timestamp', '2030-01-01T00:00:00Z', text))).toThrow(
      MalformedMetadataError,
    );
  });

  it('is over at the very second', () => {
    const { signed } = read('timestamp', VALID.timestamp);
    expect(signed.isExpired(new Date('2029-12-31T23:59:59.999Z'))).toBe(false);
    expect(signed.isExpired(new Date('2030-01-01T00:00:00.000Z'))).toBe(true);
    expect(signed.isExpired(new Date(Number.NaN))).toBe(true);
  });

  it('reads what it wrote, to the second', () => {
    const range = {
      min: new Date('0001-01-01T00:00:00Z'),
      max: new Date('9999-12-31T23:59:59Z'),
      noInvalidDate: true,
    };
    fc.assert(
      fc.property(fc.date(range), (date) => {
        const timestamp = new Timestamp({
          version: 1,
          expires: date,
          snapshotMeta: new MetaFile({ version: 1 }),
        });
        const again = Metadata.fromBytes(Metadata.unsigned(timestamp).toBytes(), 'timestamp').signed.expires;
        expect(again.getTime()).toBe(Math.floor(date.getTime() / 1000) * 1000);
      }),
    );
  });
});
