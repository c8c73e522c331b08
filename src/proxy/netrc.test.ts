import { expect, it } from 'vitest';
import { findEntry } from './netrc.ts';

const TEXT = `# machine packages.test login commented password out
machine other.test login a password b
machine packages.test
  login __token__
  password rind_secret
default login everybody password leaked
`;

it('gives a host its own entry and nobody the default one', () => {
  expect(findEntry(TEXT, 'packages.test')).toEqual({ login: '__token__', password: 'rind_secret' });
  expect(findEntry(TEXT, 'other.test')).toEqual({ login: 'a', password: 'b' });
  for (const host of ['evil.test', 'test', 'packages.test.evil', 'login', '']) {
    expect(findEntry(TEXT, host)).toBeUndefined();
  }
});

it('is not confused by files that end early', () => {
  for (const text of ['', 'machine', 'machine packages.test', 'machine packages.test login x password']) {
    expect(findEntry(text, 'packages.test')?.password).toBeUndefined();
  }
});
