import { describe, expect, it } from 'vitest';
import { parseProjectJson, renderProjectHtml, renderProjectJson, type PageFile } from '../pypi/simple.ts';
import type { AnsweringIndex } from './index-answers.ts';
import { MergedIndex } from './merged-index.ts';
import { createPolicy, type ClientPolicy, type PolicyRule } from './policy.ts';
import { RuledIndex, type Withheld } from './ruled-index.ts';
import { UNCLAIMED, type SignedClaim } from './signed-claim.ts';
import { renderStatusPage } from './status-page.ts';
import { createVerdict } from './verdict.ts';
import type { SignedFile } from './verified-index.ts';

const A = 'https://a.example/';
const B = 'https://b.example/';
const NOW = new Date('2026-11-22T12:00:00Z');

function file(version: string, uploadTime: string): PageFile {
  const sha256 = 'ab'.repeat(32);
  const filename = `demo-${version}-py3-none-any.whl`;
  return { filename, version, sha256, size: 1, uploadTime, coreMetadataSha256: sha256 };
}

const FILES = [
  file('1.0', '2026-11-19T12:00:00.000000Z'),
  file('2.0', '2026-11-19T12:00:00.000001Z'),
  file('3.0', '2030-01-01T00:00:00.000000Z'),
];

/** An index that has one project, signed by this role. */
function indexOf(
  url: string,
  claim: SignedClaim = UNCLAIMED,
  files: readonly PageFile[] = FILES,
): AnsweringIndex {
  const page = { name: 'demo', files };
  const signedBy = 'bin-0';
  const signed = { signedBy, claim } as SignedFile;
  return {
    url,
    page: async (project, format) => {
      const bytes = format === 'json' ? renderProjectJson(page) : renderProjectHtml(page);
      return project === 'demo' ? { bytes, sha256: 'cd'.repeat(32), signedBy, claim } : undefined;
    },
    fileTarget: async (project) => (project === 'demo' ? signed : undefined),
    metadata: async () => Buffer.from('metadata'),
    download: async () => ({ path: url, length: 1, sha256: '' }),
    absence: async (project) => createVerdict('unknown', project, url, 'There is none'),
    knownFilenames: async () => ['demo-1.0-py3-none-any.whl'],
  };
}

const KEY = 'aa'.repeat(32);
const OTHER = 'bb'.repeat(32);

function claimOf(standing: 'recently-claimed' | 'claimed', ...keyIds: readonly string[]): SignedClaim {
  return { standing, keyIds, threshold: 1 };
}

function policyOf(rule: Partial<PolicyRule>, routes: Record<string, string> = {}): ClientPolicy {
  const none = { mustBeClaimed: false, signedBy: [], minimumAgeDays: 0, locked: false };
  return createPolicy({
    routes: new Map(Object.entries(routes)),
    agreements: new Map(),
    rules: [{ projects: ['demo'], ...none, ...rule }],
    defaultIndex: A,
    unknownHosts: 'refuse',
  });
}

