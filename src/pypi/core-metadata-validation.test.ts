import { describe, expect, it } from 'vitest';
import {
  metadataDifference,
  PUBLIC_METADATA_POLICY,
  validateCoreMetadata,
} from './core-metadata-validation.ts';
import {
  InvalidMetadataError,
  METADATA_VERSIONS,
  parseCoreMetadata,
  type CoreMetadata,
} from './core-metadata.ts';

function metadata(...lines: readonly string[]): CoreMetadata {
  const given = `\n${lines.join('\n')}`;
  const defaults = ['Metadata-Version: 2.6', 'Name: demo', 'Version: 1.0'].filter(
    (line) => !given.includes(`\n${line.slice(0, line.indexOf(':') + 1)}`),
  );
  return parseCoreMetadata(Buffer.from([...defaults, ...lines].join('\n')));
}

function refusal(...lines: readonly string[]): string {
  try {
    validateCoreMetadata(metadata(...lines));
  } catch (error) {
    if (error instanceof InvalidMetadataError) return `${error.field}: ${error.message}`;
    throw error;
  }
  return 'accepted';
}

describe('validateCoreMetadata', () => {
  it.each([...METADATA_VERSIONS, '2.0'])('takes metadata %s', (version) => {
    expect(refusal(`Metadata-Version: ${version}`)).toBe('accepted');
  });

  it('takes everything metadata 2.6 can say', () => {
    expect(
      refusal(
        'Dynamic: requires-dist',
        'Dynamic: Import-Name',
        'Platform: any',
        'Supported-Platform: linux',
        'Summary: Übersicht',
        'Description-Content-Type: text/markdown; charset=UTF-8; variant=CommonMark',
        'Keywords: a, b',
        'Home-page: https://example.org',
        'Download-URL: http://example.org/x?y#z',
        'Author: A. N. Öther',
        'Author-email: "A" <a@example.org>, b@example.org',
        'Maintainer: x',
        'Maintainer-email: x@y',
        'License-Expression: MIT OR (Apache-2.0 WITH LLVM-exception AND LicenseRef-x)',
        'License-File: LICENSE',
        'License-File: licences/MIT.txt',
        'Classifier: Typing :: Typed',
        'Requires-Dist: a[b]>=1; python_version < "3"',
        'Requires-Python: >=3.9',
        'Requires-External: libpng (>=1.5)',
        'Project-URL: Source code, https://example.org',
        'Provides-Extra: test',
        'Provides-Dist: x',
        'Obsoletes-Dist: y',
        'Import-Name: a.b',
        'Import-Name: _c ; private',
        'Import-Namespace: ns',
      ),
    ).toBe('accepted');
  });

  it('takes one empty Import-Name for a distribution without any', () => {
    expect(refusal('Import-Name:')).toBe('accepted');
  });

  it('takes the License-File that setuptools wrote into metadata 2.1', () => {
    expect(refusal('Metadata-Version: 2.1', 'License-File: LICENSE')).toBe('accepted');
  });

  it('takes the direct references and local versions of a private index', () => {
    expect(refusal('Version: 1.0+internal', 'Requires-Dist: a @ https://example.org/a.whl')).toBe('accepted');
  });

  it.each([
    ['Metadata-Version', 'Metadata-Version: 2.7'],
    ['Metadata-Version', 'Metadata-Version: 3.0'],
    ['Metadata-Version', 'Metadata-Version: constructor'],
    ['Name', 'Name: de mo'],
    ['Name', 'Name: <img onerror=alert(1)>'],
    ['Name', 'Name: ../evil'],
    ['Version', 'Version: one'],
    ['Summary', 'Summary: a\n  b'],
    ['Summary', `Summary: ${'x'.repeat(513)}`],
    ['Summary', 'Summary: \x1b[31mred'],
    ['Author-email', 'Author-email: a\x07'],
    ['Description', 'Description: a\0b'],
    ['Classifier', 'Classifier: a\n  b'],
    ['Requires-Python', 'Requires-Python: 3.8'],
    ['Requires-Python', 'Requires-Python: >=3.8.*'],
    ['Requires-Dist', 'Requires-Dist: a >= '],
    ['Requires-Dist', 'Requires-Dist: a; nonsense == "1"'],
    ['Provides-Extra', 'Provides-Extra: te st'],
    ['Description-Content-Type', 'Description-Content-Type: text/html'],
    ['Description-Content-Type', 'Description-Content-Type: text/markdown; variant=Evil'],
    ['Description-Content-Type', 'Description-Content-Type: text/plain; charset=latin-1'],
    ['Home-page', 'Home-page: javascript:alert(1)'],
    ['Home-page', 'Home-page: https://'],
    ['Download-URL', 'Download-URL: data:text/html,x'],
    ['Project-URL', 'Project-URL: Docs, javascript:alert(1)'],
    ['Project-URL', 'Project-URL: https://example.org'],
    ['Project-URL', 'Project-URL: , https://example.org'],
    ['Project-URL', `Project-URL: ${'x'.repeat(33)}, https://example.org`],
    ['License-Expression', 'License-Expression: MIT or'],
    ['License-Expression', 'License-Expression: MIT License'],
    ['License', 'License-Expression: MIT\nLicense: MIT'],
    ['License-File', 'License-File: ../LICENSE'],
    ['License-File', 'License-File: /etc/passwd'],
    ['License-File', 'License-File: C:\\LICENSE'],
    ['License-File', 'License-File: LICEN*'],
    ['Dynamic', 'Dynamic: Name'],
    ['Dynamic', 'Dynamic: Version'],
    ['Dynamic', 'Dynamic: constructor'],
    ['Import-Name', 'Import-Name: a-b'],
    ['Import-Name', 'Import-Name: a.class'],
    ['Import-Name', 'Import-Name: a; public'],
    ['Import-Namespace', 'Import-Namespace: 1a'],
    ['Import-Namespace', 'Import-Namespace:'],
    ['License-Expression', 'Metadata-Version: 2.3\nLicense-Expression: MIT'],
    ['Import-Name', 'Metadata-Version: 2.4\nImport-Name: a'],
    ['Requires-Dist', 'Metadata-Version: 1.1\nRequires-Dist: a'],
  ])('refuses a wrong %s: %j', (field, lines) => {
    const outcome = refusal(lines);
    expect(outcome).toMatch(new RegExp(`^${field}: Invalid metadata[ -~]+\\.$`));
  });

  it.each([
    ['local versions', 'Version: 1.0+internal'],
    ['direct references', 'Requires-Dist: a @ https://example.org/a.whl'],
    ['metadata 2.0', 'Metadata-Version: 2.0'],
  ])('refuses %s where the policy is that of a public index', (_what, line) => {
    expect(() => validateCoreMetadata(metadata(line), PUBLIC_METADATA_POLICY)).toThrow(InvalidMetadataError);
    expect(() => validateCoreMetadata(metadata(line))).not.toThrow();
  });
});

