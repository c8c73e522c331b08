import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BYTES, JSON_TYPE, METADATA, ProxyWorld, WHEEL } from '../../test/support/proxy-world.ts';
import { binOf, flipByte } from '../../test/support/simulated-index.ts';
import { timeText } from '../testing/repository-simulator.ts';
import { VerifiedFiles } from './verified-files.ts';

let world: ProxyWorld;
beforeEach(async () => {
  world = await ProxyWorld.open();
});
afterEach(() => world.close());

describe('VerifyingProxy against tampering', () => {
  const HASHED = '(?:[0-9a-f]{64}\\.)?';
  const attacks: [name: string, paths: RegExp, code: RegExp][] = [
    ['the JSON page', new RegExp(`^simple/foo/${HASHED}index\\.json$`), /tampered/],
    ['the HTML page', new RegExp(`^simple/foo/${HASHED}index\\.html$`), /tampered/],
    ['the file', new RegExp(`^packages/foo/${HASHED}foo-1\\.0-py3-none-any\\.whl$`), /tampered/],
    ['the metadata beside the file', /whl\.metadata$/, /tampered/],
    ['the timestamp', /timestamp\.json$/, /wrongly-signed|malformed/],
    ['the snapshot', /snapshot\.json$/, /wrongly-signed|malformed|tampered/],
    ['targets', /\d+\.targets\.json$/, /wrongly-signed|malformed/],
    ['every bin', /bin-[0-9a-f]\.json$/, /wrongly-signed|malformed/],
  ];

  it.each(attacks)('withholds everything that depends on %s', async (_name, paths, code) => {
    const honest = await world.askAll();
    await world.files.close();
    // Nothing that was verified before: it would be used, and rightly.
    world.files = await VerifiedFiles.create(join(world.folder, 'other-files'));
    await rm(join(world.folder, 'metadata'), { recursive: true });
    await world.restart();
    world.upstream.tamper(paths);
    const answers = await world.askAll();
    expect(world.verdicts.length).toBeGreaterThan(0);
    for (const verdict of world.verdicts) expect(verdict.code).toMatch(code);
    const changed = honest.filter(({ body }) => !answers.some((answer) => answer.body.equals(body)));
    expect(changed.length).toBeGreaterThan(0);
    // What was answered is what was signed, or a refusal.
    for (const [index, { status, body }] of answers.entries()) {
      const isTombstone = body.includes('TUF-VERIFICATION-FAILED');
      if (status === 200 && !isTombstone) expect(body).toEqual(honest[index]?.body);
      else expect([200, 403]).toContain(status);
    }
    world.upstream.behave();
    world.verdicts.length = 0;
    for (const [index, answer] of (await world.askAll()).entries())
      expect(answer.body).toEqual(honest[index]?.body);
    expect(world.verdicts).toEqual([]);
  });

  it('refuses a file that is longer, shorter, another one or cut off', async () => {
    const changes = [
      (bytes: Uint8Array) => Buffer.concat([bytes, Buffer.from('x')]),
      (bytes: Uint8Array) => bytes.subarray(1),
      () => Buffer.alloc(BYTES.length),
      () => 'cut' as const,
    ];
    for (const change of changes) {
      world.upstream.tamper(new RegExp(`${WHEEL}$`), change);
      expect((await world.ask(`packages/foo/${WHEEL}`)).status).toBe(403);
      world.upstream.behave();
    }
    expect(world.verdicts.map(({ code }) => code).slice(0, 3)).toEqual(['tampered', 'tampered', 'tampered']);
    expect(['tampered', 'unreachable']).toContain(world.verdicts[3]?.code);
    const left = (await readdir(join(world.folder, 'files'), { recursive: true })).filter((name) =>
      /[0-9a-f]{64}/.test(name),
    );
    expect(left).toEqual([]);
  });

  it('refuses the page of another project under this name', async () => {
    world.upstream.addProject('bar', [
      { filename: 'bar-1.0.tar.gz', bytes: Buffer.from('bar'), metadata: 'bar' },
    ]);
    const { repository } = world.upstream;
    const path = 'simple/foo/index.json';
    const bar = await world.ask('simple/bar/', { accept: JSON_TYPE });
    repository.addTarget(binOf(path), path, bar.body);
    repository.publishAll(binOf(path));
    await world.restart();
    expect((await world.ask(`packages/foo/${WHEEL}.metadata`)).status).toBe(403);
    expect(world.verdicts).toMatchObject([{ code: 'tampered' }]);
  });

  it('tells expired, rolled back, wrongly signed, not signed, and unreachable apart', async () => {
    const codes: string[] = [];
    const refused = async (): Promise<void> => {
      await world.restart();
      expect((await world.ask(`packages/foo/${WHEEL}`)).status).toBe(403);
      codes.push(world.verdicts.at(-1)?.code ?? '');
    };
    await world.ask('simple/foo/');
    const { repository } = world.upstream;

    world.now = new Date(Date.now() + 40 * 86_400_000);
    await refused();
    expect(world.verdicts.at(-1)?.what).toContain(`clock says ${world.now.toISOString().slice(0, 10)}`);
    world.now = new Date();

    const old = repository.files.get('metadata/timestamp.json') ?? Buffer.alloc(0);
    world.upstream.addProject('bar', []);
    await world.ask('simple/bar/');
    world.upstream.tamper(/timestamp\.json$/, () => old);
    await refused();
    world.upstream.behave();

    repository.signers('timestamp').length = 0;
    repository.publish(['timestamp']);
    await refused();
    repository.addKey('timestamp');
    repository.publish(['root', 'timestamp']);

    world.upstream.addProject('foo', [{ filename: WHEEL, bytes: BYTES, metadata: METADATA }], [WHEEL]);
    delete repository.role(binOf(`packages/foo/${WHEEL}`)).targets[`packages/foo/${WHEEL}`];
    repository.publishAll(binOf(`packages/foo/${WHEEL}`));
    await refused();

    await world.upstream.close();
    await refused();
    expect(codes).toEqual(['expired', 'rollback', 'wrongly-signed', 'not-signed', 'unreachable']);
    for (const { what, meaning, remedy } of world.verdicts) {
      for (const sentence of [what, meaning, remedy]) expect(sentence).toMatch(/^\S.*[.]$/);
    }
  });

  it('refuses metadata that expired while the proxy was running, once a fresh session is due', async () => {
    await world.restart({}, 0);
    expect((await world.ask('simple/foo/')).status).toBe(200);
    world.upstream.repository.timestamp.expires = timeText(new Date(Date.now() - 1000));
    world.upstream.repository.publish(['timestamp']);
    expect((await world.ask(`packages/foo/${WHEEL}`)).status).toBe(403);
    expect(world.verdicts).toMatchObject([{ code: 'expired' }]);
  });
});

