import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { negotiate } from './negotiation.ts';

const V1 = 'application/vnd.pypi.simple.v1';

describe('negotiate', () => {
  it.each([
    ['pip and pdm', `${V1}+json, ${V1}+html; q=0.1, text/html; q=0.01`, 'json'],
    ['uv', `${V1}+json, ${V1}+html;q=0.2, text/html;q=0.01`, 'json'],
    ['poetry', `${V1}+json, */*;q=0.1`, 'json'],
    ['pipenv and curl', '*/*', 'text-html'],
    ['a browser', 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', 'text-html'],
    ['an old pip', 'text/html', 'text-html'],
    ['bandersnatch', `${V1}+json`, 'json'],
    ['nobody', undefined, 'text-html'],
    ['an empty header', ' ', 'text-html'],
    ['who wants the latest', 'application/vnd.pypi.simple.latest+json', 'json'],
    ['who wants the latest HTML', 'application/vnd.pypi.simple.latest+html', 'html'],
    ['who likes HTML better', `${V1}+json;q=0.5, ${V1}+html`, 'html'],
    ['who likes both alike', `${V1}+html, ${V1}+json`, 'json'],
    ['any application type', 'application/*', 'json'],
    ['any text type', 'text/*', 'text-html'],
    ['all but HTML', 'text/html;q=0, */*', 'json'],
    ['all but text', 'text/*;q=0, */*', 'json'],
    ['all but applications', '*/*, application/*;q=0', 'text-html'],
    ['text less than the rest', '*/*;q=0.9, text/*;q=0.1', 'json'],
    ['mixed case and blanks', `  ${V1.toUpperCase()}+JSON ; Q=0.9 `, 'json'],
  ])('answers %s', (_who, accept, format) => {
    expect(negotiate(accept)).toBe(format);
  });

  it.each([
    'application/json',
    'image/png',
    `${V1}+json;q=0`,
    'text/*;q=0, application/*;q=0, */*',
    'application/vnd.pypi.simple.v2+json',
    'garbage',
    ',,,',
    `${V1}+json;q=2`,
    `${V1}+json;q=x`,
  ])('has nothing for %j', (accept) => {
    expect(negotiate(accept)).toBeUndefined();
  });

  it('lets the query parameter win', () => {
    expect(negotiate('text/html', `${V1}+json`)).toBe('json');
    expect(negotiate(`${V1}+json`, 'text/html')).toBe('text-html');
    expect(negotiate('*/*', 'application/json')).toBeUndefined();
  });

  it('never throws, and is fast on hostile headers', () => {
    fc.assert(fc.property(fc.string(), (accept) => void negotiate(accept)));
    expect(negotiate(';q='.repeat(500_000))).toBeUndefined();
  });
});
