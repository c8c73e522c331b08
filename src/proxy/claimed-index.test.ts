import { describe, expect, it } from 'vitest';
import { parseProjectJson, renderProjectHtml, renderProjectJson } from '../pypi/simple.ts';
import type { Takedown } from '../pypi/takedown-list.ts';
import { ClaimedIndex, type ClaimedIndexOptions } from './claimed-index.ts';
import { explain } from './explain.ts';
import type { Withheld } from './ruled-index.ts';
import { UNCLAIMED, type SignedClaim } from './signed-claim.ts';
import { createVerdict, isVerificationFailure, VerdictError } from './verdict.ts';
import type { SignedFile } from './verified-index.ts';

const URL = 'https://index.example/';
const [GOOD, BAD] = ['demo-1.0-py3-none-any.whl', 'demo-2.0-py3-none-any.whl'];
const PAGE = {
  name: 'demo',
  files: [GOOD, BAD].map((filename) => ({
    filename,
    version: filename.slice(5, 8),
    sha256: 'ab'.repeat(32),
    size: 1,
    uploadTime: '2026-11-19T12:00:00.000000Z',
  })),
};
const CLAIMED: SignedClaim = { standing: 'claimed', keyIds: ['aa'.repeat(32)], threshold: 1 };
const RECENT: SignedClaim = { ...CLAIMED, standing: 'recently-claimed' };

const down = (filename: string | null, project = 'demo'): Takedown => ({
  project,
  filename,
  reason: 'malware',
  since: '2026-11-20T12:00:00Z',
});

/** An index with one project of two files, and what its administrators withhold. */
function withholding(takedowns: readonly Takedown[], claim: SignedClaim = CLAIMED) {
  const withheld: Withheld[] = [];
  const index: ClaimedIndexOptions['index'] = {
    url: URL,
    page: async (project, format) => {
      const bytes = format === 'json' ? renderProjectJson(PAGE) : renderProjectHtml(PAGE);
      return project === 'demo'
        ? { bytes, sha256: 'cd'.repeat(32), signedBy: 'project-demo', claim }
        : undefined;
    },
    fileTarget: async (_, filename) =>
      [GOOD, BAD].includes(filename) ? ({ signedBy: 'project-demo', claim } as SignedFile) : undefined,
    metadata: async () => Buffer.from('metadata'),
    download: async () => ({ path: '', length: 1, sha256: '' }),
    absence: async (project) => createVerdict('unknown', project, URL, 'There is none'),
    knownFilenames: async () => [GOOD, BAD],
    takedowns: async () => takedowns,
  };
  const seen = new ClaimedIndex({ index, onWithheld: (each) => withheld.push(each) });
  const files = async (format: 'json' | 'html' = 'json') => {
    const page = await seen.page('demo', format);
    const text = Buffer.from(page?.bytes ?? '').toString();
    return [GOOD, BAD].filter((name) => text.includes(name));
  };
  return { seen, files, withheld };
}

const verdictOf = async (promise: Promise<unknown>) => {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return explain(error, { subject: 'demo', index: URL, now: new Date() });
};

describe('what administrators withhold of a claimed project', () => {
  it.each([CLAIMED, RECENT])(
    'is a file: neither listed nor given, and the others stay ($standing)',
    async (claim) => {
      const { seen, files, withheld } = withholding([down(BAD)], claim);
      expect([await files('json'), await files('html')]).toEqual([[GOOD], [GOOD]]);
      expect(withheld[0]).toMatchObject({
        project: 'demo',
        filenames: [BAD],
        reason: expect.stringContaining('malware') as string,
      });
      expect(await seen.fileTarget('demo', GOOD)).toBeDefined();
      expect(await seen.metadata('demo', GOOD)).toBeDefined();
      for (const asked of [seen.fileTarget('demo', BAD), seen.metadata('demo', BAD)])
        await expect(asked).rejects.toMatchObject({
          code: 'taken-down',
          message: expect.stringContaining(': malware') as string,
        });
    },
  );

  it('is a whole project, and its user is told of a takedown and not of an attack', async () => {
    const { seen } = withholding([down(null)]);
    for (const asked of [
      seen.page('demo', 'json'),
      seen.page('demo', 'html'),
      seen.fileTarget('demo', GOOD),
    ]) {
      const verdict = await verdictOf(asked);
      expect([verdict.code, isVerificationFailure(verdict)]).toEqual(['taken-down', true]);
      expect(verdict.meaning).toContain('This is no attack');
    }
  });

  it('only goes away: a list that names other files, other projects or the same twice adds nothing', async () => {
    const { seen, files, withheld } = withholding([
      down('demo-9.0-py3-none-any.whl'),
      down(GOOD, 'other'),
      down(null, 'demo-two'),
    ]);
    expect(await files()).toEqual([GOOD, BAD]);
    expect(withheld).toEqual([]);
    const page = await seen.page('demo', 'json');
    // As the developers signed it, to the byte.
    expect(page?.bytes).toEqual(renderProjectJson(PAGE));
    expect(await seen.fileTarget('demo', 'demo-9.0-py3-none-any.whl')).toBeUndefined();
    const twice = withholding([down(BAD), down(BAD)]);
    const listed = parseProjectJson((await twice.seen.page('demo', 'json'))?.bytes ?? new Uint8Array());
    expect(listed.files).toEqual([PAGE.files[0]]);
  });

  it('is nothing of an unclaimed project, whose pages the index signs itself', async () => {
    const { seen, files } = withholding([down(null), down(BAD)], UNCLAIMED);
    expect(await files()).toEqual([GOOD, BAD]);
    expect(await seen.fileTarget('demo', BAD)).toBeDefined();
    expect(await seen.metadata('demo', BAD)).toBeDefined();
  });

  it('is refused when the list itself cannot be read: nobody is given what may be withheld', async () => {
    const { seen } = withholding([]);
    const broken = new ClaimedIndex({
      index: {
        url: URL,
        page: seen.page.bind(seen),
        fileTarget: seen.fileTarget.bind(seen),
        metadata: seen.metadata.bind(seen),
        download: seen.download.bind(seen),
        absence: seen.absence.bind(seen),
        knownFilenames: seen.knownFilenames.bind(seen),
        takedowns: () => Promise.reject(new VerdictError('expired', 'The list has expired')),
      },
    });
    for (const asked of [
      broken.page('demo', 'json'),
      broken.fileTarget('demo', GOOD),
      broken.metadata('demo', GOOD),
    ])
      await expect(asked).rejects.toMatchObject({ code: 'expired' });
  });
});
