import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeSdist, makeWheel } from '../../test/tools/distribution.ts';
import {
  contentPart,
  formFields,
  ServerFixture,
  uploadForm,
  type Field,
  type FilePart,
} from '../../test/support/server-fixture.ts';

const JSON_PAGE = { Accept: 'application/vnd.pypi.simple.v1+json' };
const wheel = makeWheel({ name: 'Cheese.Shop', version: '1.0' });

let server: ServerFixture;
beforeAll(async () => {
  server = await ServerFixture.start();
});
afterAll(() => server.close());

describe('an upload', () => {
  it('is in the signed page, with its metadata, when the answer is 200', async () => {
    const answer = await server.upload(wheel);
    expect(answer.text).toBe('cheese_shop-1.0-py3-none-any.whl is stored, signed and public.\n');
    expect(answer.status).toBe(200);
    const page = await server.get('/simple/cheese-shop/', JSON_PAGE);
    const { files } = JSON.parse(page.text) as {
      files: {
        filename: string;
        url: string;
        hashes: { sha256: string };
        'core-metadata': { sha256: string };
      }[];
    };
    expect(files.map(({ filename }) => filename)).toEqual([wheel.filename]);
    const [file] = files;
    expect(file?.hashes.sha256).toBe(createHash('sha256').update(wheel.bytes).digest('hex'));
    const { pathname } = new URL(file?.url ?? '', 'http://host/simple/cheese-shop/');
    expect((await server.get(pathname)).body.equals(wheel.bytes)).toBe(true);
    const metadata = await server.get(`${pathname}.metadata`);
    expect(metadata.text).toContain('Name: Cheese.Shop\nVersion: 1.0\n');
    expect(file?.['core-metadata'].sha256).toBe(createHash('sha256').update(metadata.body).digest('hex'));
  });

  it('of the same file again is answered 200 and changes nothing', async () => {
    await server.upload(wheel);
    const before = await server.get('/metadata/timestamp.json');
    const again = await server.upload(wheel);
    expect(again.status).toBe(200);
    expect(again.text).toContain('It was here before.');
    expect((await server.get('/metadata/timestamp.json')).body.equals(before.body)).toBe(true);
  });

  it('of another file under the same name is refused in the words that --skip-existing looks for', async () => {
    await server.upload(wheel);
    const other = await server.upload(makeWheel({ name: 'Cheese.Shop', version: '1.0', build: 'evil' }));
    expect(other.status).toBe(400);
    expect(other.reason).toMatch(
      /^File already exists \('cheese_shop-1\.0-py3-none-any\.whl', with blake2_256 hash '[0-9a-f]{64}'\)/,
    );
  });

  it('of another spelling of a stored filename is refused', async () => {
    await server.upload(makeSdist({ name: 'spelling', version: '1.0' }));
    const shifted = makeSdist({ name: 'spelling', version: '1.0.0' });
    const answer = await server.upload(shifted);
    expect(answer.status).toBe(400);
    expect(answer.reason).toBe(
      "File already exists ('spelling-1.0.tar.gz'): 'spelling-1.0.0.tar.gz' is only another spelling of it.",
    );
  });

  it('works without the last slash, because twine follows no redirect', async () => {
    const answer = await server.post(
      await uploadForm(makeSdist({ name: 'slashless', version: '1' })),
      {},
      '/legacy',
    );
    expect(answer.status).toBe(200);
  });

  it('may have its file before, between and after the fields', async () => {
    for (const [version, place] of [
      ['1', 0],
      ['2', 4],
      ['3', 10],
    ] as const) {
      const distribution = makeSdist({ name: 'anywhere', version });
      const fields: (Field | FilePart)[] = await formFields(distribution);
      fields.splice(place, 0, contentPart(distribution));
      expect((await server.post(fields)).status).toBe(200);
    }
  });

  it('may carry fields that nobody knows, empty ones, UNKNOWN and an old signature', async () => {
    const distribution = makeSdist({ name: 'lenient', version: '1' });
    const parts = await uploadForm(distribution, {
      home_page: 'UNKNOWN',
      license: '',
      x_unknown: 'x',
      __proto__x: 'y',
    });
    parts.unshift({ name: 'gpg_signature', filename: 'lenient-1.tar.gz.asc', bytes: Buffer.from('sig') });
    parts.push(['__proto__', 'polluted'], ['constructor', 'polluted']);
    expect((await server.post(parts)).status).toBe(200);
  });

  it('of one file by ten clients at once is stored once, and all are told so', async () => {
    const distribution = makeWheel({ name: 'rush', version: '1' });
    const answers = await Promise.all(Array.from({ length: 10 }, () => server.upload(distribution)));
    expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(200));
    const page = await server.get('/simple/rush/', JSON_PAGE);
    expect((JSON.parse(page.text) as { files: unknown[] }).files).toHaveLength(1);
  });

  it('of ten different files under one name by ten clients at once: one wins, the others are told', async () => {
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, build) =>
        server.upload(makeWheel({ name: 'race', version: '1', build: String(build) })),
      ),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    const lost = answers.filter(({ status }) => status === 400);
    expect(lost).toHaveLength(9);
    for (const { reason } of lost) expect(reason).toMatch(/^File already exists/);
  });

  it('that waits too long for its signature is told to come again, and then joins the waiting one', async () => {
    const slow = await ServerFixture.start({ limits: { publicationTimeout: 50 } });
    try {
      slow.queue.held = true;
      const distribution = makeWheel({ name: 'patience', version: '1' });
      const first = await slow.upload(distribution);
      expect(first.status).toBe(503);
      expect(first.headers['retry-after']).toBe('5');
      expect(first.reason).toBe(
        'patience-1-py3-none-any.whl is stored, not yet signed: upload it again to wait for the signature.',
      );
      expect((await slow.get('/simple/patience/')).status).toBe(404);
      expect((await slow.upload(distribution)).status).toBe(503);
      slow.queue.held = false;
      const last = await slow.upload(distribution);
      expect(last.status).toBe(200);
      expect((await slow.get('/simple/patience/', JSON_PAGE)).text).toContain(distribution.filename);
    } finally {
      await slow.close();
    }
  });
});
