import { describe, expect, it } from 'vitest';
import { renderTombstone } from './tombstone.ts';

interface Listing {
  name: string;
  versions: string[];
  files: { filename: string; url: string; hashes: object; 'core-metadata': unknown }[];
}

describe('renderTombstone', () => {
  const known = ['foo_bar-1.0-py3-none-any.whl', 'foo_bar-1.1.tar.gz'];

  it('lists a decoy for every version, and one version above all', () => {
    const listing = JSON.parse(renderTombstone('json', 'foo-bar', known, 'tampered')) as Listing;
    expect(listing.files.map((file) => file.filename)).toEqual([
      'foo_bar-1.0-99999tuf-py3-none-any.whl',
      'foo_bar-1.0-py3-none-any.whl',
      'foo_bar-1.1-99999tuf-py3-none-any.whl',
      'foo_bar-1.1.tar.gz',
      'foo_bar-99999+tuf.verification.failed-py3-none-any.whl',
      'foo_bar-99999+tuf.verification.failed.tar.gz',
    ]);
    expect(new Set(listing.versions)).toEqual(new Set(['1.0', '1.1', '99999+tuf.verification.failed']));
  });

  it('links nowhere but to the refusal', () => {
    const listing = JSON.parse(renderTombstone('json', 'foo-bar', known, 'tampered')) as Listing;
    for (const file of listing.files) {
      expect(file.url).toBe(
        `../../TUF-VERIFICATION-FAILED/tampered/foo-bar/${encodeURIComponent(file.filename)}`,
      );
      expect(file.hashes).toEqual({});
    }
    const html = renderTombstone('html', 'foo-bar', known, 'tampered');
    expect(html.match(/href="\.\.\/\.\.\/TUF-VERIFICATION-FAILED\/tampered\/foo-bar\//g)).toHaveLength(6);
    expect(html).not.toContain('packages');
  });

  it('still warns when no file is known', () => {
    const listing = JSON.parse(renderTombstone('json', 'foo', [], 'expired')) as Listing;
    expect(listing.files).toHaveLength(2);
  });
});
