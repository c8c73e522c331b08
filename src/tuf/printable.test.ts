import { describe, expect, it } from 'vitest';
import { KeyError, MalformedMetadataError } from './errors.ts';
import { Metadata } from './metadata.ts';
import { printable } from './printable.ts';

describe('printable', () => {
  it('escapes what could steer a terminal or forge a log line, and keeps the rest', () => {
    expect(printable('a\u001b[2Jb\nc\r\u202ed\u2028\u0085\ud800é😀')).toBe(
      'a\\u{1b}[2Jb\\u{a}c\\u{d}\\u{202e}d\\u{2028}\\u{85}\\u{d800}é😀',
    );
  });

  it('cuts what is long', () => {
    expect(printable('x'.repeat(5_000_000))).toBe(`${'x'.repeat(1000)}…`);
  });

  it('stands behind every message that quotes metadata', () => {
    const role = `{"keyids":[],"threshold":"\u007f"}`;
    const text = `{"signatures":[],"signed":{"_type":"root","version":1,"spec_version":"1.0","expires":"2030-01-01T00:00:00Z","keys":{},"roles":{"\\u001b[2J${'y'.repeat(5000)}":${role}}}}`;
    const read = () => Metadata.fromBytes(new TextEncoder().encode(text), 'root');
    expect(read).toThrow(MalformedMetadataError);
    expect(read).toThrow(/^root: signed\.roles\.\\u\{1b\}\[2Jy{900,1000}…$/);
    expect(new KeyError('UNSUPPORTED_SCHEME', 'x\u0000', 'x').message).toBe('x\\u{0}');
  });
});
