import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isLicenseExpression } from './license-expression.ts';
import { InvalidRequirementError, parseRequirement, requirementKey } from './requirement.ts';
import { InvalidSpecifierError, parseSpecifier, specifierKey } from './specifier.ts';

describe('parseRequirement', () => {
  it('reads all its parts', () => {
    expect(
      parseRequirement(
        ' Zope.Interface [a , b_c] (>= 1.0, !=1.5.*) ; (python_version<"3" or os.name == \'nt\') and extra not  in "x" ',
      ),
    ).toEqual({
      name: 'Zope.Interface',
      extras: ['a', 'b_c'],
      specifier: ['>=1.0', '!=1.5.*'],
      marker: '(python_version < "3" or os.name == "nt") and extra not in "x"',
    });
    expect(parseRequirement('pip @ https://example.org/pip.whl#sha256=x ; sys_platform=="win32"')).toEqual({
      name: 'pip',
      extras: [],
      specifier: [],
      url: 'https://example.org/pip.whl#sha256=x',
      marker: 'sys_platform == "win32"',
    });
  });

  it.each([
    'a',
    'a[]',
    'a==1.*',
    'a===anything-1',
    'a~=1.0',
    'a>=1,',
    'a @ file:///x',
    "a; 'linux' in sys_platform",
    "a; extra == ''",
    'a;python_version>="3"',
  ])('accepts %j', (text) => {
    expect(parseRequirement(text).name).toBe('a');
  });

  it.each([
    '',
    ' ',
    '-a',
    'a b',
    'a 1.0',
    'a=1',
    'a=>1',
    'a==',
    'a~=1',
    'a>1.*',
    'a==1.0+x.*',
    'a>=1+local',
    'a[b',
    'a[b c]',
    'a[,]',
    'a]',
    'a(>=1',
    'a>=1)',
    'a,b',
    'a;',
    'a; ',
    'a; b',
    'a; python_version',
    'a; python_version >',
    'a; python_version = "3"',
    'a; evil == "1"',
    'a; python_version == 3',
    'a; python_version == "3" and',
    'a; (python_version == "3"',
    'a; python_version == "3")',
    'a; python_version == "3" xor extra == "a"',
    'a; extra not == "x"',
    'a; extra notin "x"',
    'a; extra == "x',
    'a @',
    'a @ ',
    'a @ x y',
    'a>=1 @ https://x',
    'a\n',
    'a\0',
    'é',
    'a>=1\nb',
    `a; ${'('.repeat(100)}extra == "x"${')'.repeat(100)}`,
    'a'.repeat(200),
    `a${' '.repeat(20_000)}`,
  ])('refuses %j', (text) => {
    expect(() => parseRequirement(text)).toThrow(InvalidRequirementError);
  });

  it('survives any text, in linear time', () => {
    const piece = fc.constantFrom(
      'a',
      '[',
      ']',
      '(',
      ')',
      ';',
      ',',
      ' ',
      '"',
      "'",
      '>=',
      '1',
      '.*',
      '@',
      'and',
      'or',
      'in',
      'not',
      'extra',
      'python_version',
      '==',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 14 }), (pieces) => {
        try {
          const { marker } = parseRequirement(pieces.join(''));
          if (marker !== undefined) expect(parseRequirement(`a;${marker}`).marker).toBe(marker);
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidRequirementError);
        }
      }),
      { numRuns: 5000 },
    );
    for (const text of ['a-', '>=1,', ';extra ', '("', 'a[a,']) {
      expect(() => parseRequirement(`a${text.repeat(4000)}`)).toThrow(InvalidRequirementError);
    }
  });
});

describe('requirementKey', () => {
  it('is the same for other spellings only', () => {
    expect(requirementKey('A_b[y,x]>=1,<2;extra=="q"')).toBe(
      requirementKey("a.b [x, y] (<2, >=1) ; extra == 'q'"),
    );
    expect(requirementKey('a>=1')).not.toBe(requirementKey('a>=1.1'));
    expect(requirementKey('a')).not.toBe(requirementKey('a; extra == "x"'));
  });
});

describe('parseSpecifier', () => {
  it.each([
    ['', []],
    [' , ', []],
    ['>=3.8,<4', ['>=3.8', '<4']],
    ['>= 3.8 , != 3.9.*', ['>=3.8', '!=3.9.*']],
    ['~=1!1.0.post1', ['~=1!1.0.post1']],
    ['===x', ['===x']],
    ['==1.0+local.1', ['==1.0+local.1']],
  ])('reads %j', (text, clauses) => {
    expect(parseSpecifier(text)).toEqual(clauses);
  });

  it.each([
    '1',
    '=1',
    '=>1',
    '>',
    '>=',
    '==*',
    '~=1',
    '~=1.*',
    '>=1.*',
    '<1+a',
    '==1.0a1.*',
    '>=1 <2',
    '!1',
    '>=1;',
    '==1.0)',
    '> =1',
  ])('refuses %j', (text) => {
    expect(() => parseSpecifier(text)).toThrow(InvalidSpecifierError);
  });

  it('has a key free of order', () => {
    expect(specifierKey('>=1, <2,>=1')).toBe(specifierKey('<2,>=1'));
  });
});

describe('isLicenseExpression', () => {
  it.each([
    'MIT',
    'mit',
    'MIT OR Apache-2.0',
    'GPL-2.0+ WITH Classpath-exception-2.0',
    '(MIT)',
    '((MIT AND BSD-3-Clause) or X11)',
    'LicenseRef-Proprietary',
    'MIT  AND (ISC OR 0BSD)',
  ])('accepts %j', (text) => {
    expect(isLicenseExpression(text)).toBe(true);
  });

  it.each([
    '',
    ' ',
    'MIT License',
    'MIT,BSD',
    'MIT OR',
    'OR MIT',
    'MIT AND OR BSD',
    '(MIT',
    'MIT)',
    '()',
    'MIT WITH (x)',
    '(MIT) WITH x',
    'MIT WITH a WITH b',
    'a/b',
    '<b>',
    'é',
    '('.repeat(1000),
    'AND',
  ])('refuses %j', (text) => {
    expect(isLicenseExpression(text)).toBe(false);
  });
});
