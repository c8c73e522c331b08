import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BYTES, JSON_TYPE, LOCAL, METADATA, ProxyWorld, WHEEL } from '../../test/support/proxy-world.ts';
import { parseProjectJson, renderProjectHtml, renderProjectJson } from '../pypi/simple.ts';

let world: ProxyWorld;
beforeEach(async () => {
  world = await ProxyWorld.open();
});
afterEach(() => world.close());

describe('VerifyingProxy', () => {
  it('serves pages in the very bytes that were signed, in both formats', async () => {
    const json = await world.ask('simple/foo/', { accept: JSON_TYPE });
    const page = parseProjectJson(json.body);
    expect(json.body).toEqual(Buffer.from(renderProjectJson(page)));
    expect(json.headers).toMatchObject({
      'content-type': JSON_TYPE,
      'cache-control': 'no-cache',
      vary: 'Accept',
    });
    const html = await world.ask('simple/foo/', { accept: 'text/html' });
    expect(html.body).toEqual(Buffer.from(renderProjectHtml(page)));
    expect(html.headers['content-type']).toBe('text/html; charset=utf-8');
    const same = await world.ask('simple/foo/', {
      accept: JSON_TYPE,
      'if-none-match': json.headers.etag ?? '',
    });
    expect([same.status, same.body.length]).toEqual([304, 0]);
    expect((await world.ask('simple/foo/', { accept: 'image/png' })).status).toBe(406);
    expect(world.verdicts).toEqual([]);
  });

  it('serves files and the metadata beside them', async () => {
    expect((await world.ask(`packages/foo/${WHEEL}`)).body).toEqual(BYTES);
    expect((await world.ask(`packages/foo/${encodeURIComponent(LOCAL)}`)).body.toString()).toBe('local');
    expect((await world.ask(`packages/foo/${WHEEL}.metadata`)).body.toString()).toBe(METADATA);
    expect((await world.ask(`packages/foo/${encodeURIComponent(LOCAL)}.metadata`)).status).toBe(404);
  });

  it('serves ranges of a file only after the whole of it was verified', async () => {
    const part = await world.ask(`packages/foo/${WHEEL}`, { range: 'bytes=4-8' });
    expect([part.status, part.body.toString()]).toEqual([206, 'bytes']);
    expect(part.headers['content-range']).toBe(`bytes 4-8/${BYTES.length}`);
    const { etag = '' } = part.headers;
    expect(
      (await world.ask(`packages/foo/${WHEEL}`, { range: 'bytes=-5', 'if-range': etag })).body.toString(),
    ).toBe('sorts');
    expect((await world.ask(`packages/foo/${WHEEL}`, { range: 'bytes=0-1', 'if-range': '"x"' })).status).toBe(
      200,
    );
    expect((await world.ask(`packages/foo/${WHEEL}`, { range: 'bytes=999-' })).status).toBe(416);
    const head = await world.ask(`packages/foo/${WHEEL}`, {}, 'HEAD');
    expect([head.headers['content-length'], head.body.length]).toEqual([String(BYTES.length), 0]);
    world.upstream.addProject('bar', [{ filename: 'bar-1.0.tar.gz', bytes: Buffer.alloc(1000, 'x') }]);
    world.upstream.tamper(/bar-1\.0\.tar\.gz$/);
    expect(await world.ask('packages/bar/bar-1.0.tar.gz', { range: 'bytes=0-3' })).toMatchObject({
      status: 403,
    });
  });

  it('asks the index for each thing once', async () => {
    await Promise.all([world.askAll(), world.askAll()]);
    await world.askAll();
    expect(world.upstream.requests).toHaveLength(new Set(world.upstream.requests).size);
  });

  it('leads other spellings of a name to the normalized one', async () => {
    const answer = await world.ask('simple/Foo/');
    expect(answer).toMatchObject({ status: 301, headers: { location: '../foo/' } });
    expect(await world.ask('simple/foo')).toMatchObject({ status: 301, headers: { location: 'foo/' } });
  });

  it('does not serve the list of projects, which nobody signs', async () => {
    const answer = await world.ask('simple/');
    expect(answer.status).toBe(403);
    expect(answer.body.toString()).toContain('not signed');
  });
});

describe('VerifyingProxy and absence', () => {
  it('reports absence only after it looked for a newer snapshot', async () => {
    await world.ask('simple/foo/');
    const before = world.upstream.requests.length;
    expect((await world.ask('simple/bar/')).status).toBe(404);
    expect(world.upstream.requests.slice(before)).toContain('metadata/timestamp.json');
    expect(world.absent).toEqual([
      `unknown: ${world.upstream.url} has no project named bar; its signatures say so.`,
    ]);
    expect((await world.ask('packages/foo/foo-9.0-py3-none-any.whl')).status).toBe(404);
    expect(world.verdicts).toEqual([]);
  });

  it('finds what was uploaded after the session began', async () => {
    await world.ask('simple/foo/');
    world.upstream.addProject('bar', [{ filename: 'bar-1.0.tar.gz', bytes: Buffer.from('bar') }]);
    expect((await world.ask('packages/bar/bar-1.0.tar.gz')).body.toString()).toBe('bar');
    expect((await world.ask('simple/bar/', { accept: JSON_TYPE })).status).toBe(200);
    expect(world.absent).toEqual([]);
  });

  it('keeps to one snapshot for what it has, and takes a fresh one when the session is too old', async () => {
    await world.ask('simple/foo/');
    world.upstream.addProject('foo', [{ filename: 'foo-2.0.tar.gz', bytes: Buffer.from('2') }]);
    expect((await world.ask('simple/foo/')).body.toString()).not.toContain('foo-2.0');
    await world.restart({}, 0);
    expect((await world.ask('simple/foo/')).body.toString()).toContain('foo-2.0');
    world.upstream.addProject('foo', [{ filename: 'foo-3.0.tar.gz', bytes: Buffer.from('3') }]);
    expect((await world.ask('simple/foo/')).body.toString()).toContain('foo-3.0');
  });

  it('does not take a 404 of the server for absence', async () => {
    world.upstream.tamper(/^simple\/foo\//, () => undefined);
    const answer = await world.ask('simple/foo/', { 'user-agent': 'uv/0.13', accept: JSON_TYPE });
    expect(answer.status).toBe(422);
    expect(world.verdicts).toMatchObject([{ code: 'incomplete' }]);
    world.upstream.behave();
    world.upstream.tamper(new RegExp(`^packages/foo/.*${WHEEL}$`), () => undefined);
    expect((await world.ask(`packages/foo/${WHEEL}`)).status).toBe(403);
    expect(world.absent).toEqual([]);
  });
});
