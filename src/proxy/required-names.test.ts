import { expect, it } from 'vitest';
import { requiredNames } from './required-names.ts';

const metadata = (...lines: string[]): Uint8Array =>
  Buffer.from(['Metadata-Version: 2.1', 'Name: foo', 'Version: 1.0', ...lines, '', ''].join('\n'));

it('finds what is required, normalized, each name once', () => {
  const bytes = metadata(
    'Requires-Dist: Bar_Baz>=1.0',
    'requires-dist:qux (<2) ; python_version < "3.9"',
    'Requires-Dist: bar.baz!=1.5',
    'Requires-Dist: standard[extra]',
  );
  expect(requiredNames(bytes)).toEqual(['bar-baz', 'qux', 'standard']);
});

it('passes over what an extra asks for, what comes from elsewhere, and what is no name', () => {
  const bytes = metadata(
    'Requires-Dist: tests ; extra == "test"',
    'Requires-Dist: direct @ https://example.org/direct.whl',
    'Requires-Dist: ../../etc',
    'Requires-Dist: -dash-',
    `Requires-Dist: ${'a'.repeat(200)}`,
    'Requires-Dist:',
    'Description: Requires-Dist: no',
  );
  expect(requiredNames(bytes)).toEqual([]);
});

it('looks no further than the headers, in lines of either end', () => {
  const bytes = Buffer.from('Name: foo\r\nRequires-Dist: bar\r\n\r\nRequires-Dist: baz\r\n');
  expect(requiredNames(bytes)).toEqual(['bar']);
});

it('looks at so many names, and so many bytes, and no more', () => {
  const many = Array.from({ length: 1000 }, (_, number) => `Requires-Dist: name-${number}`);
  expect(requiredNames(metadata(...many))).toHaveLength(128);
  expect(requiredNames(metadata(`Summary: ${'x'.repeat(70_000)}`, 'Requires-Dist: bar'))).toEqual([]);
});
