import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FormatError } from './errors.ts';
import { readLegacyForm } from './legacy-form.ts';

const MD5 = 'a'.repeat(32);
const SHA256 = 'b'.repeat(64);

type Fields = Record<string, string | string[]>;

const TWINE: Fields = {
  name: 'demo',
  version: '1.0',
  filetype: 'bdist_wheel',
  pyversion: 'py3',
  metadata_version: '2.4',
  summary: 'A demo',
  home_page: '',
  author: 'UNKNOWN',
  description: '  # Demo\r\n\r\nText\n',
  description_content_type: 'text/markdown',
  keywords: 'a,b',
  classifiers: ['Programming Language :: Python', 'Typing :: Typed'],
  requires_dist: ['requests>=2', "pytest; extra == 'test'"],
  provides_extra: 'test',
  project_urls: ['Source, https://example.org/'],
  license_file: 'LICENSE',
  requires_python: '>=3.9',
  sha256_digest: SHA256.toUpperCase(),
  blake2_256_digest: SHA256,
  ':action': 'file_upload',
  protocol_version: '1',
};

function form(fields: Fields): Map<string, string[]> {
  return new Map(Object.entries(fields).map(([name, value]) => [name, [value].flat()]));
}

function refusal(fields: Fields): string {
  try {
    readLegacyForm(form(fields));
  } catch (error) {
    if (error instanceof FormatError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'accepted';
}

function without(...names: readonly string[]): Fields {
  return Object.fromEntries(Object.entries(TWINE).filter(([name]) => !names.includes(name)));
}

describe('readLegacyForm', () => {
  it('reads what twine sends', () => {
    expect(readLegacyForm(form(TWINE))).toEqual({
      filetype: 'bdist_wheel',
      pyversion: 'py3',
      digests: { sha256: SHA256, blake2b256: SHA256 },
      metadata: {
        metadataVersion: '2.4',
        name: 'demo',
        version: '1.0',
        summary: 'A demo',
        description: '  # Demo\r\n\r\nText\n',
        descriptionContentType: 'text/markdown',
        keywords: 'a,b',
        requiresPython: '>=3.9',
        dynamic: [],
        platforms: [],
        supportedPlatforms: [],
        licenseFiles: ['LICENSE'],
        classifiers: ['Programming Language :: Python', 'Typing :: Typed'],
        requiresDist: ['requests>=2', "pytest; extra == 'test'"],
        requiresExternal: [],
        projectUrls: ['Source, https://example.org/'],
        providesExtra: ['test'],
        providesDist: [],
        obsoletesDist: [],
        importNames: [],
        importNamespaces: [],
        requires: [],
        provides: [],
        obsoletes: [],
      },
    });
  });

  it('does not care for the order of the fields, and ignores unknown ones', () => {
    const reversed = new Map(
      [...form({ ...TWINE, gpg_signature: 'x', constructor: 'y', __proto__x: 'z' })].toReversed(),
    );
    expect(readLegacyForm(reversed)).toEqual(readLegacyForm(form(TWINE)));
  });

  it('reads an sdist as flit sends it, with only an MD5', () => {
    const fields = {
      ...without('sha256_digest', 'blake2_256_digest', 'pyversion', ':action', 'protocol_version'),
      filetype: 'sdist',
      md5_digest: MD5,
    };
    expect(readLegacyForm(form(fields))).toMatchObject({
      filetype: 'sdist',
      pyversion: 'source',
      digests: { md5: MD5 },
    });
  });

  it('keeps attestations and comment as text', () => {
    expect(readLegacyForm(form({ ...TWINE, attestations: '[{}]', comment: 'hi' }))).toMatchObject({
      attestations: '[{}]',
      comment: 'hi',
    });
  });

  it('reads the plural names some clients use', () => {
    const fields = {
      ...without('provides_extra', 'license_file'),
      provides_extras: ['a', 'b'],
      license_files: ['X'],
      platforms: ['any'],
    };
    expect(readLegacyForm(form(fields)).metadata).toMatchObject({
      providesExtra: ['a', 'b'],
      licenseFiles: ['X'],
      platforms: ['any'],
    });
  });

  it.each<[string, Fields, string]>([
    ['another action', { ...TWINE, ':action': 'submit' }, 'unsupported-action'],
    ['another protocol', { ...TWINE, protocol_version: '2' }, 'invalid-field'],
    ['no file type', without('filetype'), 'missing-field'],
    ['an egg', { ...TWINE, filetype: 'bdist_egg' }, 'invalid-field'],
    ['an inherited property for a file type', { ...TWINE, filetype: 'constructor' }, 'invalid-field'],
    ['a wheel without Python version', without('pyversion'), 'invalid-field'],
    ['an sdist with a Python version', { ...TWINE, filetype: 'sdist' }, 'invalid-field'],
    ['no digest', without('sha256_digest', 'blake2_256_digest'), 'missing-field'],
    ['a digest cut short', { ...TWINE, sha256_digest: SHA256.slice(1) }, 'invalid-field'],
    ['a digest in base64', { ...TWINE, blake2_256_digest: 'z'.repeat(64) }, 'invalid-field'],
    ['no name', without('name'), 'missing-field'],
    ['no version', without('version'), 'missing-field'],
    ['no metadata version', without('metadata_version'), 'missing-field'],
    ['an unknown name', { ...TWINE, name: 'UNKNOWN' }, 'missing-field'],
    ['two names', { ...TWINE, name: ['demo', 'evil'] }, 'repeated-field'],
    ['two digests', { ...TWINE, sha256_digest: [SHA256, SHA256] }, 'repeated-field'],
    ['a NUL', { ...TWINE, summary: 'a\0b' }, 'invalid-field'],
    ['a NUL in a field nobody knows', { ...TWINE, other: 'a\0b' }, 'invalid-field'],
    [
      'too many values',
      { ...TWINE, classifiers: Array.from({ length: 10_001 }, () => 'x') },
      'invalid-field',
    ],
  ])('refuses %s', (_what, fields, code) => {
    expect(refusal(fields)).toContain(code);
  });

  it('never throws anything but a refusal of one printable line', () => {
    const value = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('sdist', 'bdist_wheel', '1', '', 'UNKNOWN', SHA256),
    );
    const fields = fc.dictionary(
      fc.constantFrom(...Object.keys(TWINE), '__proto__', 'toString'),
      fc.array(value, { maxLength: 3 }),
    );
    fc.assert(
      fc.property(fields, (sent) => {
        try {
          readLegacyForm(new Map(Object.entries(sent)));
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
          expect((error as Error).message).toMatch(/^[ -~]+$/);
        }
      }),
    );
  });
});
