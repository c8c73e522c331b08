import type { ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { noEffect, rejected, type AttackCase, type AttackSection } from '../attack-case.ts';
import type { Scene } from '../scene.ts';

const WHEEL = /^packages\/wheely\/wheely-2\.0-py3-none-any\.whl$/;
const PAGE = /^simple\/wheely\/index\.(?:json|html)$/;
const TIMESTAMP = /^metadata\/timestamp\.json$/;
/** Of a client in this process, in milliseconds. */
const PATIENCE = 400;

/** Answers with headers and body as given, for what matches. */
function answering(
  path: RegExp,
  answer: (response: ServerResponse, scene: Scene) => void,
): AttackCase['attack'] {
  return (scene) =>
    scene.trick(path, (_, response) => {
      answer(response, scene);
      return true;
    });
}

/** Says these bytes on the connection and nothing else. */
function raw(path: RegExp, text: (scene: Scene) => string | Buffer, ends = true): AttackCase['attack'] {
  return (scene) =>
    scene.trick(path, (_, response) => {
      response.socket?.write(text(scene));
      if (ends) response.socket?.end();
      return true;
    });
}

/** Two hundred megabytes: without end would fill the memory of installers that have no limit. */
function endless(response: ServerResponse, chunk: Buffer): void {
  let sent = 0;
  const more = (): void => {
    while (!response.destroyed) {
      sent += chunk.length;
      if (sent > 200_000_000) return void response.destroy();
      if (!response.write(chunk)) return;
    }
  };
  response.on('drain', more);
  more();
}

const wheelOf = (scene: Scene): Buffer =>
  Buffer.from(scene.read('packages/wheely/wheely-2.0-py3-none-any.whl'));

const bombs = gzipSync(Buffer.alloc(80_000_000));

const lengths: AttackSection = {
  title: 'Endless, slow and cut data',
  cases: [
    {
      id: 'endless-timestamp',
      does: 'never stops sending the timestamp',
      expected: rejected('tampered'),
      attack: answering(TIMESTAMP, (response) => endless(response.writeHead(200), Buffer.alloc(16_384, ' '))),
    },
    {
      id: 'endless-page',
      does: 'never stops sending the page',
      expected: rejected('tampered'),
      attack: answering(PAGE, (response) =>
        endless(response.writeHead(200, { 'content-type': 'text/html' }), Buffer.alloc(16_384, ' ')),
      ),
    },
    {
      id: 'endless-wheel',
      does: 'never stops sending the wheel',
      expected: rejected('tampered'),
      attack: answering(WHEEL, (response) => endless(response.writeHead(200), Buffer.alloc(16_384, 'x'))),
    },
    {
      id: 'length-declared',
      does: 'announces a timestamp of four gigabytes',
      expected: rejected('tampered'),
      attack: answering(TIMESTAMP, (response) =>
        response.writeHead(200, { 'content-length': 4e9 }).write('{'),
      ),
    },
    {
      id: 'gzip-bomb-timestamp',
      does: 'sends a timestamp that unpacks to 80 MB',
      expected: rejected('tampered'),
      attack: answering(TIMESTAMP, (response) =>
        response.writeHead(200, { 'content-encoding': 'gzip' }).end(bombs),
      ),
    },
    {
      id: 'gzip-bomb-page',
      does: 'sends a page that unpacks to 80 MB',
      expected: rejected('tampered'),
      attack: answering(PAGE, (response) =>
        response.writeHead(200, { 'content-encoding': 'gzip', 'content-type': 'text/html' }).end(bombs),
      ),
      twin: (scene) =>
        scene.trick(
          /^simple\/wheely\/index\.json$/,
          (_, response) => {
            const page = gzipSync(scene.read('simple/wheely/index.json'));
            response
              .writeHead(200, {
                'content-encoding': 'gzip',
                'content-type': 'application/vnd.pypi.simple.v1+json',
              })
              .end(page);
            return true;
          },
          false,
        ),
    },
    {
      id: 'gzip-damaged',
      does: 'sends a compressed page that is damaged',
      expected: rejected('unreachable'),
      attack: answering(PAGE, (response) =>
        response
          .writeHead(200, { 'content-encoding': 'gzip', 'content-type': 'text/html' })
          .end('no gzip at all'),
      ),
    },
    {
      id: 'encoding-unasked',
      does: 'sends the page in an encoding that nobody asked for',
      expected: rejected('unreachable'),
      attack: answering(PAGE, (response) =>
        response.writeHead(200, { 'content-encoding': 'br', 'content-type': 'text/html' }).end('xx'),
      ),
    },
    {
      id: 'encoding-label',
      does: 'labels the genuine wheel as compressed',
      expected: noEffect,
      attack: answering(WHEEL, (response, scene) =>
        response.writeHead(200, { 'content-encoding': 'gzip' }).end(wheelOf(scene)),
      ),
    },
    {
      id: 'cut-wheel',
      does: 'ends the connection in the middle of the wheel',
      expected: rejected('unreachable'),
      attack: answering(WHEEL, (response, scene) => {
        const bytes = wheelOf(scene);
        response.writeHead(200, { 'content-length': bytes.length });
        response.write(bytes.subarray(0, 1000), () => response.destroy());
      }),
    },
    {
      id: 'cut-wheel-cleanly',
      does: 'ends the wheel early as if that were all',
      expected: rejected('tampered'),
      attack: answering(WHEEL, (response, scene) =>
        response.writeHead(200).end(wheelOf(scene).subarray(0, 1000)),
      ),
    },
    {
      id: 'cut-timestamp',
      does: 'ends the connection in the middle of the timestamp',
      expected: rejected('unreachable'),
      attack: answering(TIMESTAMP, (response) =>
        response.writeHead(200, { 'content-length': 500 }).write('{"sign', () => response.destroy()),
      ),
    },
    {
      id: 'slow-wheel',
      does: 'sends the wheel a few bytes a second',
      expected: rejected('unreachable'),
      patience: PATIENCE,
      attack: answering(WHEEL, (response, scene) => {
        response.writeHead(200);
        drip(response, wheelOf(scene));
      }),
    },
    {
      id: 'slow-metadata',
      does: 'sends the timestamp a few bytes a second',
      expected: rejected('unreachable'),
      patience: PATIENCE,
      attack: answering(TIMESTAMP, (response, scene) => {
        response.writeHead(200);
        drip(response, Buffer.concat([Buffer.alloc(10_000, ' '), scene.read('metadata/timestamp.json')]));
      }),
    },
    {
      id: 'stalled-timestamp',
      does: 'takes the question for the timestamp and says nothing',
      expected: rejected('unreachable'),
      patience: PATIENCE,
      attack: answering(TIMESTAMP, () => undefined),
    },
    {
      id: 'stalled-wheel',
      does: 'sends half of the wheel and then nothing',
      expected: rejected('unreachable'),
      patience: PATIENCE,
      attack: answering(WHEEL, (response, scene) => {
        const bytes = wheelOf(scene);
        response.writeHead(200, { 'content-length': bytes.length }).write(bytes.subarray(0, 1000));
      }),
    },
    {
      id: 'header-drip',
      does: 'never ends the headers of the page',
      expected: rejected('unreachable'),
      patience: PATIENCE,
      attack: (scene) =>
        scene.trick(PAGE, (_, response) => {
          const { socket } = response;
          socket?.write('HTTP/1.1 200 OK\r\n');
          const timer = setInterval(() => socket?.write('x: y\r\n'), 50);
          socket?.once('close', () => clearInterval(timer));
          return true;
        }),
    },
  ],
};

/** Ten bytes every tenth of a second. */
function drip(response: ServerResponse, bytes: Buffer): void {
  let position = 0;
  const timer = setInterval(() => {
    response.write(bytes.subarray(position, position + 10));
    position += 10;
  }, 100);
  response.once('close', () => clearInterval(timer));
}

const redirects: AttackSection = {
  title: 'Redirects',
  cases: [
    {
      id: 'redirect-other-host',
      does: 'redirects the wheel to a file on a host of his own',
      expected: rejected('unreachable'),
      attack: answering(WHEEL, (response, scene) =>
        response.writeHead(302, { location: `${scene.strangerUrl}wheely-9.0-py3-none-any.whl` }).end(),
      ),
      // Within the origin an index may redirect, to the same bytes.
      twin: (scene) => {
        scene.files.set('moved/wheel', scene.read('packages/wheely/wheely-2.0-py3-none-any.whl'));
        scene.trick(
          WHEEL,
          (_, response) => {
            response.writeHead(302, { location: `${scene.url}moved/wheel` }).end();
            return true;
          },
          false,
        );
      },
    },
    {
      id: 'redirect-page',
      does: 'redirects the page to an index of his own',
      expected: rejected('unreachable'),
      attack: answering(PAGE, (response, scene) =>
        response.writeHead(301, { location: `${scene.strangerUrl}simple/wheely/` }).end(),
      ),
    },
    {
      id: 'redirect-metadata',
      does: 'redirects the timestamp to a host of his own',
      expected: rejected('unreachable'),
      attack: answering(TIMESTAMP, (response, scene) =>
        response.writeHead(307, { location: `${scene.strangerUrl}timestamp.json` }).end(),
      ),
    },
    {
      id: 'redirect-within',
      does: 'redirects the wheel to another signed file of the index',
      expected: rejected('tampered'),
      attack: answering(WHEEL, (response, scene) =>
        response
          .writeHead(302, { location: `${scene.url}packages/wheely/wheely-1.0-py3-none-any.whl` })
          .end(),
      ),
    },
    {
      id: 'redirect-internal',
      does: 'redirects the page to an address inside the network (169.254.169.254)',
      expected: rejected('unreachable'),
      attack: answering(PAGE, (response) =>
        response.writeHead(302, { location: 'http://169.254.169.254/latest/meta-data/' }).end(),
      ),
    },
    {
      id: 'redirect-file',
      does: 'redirects the wheel to a file on this machine',
      expected: rejected('unreachable'),
      attack: answering(WHEEL, (response) =>
        response.writeHead(302, { location: 'file:///etc/passwd' }).end(),
      ),
    },
    {
      id: 'redirect-loop',
      does: 'redirects the wheel to itself',
      expected: rejected('unreachable'),
      attack: (scene) =>
        scene.trick(WHEEL, (request, response) => {
          response.writeHead(302, { location: request.url ?? '' }).end();
          return true;
        }),
    },
    {
      id: 'redirect-nowhere',
      does: 'redirects the wheel without saying where',
      expected: rejected('unreachable'),
      attack: answering(WHEEL, (response) => response.writeHead(302).end()),
    },
  ],
};

const head = (lines: readonly string[], body: string | Buffer): Buffer =>
  Buffer.concat([Buffer.from(['HTTP/1.1 200 OK', ...lines, '', ''].join('\r\n')), Buffer.from(body)]);

const headers: AttackSection = {
  title: 'Answers that readers understand differently',
  cases: [
    {
      id: 'smuggling-both-lengths',
      does: 'gives the wheel both a length and chunks',
      expected: rejected('unreachable'),
      attack: raw(WHEEL, (scene) => {
        const bytes = wheelOf(scene);
        const chunk = Buffer.concat([
          Buffer.from(`${bytes.length.toString(16)}\r\n`),
          bytes,
          Buffer.from('\r\n0\r\n\r\n'),
        ]);
        return head([`Content-Length: ${bytes.length}`, 'Transfer-Encoding: chunked'], chunk);
      }),
    },
    {
      id: 'smuggling-two-lengths',
      does: 'gives the wheel two different lengths',
      expected: rejected('unreachable'),
      attack: raw(WHEEL, (scene) => head(['Content-Length: 10', 'Content-Length: 20'], wheelOf(scene))),
    },
    {
      id: 'smuggling-bad-chunk',
      does: 'writes chunk sizes that are no numbers',
      expected: rejected('unreachable'),
      attack: raw(WHEEL, () => head(['Transfer-Encoding: chunked'], 'zz\r\nwheel\r\n0\r\n\r\n')),
    },
    {
      id: 'smuggling-next-answer',
      does: 'sends a second answer after the timestamp, meant for the next question',
      expected: noEffect,
      attack: (scene) =>
        scene.trick(TIMESTAMP, (_, response) => {
          const body = Buffer.from(scene.read('metadata/timestamp.json'));
          response.socket?.write(
            Buffer.concat([
              head([`Content-Length: ${body.length}`], body),
              head(['Content-Length: 2'], '{}'),
            ]),
          );
          return true;
        }),
    },
    {
      id: 'answer-http-09',
      does: 'answers without status and headers',
      expected: rejected('unreachable'),
      attack: raw(WHEEL, (scene) => wheelOf(scene)),
    },
    {
      id: 'answer-long-headers',
      does: 'sends a megabyte of headers',
      expected: rejected('unreachable'),
      attack: raw(WHEEL, (scene) =>
        head([`X: ${'y'.repeat(1_000_000)}`, 'Content-Length: 5'], wheelOf(scene)),
      ),
    },
    {
      id: 'answer-partial',
      does: 'answers with a part of the wheel (206) that nobody asked for',
      expected: rejected('unreachable'),
      attack: answering(WHEEL, (response, scene) => {
        const bytes = wheelOf(scene);
        response
          .writeHead(206, { 'content-range': `bytes 0-99/${bytes.length}` })
          .end(bytes.subarray(0, 100));
      }),
    },
    {
      id: 'answer-not-modified',
      does: 'says that the wheel is as it was (304) to who has none',
      expected: rejected('unreachable'),
      attack: answering(WHEEL, (response) => response.writeHead(304).end()),
    },
    {
      id: 'answer-401',
      does: 'asks for a password, for the page',
      expected: rejected('unreachable'),
      attack: answering(PAGE, (response) =>
        response.writeHead(401, { 'www-authenticate': 'Basic realm="the index"' }).end(),
      ),
    },
    {
      id: 'header-disposition',
      does: 'names the wheel ../../evil in a header (pip CVE-2019-20916)',
      expected: noEffect,
      attack: answering(WHEEL, (response, scene) =>
        response
          .writeHead(200, { 'content-disposition': 'attachment; filename="../../../evil.whl"' })
          .end(wheelOf(scene)),
      ),
    },
    {
      id: 'header-cookies',
      does: 'sends cookies, a refresh and caching for a year with the page',
      expected: noEffect,
      attack: answering(/^simple\/wheely\/index\.json$/, (response, scene) =>
        response
          .writeHead(200, {
            'content-type': 'application/vnd.pypi.simple.v1+json',
            'set-cookie': 'a=b',
            refresh: `0; url=${scene.strangerUrl}`,
            'cache-control': 'public, max-age=31536000, immutable',
          })
          .end(scene.read('simple/wheely/index.json')),
      ),
    },
    {
      id: 'header-hints',
      does: 'sends informational answers before the wheel',
      expected: noEffect,
      attack: (scene) =>
        scene.trick(WHEEL, (_, response) => {
          for (let each = 0; each < 20; each += 1) response.writeEarlyHints({ link: '</evil>; rel=preload' });
          const bytes = wheelOf(scene);
          response.writeHead(200, { 'content-length': bytes.length }).end(bytes);
          return true;
        }),
    },
  ],
};

export const transportSections: readonly AttackSection[] = [lengths, redirects, headers];