describe('RuledIndex', () => {
  it('neither lists nor gives what is younger than the rule, to the millisecond', async () => {
    const withheld: Withheld[] = [];
    const index = new RuledIndex({
      index: indexOf(A),
      policy: policyOf({ minimumAgeDays: 3 }),
      clock: () => NOW,
      onWithheld: (each) => void withheld.push(each),
    });
    const json = await index.page('demo', 'json');
    const listed = parseProjectJson(json?.bytes ?? Buffer.alloc(0)).files.map(({ version }) => version);
    // Clocks of clients count milliseconds.
    expect(listed).toEqual(['1.0', '2.0']);
    const html = Buffer.from((await index.page('demo', 'html'))?.bytes ?? '').toString('utf8');
    expect(html).toContain('demo-2.0');
    expect(html).not.toContain('demo-3.0');
    expect(withheld[0]).toMatchObject({ project: 'demo', filenames: ['demo-3.0-py3-none-any.whl'] });
    expect(await index.fileTarget('demo', 'demo-1.0-py3-none-any.whl')).toBeDefined();
    for (const name of ['demo-3.0-py3-none-any.whl', 'demo-4.0-py3-none-any.whl']) {
      await expect(index.fileTarget('demo', name)).rejects.toMatchObject({ code: 'policy' });
      await expect(index.metadata('demo', name)).rejects.toMatchObject({ code: 'policy' });
    }
  });

  it('gives a page as it was signed when no rule takes anything out of it', async () => {
    const inner = indexOf(A, UNCLAIMED, FILES.slice(0, 1));
    const index = new RuledIndex({ index: inner, policy: policyOf({ minimumAgeDays: 3 }), clock: () => NOW });
    expect(await index.page('demo', 'json')).toEqual(await inner.page('demo', 'json'));
  });

  it('refuses what developers did not sign, and what only the online key says that they are', async () => {
    const policy = policyOf({ mustBeClaimed: true });
    for (const claim of [UNCLAIMED, claimOf('recently-claimed', KEY)]) {
      const index = new RuledIndex({ index: indexOf(A, claim), policy });
      await expect(index.page('demo', 'html')).rejects.toMatchObject({ code: 'policy' });
      await expect(index.fileTarget('demo', 'x')).rejects.toMatchObject({ code: 'policy' });
      await expect(index.metadata('demo', 'x')).rejects.toMatchObject({ code: 'policy' });
    }
    const claimed = new RuledIndex({ index: indexOf(A, claimOf('claimed', KEY)), policy });
    expect(await claimed.page('demo', 'json')).toBeDefined();
    expect(await claimed.fileTarget('demo', 'x')).toBeDefined();
  });

  it('refuses a project that may be signed with any key that is not pinned', async () => {
    const policy = policyOf({ signedBy: [KEY] });
    for (const claim of [UNCLAIMED, claimOf('claimed', OTHER), claimOf('claimed', KEY, OTHER)]) {
      const index = new RuledIndex({ index: indexOf(A, claim), policy });
      await expect(index.page('demo', 'html')).rejects.toMatchObject({ code: 'policy' });
      await expect(index.fileTarget('demo', 'x')).rejects.toMatchObject({ code: 'policy' });
      await expect(index.metadata('demo', 'x')).rejects.toMatchObject({ code: 'policy' });
    }
    const pinned = new RuledIndex({ index: indexOf(A, claimOf('recently-claimed', KEY)), policy });
    expect(await pinned.page('demo', 'json')).toBeDefined();
  });

  it('has nothing of a project that comes from another index', async () => {
    const index = new RuledIndex({ index: indexOf(A), policy: policyOf({}, { 'dem*': B }) });
    expect(await index.page('demo', 'json')).toBeUndefined();
    expect(await index.fileTarget('demo', 'x')).toBeUndefined();
    expect(await index.metadata('demo', 'x')).toBeUndefined();
    expect(await index.knownFilenames('demo')).toEqual([]);
  });
});

describe('MergedIndex', () => {
  it('takes each name from its own index, and downloads from where the file was found', async () => {
    const byUrl = new Map([A, B].map((url) => [url, indexOf(url)]));
    const merged = new MergedIndex([A, B], policyOf({}, { demo: B }), (_project, url) => {
      return byUrl.get(url) as AnsweringIndex;
    });
    const found = await merged.fileTarget('demo', 'x');
    expect((await merged.download(found as SignedFile)).path).toBe(B);
    expect(await merged.page('other', 'json')).toBeUndefined();
    await expect(merged.download({} as SignedFile)).rejects.toThrow('not given by this index');
  });

  it('refuses a name that no index is for', async () => {
    const policy = createPolicy({
      routes: new Map([['acme-*', A]]),
      agreements: new Map(),
      rules: [],
      defaultIndex: undefined,
      unknownHosts: 'refuse',
    });
    const merged = new MergedIndex([A], policy, () => indexOf(A));
    await expect(merged.page('demo', 'json')).rejects.toMatchObject({ code: 'policy' });
    await expect(merged.fileTarget('demo', 'x')).rejects.toMatchObject({ code: 'policy' });
    expect(await merged.knownFilenames('demo')).toEqual([]);
  });
});

describe('the status page', () => {
  it('escapes whatever an index wrote, and allows no script', () => {
    const { body, headers } = renderStatusPage({
      now: NOW,
      startedAt: NOW,
      simpleUrl: 'http://127.0.0.1:1/t/simple/',
      source: '<b>',
      sessionMaxAge: 600_000,
      indexes: [],
      refused: [
        { at: NOW, count: 1, verdict: createVerdict('tampered', '<script>', A, '"><img src=x onerror=1>') },
      ],
      withheld: [{ project: 'demo', reason: '<i>', filenames: ['<u>'] }],
    });
    expect(String(body)).not.toMatch(/<script|<img|<i>|<u>|<dd><b>/);
    expect(String(body)).toContain('&lt;script&gt;');
    expect(headers['content-security-policy']).toMatch(
      /^default-src 'none'; style-src 'sha256-[^']+'; frame-ancestors 'none'$/,
    );
  });
});
