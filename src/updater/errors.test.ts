import { describe, expect, it } from 'vitest';
import { DownloadError, SlowRetrievalError } from '../tuf/download-error.ts';
import { downloadFailed, isNetworkAway, printableUrl, unexpectedStatus, withLocalFile } from './errors.ts';

describe('printableUrl', () => {
  it('leaves out user name, password, query and fragment', () => {
    expect(printableUrl('https://user:secret@host:8080/a%20b?token=secret#secret')).toBe(
      'https://host:8080/a%20b',
    );
  });

  it('shortens what would fill a log, and shows no invalid URL at all', () => {
    const long = printableUrl(`https://host/${'a'.repeat(10_000)}`);
    expect(long).toHaveLength(301);
    expect(long.endsWith('a…')).toBe(true);
    expect(printableUrl('no URL, but a secret')).toBe('(invalid URL)');
  });
});

describe('DownloadError', () => {
  it('of a fetcher of somebody else carries a code too', () => {
    expect(new DownloadError('no carrier')).toMatchObject({ code: 'DOWNLOAD_FAILED', url: undefined });
  });

  it('names the URL in its message, where there is one', () => {
    expect(downloadFailed('OFFLINE', undefined, 'no network').message).toBe('no network');
    const error = downloadFailed('ABORTED', 'https://host/x?secret', 'given up');
    expect(error).toMatchObject({
      message: 'https://host/x: given up',
      url: 'https://host/x',
      code: 'ABORTED',
    });
  });
});

describe('isNetworkAway', () => {
  it('is so when nobody answers, and not when somebody gives an answer or this machine refuses', () => {
    const url = 'https://host/x';
    expect(isNetworkAway(downloadFailed('CONNECTION_FAILED', url, 'no route'))).toBe(true);
    expect(isNetworkAway(new SlowRetrievalError('no byte came'))).toBe(true);
    for (const code of ['OFFLINE', 'CONTENT_ENCODING', 'REDIRECT_REFUSED', 'ABORTED'] as const)
      expect([code, isNetworkAway(downloadFailed(code, url, 'x'))]).toEqual([code, false]);
    for (const status of [404, 500, 503]) expect(isNetworkAway(unexpectedStatus(url, status))).toBe(false);
    for (const other of [undefined, new Error('x'), { code: 'CONNECTION_FAILED' }])
      expect(isNetworkAway(other)).toBe(false);
  });
});

describe('withLocalFile', () => {
  it('turns what the operating system refuses into a LocalFileError, and nothing else', async () => {
    const refused = Object.assign(new Error('EIO'), { code: 'EIO', syscall: 'read' });
    await expect(withLocalFile('/folder', () => Promise.reject(refused))).rejects.toMatchObject({
      name: 'LocalFileError',
      code: 'INPUT_OUTPUT',
      path: '/folder',
      message: '/folder: cannot be used (read: EIO)',
      cause: refused,
    });
    for (const other of [new Error('x'), Object.assign(new Error('x'), { code: 'X' })])
      await expect(withLocalFile('/folder', () => Promise.reject(other))).rejects.toBe(other);
  });
});
