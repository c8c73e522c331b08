import { readFile } from 'node:fs/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { reportError } from './terminal.ts';

afterEach(() => vi.restoreAllMocks());

/** What a person reads of an error. */
function said(error: unknown): string {
  const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  reportError(error);
  return write.mock.calls.map(([text]) => String(text)).join('');
}

describe('an error of the system', () => {
  it.each([
    ['/nope/password', 'there is no such file or folder (open: ENOENT)'],
    ['/dev/null/password', 'a part of the path is no folder (open: ENOTDIR)'],
  ])('about %s is a sentence', async (path, reason) => {
    const error: unknown = await readFile(path).catch((cause: unknown) => cause);
    expect(said(error)).toBe(`error: ${path} cannot be used: ${reason}.\n`);
  });
});
