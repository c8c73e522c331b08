import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  LIST_FIELDS,
  MAX_METADATA_LENGTH,
  parseCoreMetadata,
  SINGLE_FIELDS,
  type InvalidMetadataError,
} from './core-metadata.ts';
import { FormatError } from './errors.ts';

const HEAD = 'Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n';

function parse(text: string): ReturnType<typeof parseCoreMetadata> {
  return parseCoreMetadata(Buffer.from(text));
}

function code(bytes: Uint8Array | string): InvalidMetadataError['code'] | 'accepted' {
  try {
    parseCoreMetadata(Buffer.from(bytes));
  } catch (error) {
    if (error instanceof FormatError) return error.code as InvalidMetadataError['code'];
    throw error;
  }
  return 'accepted';
}

describe('parseCoreMetadata', () => {
  it('reads every field, whatever the case of its header', () => {
    for (const isLower of [false, true]) {
      const cased = (header: string): string => (isLower ? header.toLowerCase() : header);
      const single = Object.values(SINGLE_FIELDS).map(({ header }) => `${cased(header)}: one ${header}\n`);
      const lists = Object.values(LIST_FIELDS).map(
        ({ header }) => `${cased(header)}: a ${header}\n${cased(header)}:b\n`,
      );
      const metadata = parse([...single, ...lists].join(''));
      for (const [name, { header }] of Object.entries(SINGLE_FIELDS))
        expect(metadata).toHaveProperty(name, `one ${header}`);
      for (const [name, { header }] of Object.entries(LIST_FIELDS))
        expect(metadata).toHaveProperty(name, [`a ${header}`, 'b']);
    }
  });

  it('takes the description from the body, as it stands there', () => {
    expect(parse(`${HEAD}\n# Demo\n\nName: not a header\n`).description).toBe(
      '# Demo\n\nName: not a header\n',
    );
    expect(parse(`${HEAD}\n`).description).toBeUndefined();
    expect(parse(HEAD).description).toBeUndefined();
  });

  it('unfolds a description in its header', () => {
    expect(
      parse(`${HEAD}Description: one\n        two\n                indented\n        \n        end\n`)
        .description,
    ).toBe('one\ntwo\n        indented\n\nend');
    expect(parse(`${HEAD}Description: one\n       |two\n`).description).toBe('one\ntwo');
  });

  it('keeps the lines of a folded field', () => {
    expect(parse(`${HEAD}License: MIT\n  and\n\tmore\n`).license).toBe('MIT\n  and\n\tmore');
  });

  it('reads Windows and old Macintosh line ends', () => {
    expect(parse(`${HEAD}Summary: x\n\nbody\n`.replaceAll('\n', '\r\n'))).toMatchObject({
      summary: 'x',
      description: 'body\r\n',
    });
    expect(parse(`${HEAD}Summary: x\n`.replaceAll('\n', '\r'))).toMatchObject({ summary: 'x' });
  });

  it('keeps a colon in a value, ignores headers it does not know', () => {
    expect(parse(`${HEAD}Summary: a: b\nX-Thing: y\n__proto__: z\nConstructor: q\n`)).toMatchObject({
      summary: 'a: b',
    });
  });

  it('reads UTF-8', () => {
    expect(parse(`${HEAD}Author: Łukasz 💥\n`).author).toBe('Łukasz 💥');
  });

  it.each<[string, Uint8Array | string, string]>([
    ['nothing', '', 'missing-field'],
    ['no name', 'Metadata-Version: 2.1\nVersion: 1\n', 'missing-field'],
    ['a name only in the body', 'Metadata-Version: 2.1\nVersion: 1\n\nName: demo\n', 'missing-field'],
    ['two names', `${HEAD}Name: evil\n`, 'repeated-field'],
    ['two names in different case', `${HEAD}NAME: evil\n`, 'repeated-field'],
    ['two summaries', `${HEAD}Summary: a\nSummary: b\n`, 'repeated-field'],
    ['a description in both places', `${HEAD}Description: a\n\nb\n`, 'repeated-field'],
    ['a line that is no header', `${HEAD}evil\n`, 'malformed-metadata'],
    ['a header with blanks in its name', `${HEAD}Na me: x\n`, 'malformed-metadata'],
    ['a header with a blank before the colon', `${HEAD}Summary : x\n`, 'malformed-metadata'],
    ['a folded line first', ` x\n${HEAD}`, 'malformed-metadata'],
    ['a byte order mark', `\ufeff${HEAD}`, 'malformed-metadata'],
    ['Latin-1', Buffer.from(`${HEAD}Author: \xe9\n`, 'latin1'), 'malformed-metadata'],
    ['UTF-16', Buffer.from(HEAD, 'utf16le'), 'malformed-metadata'],
    ['a zip archive', 'PK\x03\x04\x14\0', 'malformed-metadata'],
    ['more than 4 MiB', HEAD + '\n' + 'x'.repeat(MAX_METADATA_LENGTH), 'malformed-metadata'],
  ])('refuses %s', (_what, bytes, expected) => {
    expect(code(bytes)).toBe(expected);
  });

  it('takes linear time', () => {
    const million = 1_000_000;
    expect(code(`${HEAD}License: ${'x\n '.repeat(million)}`)).toBe('accepted');
    expect(code(`${HEAD}${'Classifier: x\n'.repeat(200_000)}`)).toBe('accepted');
    expect(code(`${HEAD}Description: ${'\n        x'.repeat(300_000)}`)).toBe('accepted');
    expect(code(`${HEAD}Summary:${' '.repeat(million)}x`)).toBe('accepted');
    expect(code('x'.repeat(million))).toBe('malformed-metadata');
  });

  it('gives back what was written', () => {
    const value = fc.string({ maxLength: 20 }).map((text) => text.trim());
    fc.assert(
      fc.property(value, fc.array(value), fc.string(), (summary, classifiers, body) => {
        const text = `${HEAD}Summary: ${summary}\n${classifiers.map((item) => `Classifier: ${item}\n`).join('')}\n${body}`;
        const metadata = parse(text);
        expect(metadata.summary).toBe(summary);
        expect(metadata.classifiers).toEqual(classifiers);
        expect(metadata.description ?? '').toBe(body);
      }),
    );
  });

  it('survives any text', () => {
    const lines = fc.array(
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.constantFrom('Name: a', ' x', '', 'Version: 1', 'Metadata-Version: 1.0'),
      ),
    );
    fc.assert(
      fc.property(lines, (parts) => void code(parts.join('\n'))),
      { numRuns: 2000 },
    );
    fc.assert(fc.property(fc.uint8Array(), (bytes) => void code(bytes)));
  });
});
