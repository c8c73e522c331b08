import { describe, expect, it } from 'vitest';
import { renderHome, type HomeValues } from './home.tsx';
import { styleSheet } from './style-sheet.ts';

const now = new Date('2026-03-01T12:00:00Z');
const values: HomeValues = {
  url: 'https://rind.test/python/',
  fingerprint: 'ab'.repeat(32),
  indexName: '',
  projects: 12_345,
  files: 1,
  bins: 256,
  snapshotVersion: 7,
  rootVersion: 3,
  rootThreshold: 2,
  roles: [],
  now,
};
const expires = (hours: number) => new Date(now.getTime() + hours * 3_600_000);

describe('the page at /', () => {
  it('gives lines for every tool, with the address and the fingerprint in place', () => {
    const html = renderHome(values, '');
    for (const line of [
      'twine upload --repository-url https://rind.test/python/legacy/ -u __token__ dist/*',
      'uv publish --publish-url https://rind.test/python/legacy/ --username __token__ dist/*',
      `rind trust add https://rind.test/python/ --fingerprint ${'ab'.repeat(32)}`,
      'rind pip install PACKAGE',
      'rind run -- uv pip install PACKAGE',
      'poetry source add --priority=primary rind https://rind.test/python/simple/',
      'rind poetry install',
      'rind run -- pdm install',
    ]) {
      expect(html).toContain(line);
    }
    expect(html).toContain('<dd>12,345</dd>');
  });

  it('escapes whatever it is given', () => {
    const evil = '"><script>alert(1)</script>';
    const html = renderHome(
      {
        ...values,
        url: `https://x/${evil}/`,
        fingerprint: evil,
        indexName: evil,
        roles: [{ role: evil, version: 1, expires: expires(1) }],
      },
      '',
    );
    expect(html).not.toContain('<script');
    expect(html).not.toContain(evil);
    expect(html).toContain('&quot;&gt;&lt;script&gt;');
  });

  it('needs no exception from its content security policy: no script, no inline style, no other host', () => {
    const html = renderHome(values, '../../');
    expect(html).not.toMatch(/<script|<style| style=| on[a-z]+=|<img|<iframe/);
    expect([...html.matchAll(/(?:href|src)="([^"]*)"/g)].map(([, link]) => link)).toEqual([
      '../../static/rind.css',
      'simple/',
    ]);
    expect(styleSheet).not.toMatch(/url\(|@import|https?:/);
  });

  it('warns of a root that one signature can change, and only of that', () => {
    expect(renderHome({ ...values, rootThreshold: 1 }, '')).toContain('For trying out.');
    expect(renderHome(values, '')).not.toContain('For trying out.');
  });

  it.each([
    [400 * 24, '400 days', false],
    [47, '47 hours', false],
    [23, '23 hours', true],
    [1.5, '1 hour', true],
    [0.5, 'less than an hour', true],
    [0, 'expired', true],
    [-48, 'expired', true],
  ])('says of a role with %d hours left: %s', (hours, left, isMarked) => {
    const html = renderHome(
      { ...values, roles: [{ role: 'timestamp', version: 9, expires: expires(hours) }] },
      '',
    );
    expect(html).toContain(isMarked ? `<td class="soon">${left}</td>` : `<td>${left}</td>`);
  });

  it('says so while nothing is signed yet', () => {
    const html = renderHome(
      { ...values, snapshotVersion: undefined, fingerprint: undefined, rootVersion: undefined },
      '',
    );
    expect(html).toContain('<dd>none yet</dd>');
    expect(html).not.toContain('Root fingerprint');
    expect(html).toContain('--root root.json');
  });
});
