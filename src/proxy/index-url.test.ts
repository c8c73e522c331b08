import { describe, expect, it } from 'vitest';
import { IndexUrlError, isLoopback, parseIndexUrl } from './index-url.ts';

function refusal(text: string): string {
  try {
    parseIndexUrl(text);
  } catch (error) {
    if (error instanceof IndexUrlError) return error.code;
    throw error;
  }
  return 'accepted';
}

describe('parseIndexUrl', () => {
  it('gives one form to every way of writing the same index', () => {
    for (const text of [
      'https://Packages.example.org',
      'https://packages.example.org/',
      'https://packages.example.org:443/simple/',
      'https://packages.example.org/simple',
    ]) {
      expect(parseIndexUrl(text)).toBe('https://packages.example.org/');
    }
    expect(parseIndexUrl('https://example.org/index/team/simple/')).toBe('https://example.org/index/team/');
  });

  it('keeps a path that only looks like the list', () => {
    expect(parseIndexUrl('https://example.org/not-simple/')).toBe('https://example.org/not-simple/');
  });

  it('allows http on this machine only', () => {
    expect(parseIndexUrl('http://127.0.0.1:8458')).toBe('http://127.0.0.1:8458/');
    expect(parseIndexUrl('http://[::1]:8458/simple/')).toBe('http://[::1]:8458/');
    expect(parseIndexUrl('http://localhost:8458')).toBe('http://localhost:8458/');
    expect(refusal('http://packages.example.org/')).toBe('unencrypted');
    expect(refusal('http://127.evil.example/')).toBe('unencrypted');
    expect(refusal('http://localhost.evil.example/')).toBe('unencrypted');
    expect(parseIndexUrl('http://packages.example.org/', { allowUnencrypted: true })).toBe(
      'http://packages.example.org/',
    );
  });

  it('refuses what would be written down or sent along with every request', () => {
    expect(refusal('https://user:secret@example.org/')).toBe('credentials');
    expect(refusal('https://example.org/?token=1')).toBe('query');
    expect(refusal('https://example.org/#sha256=00')).toBe('query');
  });

  it('refuses what is no index URL at all', () => {
    expect(refusal('packages')).toBe('not-a-url');
    expect(refusal('')).toBe('not-a-url');
    expect(refusal('file:///srv/index')).toBe('not-a-url');
    expect(refusal('ftp://example.org/')).toBe('unsupported-scheme');
  });
});

describe('isLoopback', () => {
  it('is not fooled by a host that only begins like this machine, which would be sent credentials in plain text', () => {
    for (const host of [
      '127.evil.example',
      '127.0.0.1.evil.example',
      'localhost.evil.example',
      '128.0.0.1',
      '127.1.2',
    ])
      expect(isLoopback(host), host).toBe(false);
    for (const host of ['127.0.0.1', '127.3.2.1', 'localhost', '[::1]'])
      expect(isLoopback(host), host).toBe(true);
  });
});
