import { describe, expect, it } from 'vitest';
import {
  DownloadError,
  DownloadHttpError,
  DownloadLengthMismatchError,
  SlowRetrievalError,
} from '../tuf/download-error.ts';
import {
  BadVersionNumberError,
  ExpiredMetadataError,
  LengthOrHashMismatchError,
  MalformedMetadataError,
  RoleNotFoundError,
  UnsignedMetadataError,
} from '../tuf/errors.ts';
import { LocalFileError } from '../updater/errors.ts';
import { explain } from './explain.ts';
import { isVerificationFailure, VerdictError, verdictReason, verdictSlug } from './verdict.ts';

const index = 'https://index.example/';
const context = { subject: 'packages/foo/foo-1.0.tar.gz', index, now: new Date('2026-11-22T12:34:56Z') };
const url = `${index}metadata/timestamp.json`;

describe('explain', () => {
  it.each<[Error, string, boolean]>([
    [new UnsignedMetadataError('x', { role: 'snapshot' }), 'wrongly-signed', true],
    [new BadVersionNumberError('x', { role: 'snapshot' }), 'rollback', true],
    [new ExpiredMetadataError('x', { role: 'timestamp' }), 'expired', true],
    [new LengthOrHashMismatchError('x', { path: context.subject }), 'tampered', true],
    [new MalformedMetadataError('x'), 'malformed', true],
    [new RoleNotFoundError('x'), 'incomplete', true],
    [new DownloadLengthMismatchError('x', { url }), 'tampered', true],
    [new DownloadHttpError('x', 404, { url: `${index}metadata/7.snapshot.json` }), 'incomplete', true],
    [new DownloadHttpError('x', 404, { url }), 'unreachable', false],
    [new DownloadHttpError('x', 503, { url: `${index}metadata/7.snapshot.json` }), 'unreachable', false],
    [new SlowRetrievalError('x', { url }), 'unreachable', false],
    [new DownloadError('x', { url }), 'unreachable', false],
    [new LocalFileError('LOCKED', '/state', 'x'), 'local-state', false],
    [
      Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC', syscall: 'write' }),
      'local-state',
      false,
    ],
    [new VerdictError('not-signed', 'x'), 'not-signed', true],
    [new TypeError('x is not a function'), 'internal', false],
  ])('%o', (error, code, isFailure) => {
    const verdict = explain(error, context);
    expect([verdict.code, isVerificationFailure(verdict)]).toEqual([code, isFailure]);
    expect(verdict.what).toMatch(/[.!?]$/);
  });

  it('refuses what is thrown without being an error', () => {
    expect(explain(undefined, context).code).toBe('internal');
    expect(explain('text', context).code).toBe('internal');
  });

  it('sends nobody to the index for what the developers of a claimed project have to sign again', () => {
    for (const role of ['project-foo', 'project-foo.release', 'project-foo.wheels']) {
      const { meaning, remedy } = explain(new ExpiredMetadataError('expired', { role }), context);
      expect(meaning).toContain('developers of foo');
      expect(remedy).toContain('rind sign foo --renew');
    }
    for (const role of ['timestamp', 'claimed', 'bin-foo'])
      expect(explain(new ExpiredMetadataError('expired', { role }), context).remedy).toContain(
        'runs the index',
      );
  });

  it('names the role, the clock, and what is missing at the URL', () => {
    const expired = explain(new ExpiredMetadataError('expired yesterday', { role: 'timestamp' }), context);
    expect(expired.subject).toBe('metadata of timestamp');
    expect(expired.what).toBe(
      "timestamp: expired yesterday (this machine's clock says 2026-11-22 12:34 UTC).",
    );
    expect(explain(new DownloadHttpError('x', 404, { url }), context).what).toContain(
      'has no signed metadata',
    );
    const tampered = explain(
      new LengthOrHashMismatchError('has 3 bytes', { path: context.subject }),
      context,
    );
    expect([tampered.subject, tampered.what]).toEqual([context.subject, 'It has 3 bytes.']);
  });

  it.each([
    ['SELF_SIGNED_CERT_IN_CHAIN', /no authority trusted here vouches for.*SSL_CERT_FILE/],
    ['CERT_HAS_EXPIRED', /a certificate that has expired/],
    ['ERR_TLS_CERT_ALTNAME_INVALID', /a certificate that is for another host/],
    ['ECONNREFUSED', /^x\.$/],
  ])('says what is wrong with the certificate of the server (%s)', (code, sentence) => {
    const cause = Object.assign(new Error(code), { code });
    const { what } = explain(new DownloadError('x', { url, code: 'CONNECTION_FAILED', cause }), context);
    expect(what).toMatch(sentence);
  });

  it('lets no text from outside break out of a line, a header or a URL', () => {
    const verdict = explain(new MalformedMetadataError('a\r\nX: y\u0000\u001b[31m \u{1f4a3}'.repeat(200)), {
      ...context,
      subject: 'packages/foo/\r\n../../x',
    });
    // eslint-disable-next-line no-control-regex -- looking for control characters is the point
    expect(verdict.what).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
    expect(explain(new MalformedMetadataError('x', { role: 'a\u001b[2J\r\nb' }), context).subject).toBe(
      'metadata of a [2J b',
    );
    expect(verdict.what.length).toBeLessThan(700);
    expect(verdictReason(verdict)).toMatch(/^[ -~]{1,400}$/);
    expect(verdictSlug(verdict)).toMatch(/^[A-Za-z0-9.-]{1,120}$/);
  });
});
