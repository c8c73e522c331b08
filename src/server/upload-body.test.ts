import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeSdist } from '../../test/tools/distribution.ts';
import { multipart, MULTIPART, ServerFixture, uploadForm } from '../../test/support/server-fixture.ts';

let server: ServerFixture;
beforeAll(async () => {
  server = await ServerFixture.start({ limits: { maxFileSize: 200_000, idleTimeout: 2000 } });
});
afterAll(() => server.close());

describe('a body that is not what it should be', () => {
  const sdist = makeSdist({ name: 'body', version: '1', padding: 50_000 });
  const head = (length: number, type = MULTIPART) =>
    `POST /legacy/ HTTP/1.1\r\nHost: x\r\nAuthorization: ${server.authorization}\r\nContent-Type: ${type}\r\nContent-Length: ${length}\r\n\r\n`;

  it('is answered 408 when the client stops sending, and nothing stays', async () => {
    const body = multipart(await uploadForm(sdist));
    const before = await server.leftovers();
    const socket = connect(server.server.port, '127.0.0.1');
    const answer = new Promise<string>((resolve) =>
      socket.once('data', (chunk) => resolve(chunk.toString())),
    );
    socket.write(head(body.length));
    socket.write(body.subarray(0, body.length - 100));
    expect(await answer).toMatch(
      /^HTTP\/1\.1 408 The upload stopped half-way; nothing was stored, try again\./,
    );
    socket.destroy();
    expect(await server.leftovers()).toEqual(before);
  });

  it('leaves nothing when the client goes away in the middle of the file', async () => {
    const body = multipart(await uploadForm(sdist));
    const before = await server.leftovers();
    for (const part of [0.2, 0.5, 0.95]) {
      const socket = connect(server.server.port, '127.0.0.1');
      socket.write(head(body.length));
      await new Promise<void>((resolve) =>
        socket.write(body.subarray(0, body.length * part), () => resolve()),
      );
      socket.destroy();
    }
    await expect.poll(() => server.leftovers()).toEqual(before);
    expect((await server.get('/healthz')).status).toBe(200);
  });

  it.each([
    ['ends before its last boundary', (body: Buffer) => body.subarray(0, -20)],
    ['ends inside the file', (body: Buffer) => body.subarray(0, body.length / 2)],
    ['ends inside the first header', (body: Buffer) => body.subarray(0, 30)],
    ['is empty', () => Buffer.alloc(0)],
    ['is noise', () => Buffer.from('noise '.repeat(100))],
  ])('is refused when it %s', async (_, cut) => {
    const before = await server.leftovers();
    const body = cut(multipart(await uploadForm(sdist)));
    const answer = await server.send(
      'POST',
      '/legacy/',
      { Authorization: server.authorization, 'Content-Type': MULTIPART },
      body,
    );
    expect([answer.status, answer.reason]).toEqual([
      400,
      'The form is broken or ends too early; nothing was stored.',
    ]);
    expect(await server.leftovers()).toEqual(before);
  });

  it('may have an epilogue behind its last boundary, and still holds once', async () => {
    const body = Buffer.concat([multipart(await uploadForm(sdist)), Buffer.from('epilogue '.repeat(1000))]);
    const answer = await server.send(
      'POST',
      '/legacy/',
      { Authorization: server.authorization, 'Content-Type': MULTIPART },
      body,
    );
    expect(answer.status).toBe(200);
  });

  it.each([
    ['application/x-www-form-urlencoded', 415],
    ['application/json', 415],
    ['multipart/form-data', 415],
    ['multipart/form-data; charset=utf-8', 400],
  ])('of the type %s is answered %i', async (type, status) => {
    const answer = await server.send(
      'POST',
      '/legacy/',
      { Authorization: server.authorization, 'Content-Type': type },
      Buffer.from('a=b'),
    );
    expect(answer.status).toBe(status);
  });

  it('that is compressed is refused', async () => {
    const answer = await server.post(await uploadForm(sdist), { 'Content-Encoding': 'gzip' });
    expect(answer.status).toBe(415);
  });

  it('that says it is too large is refused before it is read', async () => {
    const text = await new Promise<string>((resolve) => {
      const socket = connect(server.server.port, '127.0.0.1');
      socket.once('data', (chunk) => {
        resolve(chunk.toString());
        socket.destroy();
      });
      socket.write(head(10_000_000_000));
    });
    expect(text).toMatch(/^HTTP\/1\.1 413 The file is too large/);
  });

  it('sent in chunks without a length is taken, and cut at the same limit', async () => {
    const chunked = (body: Buffer) => [
      `POST /legacy/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: ${server.authorization}\r\nContent-Type: ${MULTIPART}\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n`,
      body,
      '\r\n0\r\n\r\n',
    ];
    expect(
      await server.talk(chunked(multipart(await uploadForm(makeSdist({ name: 'chunks', version: '1' }))))),
    ).toContain('200 OK');
    const large = makeSdist({ name: 'chunks', version: '2', padding: 300_000 });
    expect(await server.talk(chunked(multipart(await uploadForm(large))))).toContain(
      '413 The file is too large',
    );
  });

  it.each([
    ['two lengths', 'Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello'],
    ['a length and chunks', 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['a broken length', 'Content-Length: 5x\r\n\r\nhello'],
    ['a header with a NUL', 'X: a\u0000b\r\n\r\n'],
  ])('framed with %s is refused and the connection ended', async (_, rest) => {
    const text = await server.talk([`POST /legacy/ HTTP/1.1\r\nHost: x\r\n${rest}`]);
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
  });
});
