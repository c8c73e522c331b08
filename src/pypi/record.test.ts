import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UnsafeArchiveError } from './archive.ts';
import { parsePaxRecords } from './pax.ts';
import { parseRecord } from './record.ts';

describe('parseRecord', () => {
  it('reads plain and quoted columns, and any line ends', () => {
    const text = 'a.py,sha256=x,1\r\n"b,""c"".py",sha256=y,2\rd/RECORD,,\n\n';
    expect([...parseRecord(text).values()]).toEqual([
      { path: 'a.py', hash: 'sha256=x', size: '1' },
      { path: 'b,"c".py', hash: 'sha256=y', size: '2' },
      { path: 'd/RECORD', hash: '', size: '' },
    ]);
  });

  it.each(['a,b', 'a,b,c,d', 'a', 'a,,\na,,', '"a,b,c', 'a"b,c,d', '"a"b,c,d', '"a""b,c,d'])(
    'refuses %j',
    (text) => {
      expect(() => parseRecord(text)).toThrow(UnsafeArchiveError);
    },
  );

  it('gives back what was written', () => {
    const row = fc.tuple(fc.string({ minLength: 1 }), fc.string(), fc.string());
    fc.assert(
      fc.property(fc.uniqueArray(row, { selector: ([path]) => path }), (rows) => {
        const text = rows
          .map((row) => row.map((column) => `"${column.replaceAll('"', '""')}"`).join(','))
          .join('\n');
        expect([...parseRecord(text).values()].map(({ path, hash, size }) => [path, hash, size])).toEqual(
          rows,
        );
      }),
    );
  });
});

describe('parsePaxRecords', () => {
  it('leaves out a value that is not UTF-8 unless it is a name', () => {
    expect(parsePaxRecords(Buffer.from('9 user=\xe9\n10 path=a\n', 'latin1'))).toEqual(
      new Map([['path', 'a']]),
    );
    expect(() => parsePaxRecords(Buffer.from('9 path=\xe9\n', 'latin1'))).toThrow(UnsafeArchiveError);
  });

  it('survives any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        try {
          parsePaxRecords(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(UnsafeArchiveError);
        }
      }),
    );
  });
});