describe('metadataDifference', () => {
  const file = metadata(
    'Requires-Dist: A.b[y,x] >=1,<2 ; python_version<"3"',
    'Requires-Python: >=3.9, !=3.9.1',
    'Provides-Extra: te_st',
  );

  it.each([
    ['the same', file],
    [
      'other spelling',
      metadata(
        'Name: Demo',
        'Version: 1.0.0',
        "Requires-Dist: a-b[x,y]<2,>=1;python_version < '3'",
        'Requires-Python: !=3.9.1,>=3.9',
        'Provides-Extra: te-st',
      ),
    ],
    ['fields left out', metadata()],
    ['another metadata version, as flit says it', metadata('Metadata-Version: 2.3')],
  ])('finds none in %s', (_what, form) => {
    expect(metadataDifference(form, file)).toBeUndefined();
  });

  it.each([
    ['Name', metadata('Name: evil')],
    ['Version', metadata('Version: 1.1')],
    ['Requires-Python', metadata('Requires-Python: >=3.9')],
    ['Requires-Dist', metadata('Requires-Dist: evil')],
    ['Requires-Dist', metadata('Requires-Dist: A.b[x,y]>=1,<2; python_version<"3"', 'Requires-Dist: evil')],
    ['Provides-Extra', metadata('Provides-Extra: evil')],
  ])('finds a different %s', (field, form) => {
    expect(metadataDifference(form, file)).toBe(
      `The field ${field} of the form is not what the metadata in the file says.`,
    );
  });

  it('finds dependencies that only the form has', () => {
    expect(metadataDifference(metadata('Requires-Dist: evil'), metadata())).toContain('Requires-Dist');
    expect(metadataDifference(metadata('Requires-Python: >=3'), metadata())).toContain('Requires-Python');
  });
});
