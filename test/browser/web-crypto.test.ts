import { join } from 'node:path';
import { build } from 'esbuild';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { RepositorySimulator, type SimulatorScheme } from '../../src/testing/index.ts';
import { launchChromium } from '../tools/chromium.ts';
import { makeWheel } from '../tools/distribution.ts';
import { flipByte, Mirror } from '../tools/mirror.ts';
import { buildRind, checkout, RindServer, scratchFolder } from '../tools/rind-program.ts';
import { whenAvailable } from '../tools/unavailable.ts';
import { Uploader } from '../tools/upload.ts';

interface Request {
  readonly root: string;
  readonly metadataUrl: string;
  readonly targetUrl: string;
  readonly path: string;
  readonly now: string;
}

interface Verdict {
  /** The roles whose metadata was asked for, in order. */
  readonly asked?: readonly string[];
  readonly content?: readonly number[];
  readonly error?: {
    readonly name: string;
    readonly code: string;
    readonly role?: string;
    readonly message: string;
  };
}

/** What test/browser/page.mjs puts into the page. */
interface PageScope {
  readonly verifyTarget: (request: Request) => Promise<Verdict>;
  readonly surroundings: () => unknown;
}

/** The built `rind/tuf` and the page's script in one, for a browser: an import of a Node.js module would not resolve. */
async function bundle(): Promise<string> {
  await buildRind();
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, 'page.mjs')],
    alias: { 'rind/tuf': join(checkout, 'dist', 'tuf', 'index.js') },
    bundle: true,
    write: false,
    format: 'iife',
    platform: 'browser',
    target: 'es2023',
  });
  return outputFiles[0]?.text ?? '';
}

