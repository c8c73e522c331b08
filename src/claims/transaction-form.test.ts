import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { ClaimError } from './errors.ts';
import {
  isPathOfProject,
  parseProjectRoleName,
  projectRoleName,
  releaseRoleName,
  wheelsRoleName,
} from './names.ts';
import { parseTransaction, transactionJson, type SignedTransaction } from './transaction-form.ts';

const GOOD: SignedTransaction = {
  base: new Map([['project-foo', 3]]),
  roles: new Map([['project-foo', Uint8Array.from([0, 1, 254, 255])]]),
  files: [{ filename: 'foo-1.0.tar.gz', sha256: 'a'.repeat(64), uploadTime: '2026-11-22T22:00:00.000000Z' }],
  changes: [
    { kind: 'yank', filename: 'foo-0.9.tar.gz', reason: null },
    { kind: 'unyank', filename: 'foo-0.8.tar.gz' },
    { kind: 'remove', filename: 'foo-0.7.tar.gz' },
    { kind: 'status', status: 'archived', reason: 'gone' },
  ],
};

describe('the form of a transaction', () => {
  it('is read as it was written', () => {
    const sent: unknown = JSON.parse(JSON.stringify(transactionJson(GOOD)));
    expect(parseTransaction('foo', sent)).toEqual(GOOD);
  });

  it('refuses roles of another project', () => {
    const sent = { ...transactionJson(GOOD), roles: { 'project-bar': 'AAAA' } };
    expect(() => parseTransaction('foo', sent)).toThrow(
      expect.objectContaining({ code: 'DELEGATION', role: 'project-bar' }),
    );
  });

  const bad: readonly (readonly [string, unknown])[] = [
    ['a text', 'x'],
    ['null', null],
    ['an unknown member', { ...transactionJson(GOOD), more: 1 }],
    ['a member that is missing', { base: {}, roles: {}, files: [] }],
    ['no role', { ...transactionJson(GOOD), roles: {} }],
    ['a role that is no base64', { ...transactionJson(GOOD), roles: { 'project-foo': 'a*==' } }],
    ['a version that is none', { ...transactionJson(GOOD), base: { 'project-foo': 1.5 } }],
    ['a file twice', { ...transactionJson(GOOD), files: [...GOOD.files, ...GOOD.files] }],
    [
      'an upload time that is none',
      { ...transactionJson(GOOD), files: [{ ...GOOD.files[0], uploadTime: 'now' }] },
    ],
    [
      'a hash that is none',
      { ...transactionJson(GOOD), files: [{ ...GOOD.files[0], sha256: 'A'.repeat(64) }] },
    ],
    [
      'a change of an unknown kind',
      { ...transactionJson(GOOD), changes: [{ kind: 'publish', filename: 'a' }] },
    ],
    [
      'a status that is none',
      { ...transactionJson(GOOD), changes: [{ kind: 'status', status: 'gone', reason: null }] },
    ],
  ];
  it.each(bad)('refuses %s', (_, value) => {
    expect(() => parseTransaction('foo', value)).toThrow(expect.objectContaining({ code: 'MALFORMED' }));
  });

  it('ends in a typed error for whatever JSON can hold', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        try {
          parseTransaction('foo', value);
          return false;
        } catch (error) {
          return error instanceof ClaimError;
        }
      }),
    );
  });
});

describe('names of roles', () => {
  it('are read as they were made, and never one project’s for another’s', () => {
    for (const project of ['foo', 'foo-release', 'a', '0']) {
      expect(parseProjectRoleName(projectRoleName(project))).toEqual({ project, kind: 'project' });
      expect(parseProjectRoleName(releaseRoleName(project))).toEqual({ project, kind: 'release' });
      expect(parseProjectRoleName(wheelsRoleName(project))).toEqual({ project, kind: 'wheels' });
    }
    for (const role of [
      'project-',
      'project-foo.bar',
      'project-foo.release.x',
      'project-Foo',
      'bin-00',
      'claimed',
    ])
      expect(parseProjectRoleName(role)).toBeUndefined();
  });

  it('know the paths of a project and of no other', () => {
    expect(isPathOfProject('simple/foo/index.json', 'foo')).toBe(true);
    for (const path of [
      'simple/foobar/index.json',
      'simple/foo/x/y',
      'simple/foo/',
      'other/foo/x',
      'simple/foo',
    ])
      expect(isPathOfProject(path, 'foo')).toBe(false);
  });
});