describe('VerifyingProxy as it fails closed', () => {
  const refuse = (): void => world.upstream.tamper(/timestamp\.json$/, () => Buffer.from('{}'));

  it('stops uv and poetry at the page, with the reason', async () => {
    refuse();
    for (const agent of ['uv/0.13.9 (Linux)', 'poetry/2.4.1']) {
      const answer = await world.ask('simple/foo/', { 'user-agent': agent, accept: JSON_TYPE });
      expect(answer).toMatchObject({ status: 422, headers: { 'content-type': 'application/problem+json' } });
      expect(answer.reason).toContain('rind refuses');
      const problem = JSON.parse(answer.body.toString()) as { title: string; detail: string; code: string };
      expect(problem.code).toBe('malformed');
      expect(problem.detail).toContain('Check that the URL');
    }
  });

  it('gives everybody else a listing in which every choice ends at the reason', async () => {
    await world.ask(`packages/foo/${WHEEL}.metadata`);
    await world.restart();
    refuse();
    for (const accept of [JSON_TYPE, 'text/html', '*/*']) {
      const page = await world.ask('simple/foo/', { 'user-agent': 'pip/26.2', accept });
      expect(page.status).toBe(200);
      const links = [...page.body.toString().matchAll(/(?:"url":|href=)"([^"]+)"/g)].map(
        (match) => match[1] ?? '',
      );
      expect(links.length).toBe(6);
      for (const link of links) {
        for (const suffix of ['', '.metadata']) {
          const answer = await world.ask(new URL(link, `${world.proxy.url}simple/foo/`).href + suffix);
          expect(answer.status).toBe(403);
          expect(answer.reason).toContain('rind refuses');
        }
      }
    }
  });

  it('lists decoys for the versions in a page it never verified', async () => {
    world.upstream.tamper(/^simple\/foo\//);
    const page = await world.ask('simple/foo/', { 'user-agent': 'pip/26.2', accept: JSON_TYPE });
    expect(page.body.toString()).toContain('foo-1.0-99999tuf-py3-none-any.whl');
    expect(page.body.toString()).toContain('foo-1.1+local-99999tuf-py3-none-any.whl');
    world.upstream.behave();
    world.upstream.tamper(/^simple\/foo\//, () => Buffer.from('evil-1.0.tar.gz <script> foo-3.0.tar.gz'));
    const invented = await world.ask('simple/foo/', { 'user-agent': 'pip/26.2', accept: 'text/html' });
    expect(invented.body.toString()).not.toMatch(/evil|script/);
  });

  it('answers only after the owner was told, so that he can end the installer first', async () => {
    let isEnded = false;
    await world.restart({
      onFailure: async () => {
        await delay(100);
        isEnded = true;
      },
    });
    refuse();
    const answer = await world.ask(`packages/foo/${WHEEL}`);
    expect([answer.status, isEnded]).toEqual([403, true]);
  });

  it('puts nothing into the reason phrase that is not printable ASCII', async () => {
    world.upstream.tamper(/timestamp\.json$/, () => Buffer.from('\u{1f4a3}\r\nX: y'));
    const answer = await world.ask(`packages/foo/${WHEEL}`);
    expect(answer.status).toBe(403);
    expect(answer.reason).toMatch(/^[ -~]+$/);
    expect(answer.headers).not.toHaveProperty('x');
  });
});

it('flipByte changes what it is given', () => {
  expect(flipByte(BYTES)).not.toEqual(BYTES);
});