describe('rind/tuf in Chromium, with nothing but WebCrypto and fetch', () => {
  const chromium = whenAvailable(launchChromium);
  let script: string;
  let page: Page;

  beforeAll(async () => {
    if (chromium.present) script = await bundle();
  });

  afterAll(async () => {
    if (chromium.present) await chromium.value.close();
  });

  afterEach(async () => {
    await page?.close();
  });

  /** A page of the origin, so that it may ask it for everything else. */
  async function open(origin: string): Promise<void> {
    page = await chromium.value.newPage();
    await page.route(`${origin}empty-page`, (route) =>
      route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>Rind</title>' }),
    );
    await page.goto(`${origin}empty-page`);
    await page.addScriptTag({ content: script });
  }

  function verify(request: Request): Promise<Verdict> {
    return page.evaluate((asked) => (globalThis as unknown as PageScope).verifyTarget(asked), request);
  }

  describe('against an index of rind serve', () => {
    const wheel = makeWheel({ name: 'browsed', version: '1.0', padding: 20_000 });
    const file = `packages/browsed/${wheel.filename}`;
    let scratch: Awaited<ReturnType<typeof scratchFolder>>;
    let server: RindServer;
    let mirror: Mirror;

    beforeAll(async () => {
      if (!chromium.present) return;
      scratch = await scratchFolder('browser');
      server = await RindServer.start({ folder: join(scratch.path, 'data') });
      mirror = await Mirror.start(server.url);
      const uploader = new Uploader(server.uploadUrl, server.token);
      expect(await uploader.upload(wheel)).toMatchObject({ status: 200 });
      uploader.close();
    });

    afterAll(async () => {
      await mirror?.close();
      await server?.stop();
      await scratch?.remove();
    });

    function request(path: string): Request {
      return {
        root: `${mirror.url}metadata/1.root.json`,
        metadataUrl: `${mirror.url}metadata/`,
        targetUrl: mirror.url,
        path,
        now: new Date().toISOString(),
      };
    }

    it('verifies root, timestamp, snapshot, targets, bins and one bin, then a file and its page', async () => {
      mirror.tamper(undefined);
      await open(mirror.url);
      const found = await verify(request(file));
      expect(found.error).toBeUndefined();
      expect(Buffer.from(found.content ?? [])).toEqual(wheel.bytes);
      expect(found.asked?.slice(0, 4)).toEqual(['root', 'timestamp', 'snapshot', 'targets']);
      expect(found.asked).toContain('bins');
      expect(found.asked?.at(-1)).toMatch(/^bin-[0-9a-f]+$/);

      const listing = await verify(request('simple/browsed/index.json'));
      const text = Buffer.from(listing.content ?? []).toString();
      expect(JSON.parse(text)).toMatchObject({ name: 'browsed', files: [{ filename: wheel.filename }] });
    });

    it('runs without anything of Node.js', async () => {
      await open(mirror.url);
      expect(await page.evaluate(() => (globalThis as unknown as PageScope).surroundings())).toEqual({
        hasProcess: false,
        hasBuffer: false,
        defaultIsWebCrypto: true,
      });
    });

    it('finds no target that nobody signed', async () => {
      await open(mirror.url);
      const absent = await verify(request('packages/browsed/browsed-9.9-py3-none-any.whl'));
      expect(absent.error).toBeUndefined();
      expect(absent.content).toBeUndefined();
    });

    it.each([
      ['timestamp', /\/timestamp\.json$/],
      ['snapshot', /\.snapshot\.json$/],
      ['targets', /\.targets\.json$/],
      ['bins', /\.bins\.json$/],
    ])('refuses %s with one changed byte in its signed part', async (role, paths) => {
      // It stays well-formed and plausible: only hash or signature tell.
      const change = (bytes: Buffer) =>
        Buffer.from(bytes.toString('latin1').replace(/"expires":"2/, '"expires":"3'), 'latin1');
      mirror.tamper({ paths, change });
      await open(mirror.url);
      const { error, content } = await verify(request(file));
      expect(mirror.changed).toHaveLength(1);
      expect(content).toBeUndefined();
      expect(error?.code).toMatch(/^(UNSIGNED_METADATA|LENGTH_OR_HASH_MISMATCH)$/);
      expect(error?.role).toBe(role);
    });

    it('refuses a bin with one changed byte of a hash', async () => {
      const change = (bytes: Buffer) =>
        Buffer.from(
          bytes
            .toString('latin1')
            .replace(/"sha256":"(.)/, (_, digit: string) => `"sha256":"${digit === 'a' ? 'b' : 'a'}`),
          'latin1',
        );
      mirror.tamper({ paths: /\.bin-[0-9a-f]+\.json$/, change });
      await open(mirror.url);
      const { error } = await verify(request(file));
      expect(mirror.changed).toHaveLength(1);
      expect(error?.code).toMatch(/^(UNSIGNED_METADATA|LENGTH_OR_HASH_MISMATCH)$/);
    });

    it('refuses a file with one changed byte', async () => {
      mirror.tamper({ paths: /\.whl$/, change: (bytes) => flipByte(bytes) });
      await open(mirror.url);
      const { error } = await verify(request(file));
      expect(mirror.changed).toHaveLength(1);
      expect(error).toMatchObject({ name: 'LengthOrHashMismatchError', code: 'LENGTH_OR_HASH_MISMATCH' });
    });
  });

  const schemes: readonly SimulatorScheme[] = [
    'ed25519',
    'ecdsa-sha2-nistp256',
    'ecdsa-sha2-nistp384',
    'rsassa-pss-sha256',
  ];

  describe.each(schemes)('against a repository signed with %s', (scheme) => {
    const origin = 'https://repository.invalid/';
    const content = Buffer.from('what the repository signed');
    let repository: RepositorySimulator;

    /** The simulated repository, served to the page as if it were the origin. */
    async function openRepository(): Promise<void> {
      repository = new RepositorySimulator({ scheme });
      repository.addDelegation('targets', 'delegated');
      repository.addTarget('delegated', 'a.txt', content);
      repository.publishAll();
      await open(origin);
      await page.route(
        (url) => /^\/(metadata|targets)\//.test(url.pathname),
        async (route) => {
          const bytes = repository.files.get(new URL(route.request().url()).pathname.slice(1));
          await (bytes === undefined
            ? route.fulfill({ status: 404 })
            : route.fulfill({ body: Buffer.from(bytes) }));
        },
      );
    }

    const request: Request = {
      root: `${origin}metadata/1.root.json`,
      metadataUrl: `${origin}metadata/`,
      targetUrl: `${origin}targets/`,
      path: 'a.txt',
      now: new Date().toISOString(),
    };

    it('takes its target', async () => {
      await openRepository();
      const verdict = await verify(request);
      expect(verdict.error).toBeUndefined();
      expect(Buffer.from(verdict.content ?? [])).toEqual(content);
      expect(verdict.asked).toEqual(['root', 'timestamp', 'snapshot', 'targets', 'delegated']);
    });

    it('refuses a timestamp signed by another key of the same kind', async () => {
      await openRepository();
      repository.rotateKeys('timestamp');
      repository.publish(['timestamp']);
      expect((await verify(request)).error).toMatchObject({ code: 'UNSIGNED_METADATA', role: 'timestamp' });
    });

    it('refuses a signature with one changed bit', async () => {
      await openRepository();
      const name = 'metadata/timestamp.json';
      const envelope = JSON.parse(Buffer.from(repository.files.get(name) ?? []).toString()) as {
        signatures: { sig: string }[];
      };
      const [signature] = envelope.signatures;
      if (signature === undefined) throw new Error('the timestamp has no signature');
      signature.sig = flipByte(Buffer.from(signature.sig, 'hex')).toString('hex');
      repository.files.set(name, Buffer.from(JSON.stringify(envelope)));
      expect((await verify(request)).error).toMatchObject({ code: 'UNSIGNED_METADATA', role: 'timestamp' });
    });
  });
});
