import { readdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Distribution, makeSdist, makeWheel } from '../tools/distribution.ts';
import { buildRind, rind, RindServer, scratchFolder } from '../tools/rind-program.ts';
import { type UploadAnswer, Uploader, uploadForm } from '../tools/upload.ts';

const wheel = makeWheel({ name: 'refused', version: '1.0', padding: 5_000 });
const sdist = makeSdist({ name: 'refused', version: '1.0', padding: 5_000 });

function renamed(distribution: Distribution, filename: string): Distribution {
  return { ...distribution, filename };
}

function broken(distribution: Distribution): Distribution {
  const bytes = Buffer.from(distribution.bytes);
  bytes.fill(0x00, Math.floor(bytes.length / 2));
  return { ...distribution, bytes };
}

describe('an upload that is refused', () => {
  let scratch: Awaited<ReturnType<typeof scratchFolder>>;
  let server: RindServer;
  let uploader: Uploader;

  beforeAll(async () => {
    await buildRind();
    scratch = await scratchFolder('refusals');
    server = await RindServer.start({ folder: join(scratch.path, 'data') });
    uploader = new Uploader(server.uploadUrl, server.token);
  });

  afterAll(async () => {
    uploader?.close();
    await server?.stop();
    await scratch?.remove();
  });

  /** Everything that lies in the served tree, besides metadata, which may be renewed at any time. */
  async function stored(): Promise<string[]> {
    const entries = await readdir(server.folder, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((path) => /\/(packages|simple)\//.test(path) || /temp|tmp/.test(path))
      .sort();
  }

  /** A 4xx with a sentence in the reason phrase and in the body, and nothing stored. */
  async function expectRefusal(
    answer: UploadAnswer,
    before: readonly string[],
    status: number,
    sentence: RegExp,
  ): Promise<void> {
    expect(answer).toMatchObject({ status, reason: expect.stringMatching(sentence) as string });
    expect(answer.reason.split(' ').length).toBeGreaterThan(2);
    expect(answer.body).toContain(answer.reason);
    expect(await stored()).toEqual(before);
    expect((await fetch(`${server.url}simple/refused/`)).status).toBe(404);
  }

  it.each<[string, RegExp, Distribution, Record<string, string | undefined>]>([
    ['an action that is none', /action/i, wheel, { ':action': 'submit_nothing' }],
    ['another protocol version', /protocol/i, wheel, { protocol_version: '9' }],
    ['a wrong sha256 digest', /sha256|digest/i, wheel, { sha256_digest: '0'.repeat(64) }],
    ['a digest that is none', /digest/i, wheel, { sha256_digest: 'abc' }],
    ['no digest at all', /digest/i, wheel, { sha256_digest: undefined }],
    ['a wrong BLAKE2b digest', /blake2|digest/i, wheel, { blake2_256_digest: '0'.repeat(64) }],
    ['a name that is none', /name/i, wheel, { name: '-refused-' }],
    ['another name than the file', /name/i, wheel, { name: 'something-else' }],
    ['no version', /version/i, wheel, { version: undefined }],
    ['a version that is none', /version/i, wheel, { version: 'one' }],
    ['another version than the file', /version/i, wheel, { version: '2.0' }],
    ['an unknown file type', /type/i, wheel, { filetype: 'bdist_egg' }],
    [
      'a file type that is not the file',
      /type|sdist|wheel/i,
      wheel,
      { filetype: 'sdist', pyversion: 'source' },
    ],
    ['a filename out of its folder', /file ?name/i, renamed(wheel, '../../refused-1.0-py3-none-any.whl'), {}],
    ['a filename without tags', /file ?name/i, renamed(wheel, 'refused-1.0.whl'), {}],
    ['a filename with another ending', /file ?name/i, renamed(wheel, 'refused-1.0.exe'), {}],
    ['an sdist in another format', /file ?name|\.tar\.gz/i, renamed(sdist, 'refused-1.0.tar.bz2'), {}],
    ['a filename of another project', /name/i, renamed(wheel, 'other-1.0-py3-none-any.whl'), {}],
    ['a filename of another version', /version/i, renamed(wheel, 'refused-1.1-py3-none-any.whl'), {}],
    ['a broken wheel', /archive|zip|wheel|whole|damaged/i, broken(wheel), {}],
    ['a broken sdist', /archive|gzip|tar|sdist|damaged/i, broken(sdist), {}],
    ['a wheel that is an sdist inside', /archive|zip|wheel/i, { ...wheel, bytes: sdist.bytes }, {}],
    [
      'metadata of another project inside',
      /name|metadata|dist-info/i,
      { ...wheel, bytes: makeWheel({ name: 'inner', version: '1.0' }).bytes },
      {},
    ],
    [
      'metadata of another version inside',
      /version|metadata|dist-info/i,
      { ...wheel, bytes: makeWheel({ name: 'refused', version: '1.1' }).bytes },
      {},
    ],
    ['an empty file', /empty|archive|zip/i, { ...wheel, bytes: Buffer.alloc(0) }, {}],
  ])('for %s', async (_, sentence, distribution, changes) => {
    const before = await stored();
    const answer = await uploader.post(uploadForm(distribution, changes));
    await expectRefusal(answer, before, 400, sentence);
  });

  it('for a form without a file', async () => {
    const before = await stored();
    const { body, contentType } = uploadForm(wheel);
    const cut = body.subarray(0, body.indexOf('Content-Disposition: form-data; name="content"') - 2);
    const boundary = contentType.split('boundary=')[1]!;
    const end = Buffer.from(`${cut.toString('latin1').endsWith('\r\n') ? '' : '\r\n'}--${boundary}--\r\n`);
    const whole = Buffer.concat([cut.subarray(0, cut.lastIndexOf(`--${boundary}`)), end]);
    await expectRefusal(await uploader.post({ body: whole, contentType }), before, 400, /content|file/i);
  });

  it('for a body that is no form', async () => {
    const before = await stored();
    await expectRefusal(
      await uploader.post({ body: Buffer.from('{"name": "refused"}'), contentType: 'application/json' }),
      before,
      415,
      /form/i,
    );
    const { contentType } = uploadForm(wheel);
    await expectRefusal(
      await uploader.post({ body: Buffer.from('not a form'), contentType }),
      before,
      400,
      /form/i,
    );
  });

  it('for a form that is cut off', async () => {
    const before = await stored();
    const { body, contentType } = uploadForm(wheel);
    const answer = await uploader.post({ body: body.subarray(0, body.length - 200), contentType });
    await expectRefusal(answer, before, 400, /form|end|cut|whole/i);
  });

  it('for a form that is cut off by a closed connection, and the server goes on', async () => {
    const before = await stored();
    const { body, contentType } = uploadForm(wheel);
    const { hostname, port } = new URL(server.url);
    const authorization = Buffer.from(`__token__:${server.token}`).toString('base64');
    const head = [
      'POST /legacy/ HTTP/1.1',
      `Host: ${hostname}:${port}`,
      `Authorization: Basic ${authorization}`,
      `Content-Type: ${contentType}`,
      `Content-Length: ${body.length}`,
    ];
    const socket = connect(Number(port), hostname);
    socket.write(`${head.join('\r\n')}\r\n\r\n`);
    socket.write(body.subarray(0, body.length - 1_000));
    await sleep(150);
    socket.destroy();
    for (let waited = 0; waited < 3_000 && (await stored()).length !== before.length; waited += 50)
      await sleep(50);
    expect(await stored()).toEqual(before);
    expect((await fetch(`${server.url}simple/refused/`)).status).toBe(404);
  });

  it('for a missing token, a wrong token, and a token of the right form that nobody gave out', async () => {
    const before = await stored();
    const wrong = server.token.replace(/.{8}$/, 'AAAAAAAA');
    for (const token of ['', 'wrong', wrong, server.token.slice(0, -1)]) {
      const stranger = new Uploader(server.uploadUrl, token);
      const answer = await stranger.upload(wheel);
      stranger.close();
      expect([401, 403]).toContain(answer.status);
      await expectRefusal(answer, before, answer.status, /token/i);
      expect(answer.body + answer.reason).not.toContain(token === '' ? server.token : wrong);
    }
    const { body, contentType } = uploadForm(wheel);
    const anonymous = await fetch(server.uploadUrl, {
      method: 'POST',
      body: new Uint8Array(body),
      headers: { 'content-type': contentType },
    });
    expect([401, 403]).toContain(anonymous.status);
    expect(anonymous.statusText).toMatch(/token/i);
    expect(await stored()).toEqual(before);
  });

  it('leaves no trace: the right file is taken afterwards, once more is 200, other content under its name is 400', async () => {
    const accepted = makeWheel({ name: 'accepted', version: '1.0' });
    expect(await uploader.upload(accepted)).toMatchObject({ status: 200 });
    expect(await uploader.upload(accepted)).toMatchObject({ status: 200 });
    const other = await uploader.upload(makeWheel({ name: 'accepted', version: '1.0', build: 'other' }));
    expect(other.status).toBe(400);
    expect(other.reason).toMatch(/^File already exists/);
    expect(other.body).toContain('File already exists');
    const served = await fetch(`${server.url}packages/accepted/${accepted.filename}`);
    expect(Buffer.from(await served.arrayBuffer())).toEqual(accepted.bytes);
  });

  it('never writes the token to what it prints', async () => {
    expect(server.output).not.toContain(server.token);
    await server.stop();
    expect(await rind(['fsck', '--data', server.folder])).toMatchObject({ code: 0 });
  });
});
