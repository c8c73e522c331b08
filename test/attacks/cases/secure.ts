import { createHash } from 'node:crypto';
import { RunAuthority } from '../../../src/proxy/intercept/run-authority.ts';
import { makeSdist } from '../../tools/distribution.ts';
import { noEffect, rejected, type AttackSection } from '../attack-case.ts';
import { sha256 } from '../forgery.ts';
import type { Scene } from '../scene.ts';
import type { World } from '../world.ts';
import { edited } from './files.ts';

const HERE = '127.0.0.1';
const WHEEL = 'packages/wheely/wheely-2.0-py3-none-any.whl';
const SDIST = 'packages/sourcy/sourcy-2.0.tar.gz';
const nothing = (): void => undefined;

const certificates: AttackSection = {
  title: 'Certificates, where the index is reached over https',
  cases: [
    {
      id: 'https-mirror-certificate',
      does: 'shows a certificate of an authority that nobody trusts',
      expected: rejected('unreachable'),
      certificate: () => new RunAuthority([HERE]).issue(HERE),
      attack: nothing,
    },
    {
      id: 'https-mirror-certificate-other-host',
      does: 'shows a certificate that the trusted authority gave him for a host of his own',
      expected: rejected('unreachable'),
      certificate: ({ authority }) => authority.issue('attacker.example'),
      attack: nothing,
    },
    {
      id: 'https-mirror-certificate-expired',
      does: 'shows a certificate for this host, by a trusted authority, that has expired',
      expected: rejected('unreachable'),
      certificate: ({ pastAuthority }) => pastAuthority.issue(HERE),
      attack: nothing,
    },
    {
      id: 'https-mirror-clear-text',
      does: 'answers in clear text where TLS is spoken',
      expected: rejected('unreachable'),
      certificate: () => 'clear text',
      attack: nothing,
    },
    {
      id: 'https-mirror-to-http',
      does: 'redirects the wheel from https to http',
      expected: rejected('unreachable'),
      isSecure: true,
      attack: (scene) =>
        scene.trick(new RegExp(`^${WHEEL}$`), (_, response) => {
          response.writeHead(302, { location: `${scene.strangerUrl}wheely-9.0-py3-none-any.whl` }).end();
          return true;
        }),
    },
    {
      id: 'https-mirror-certificate-obtained',
      does: 'got the right certificate, and gives a wheel of his own and its hash on the page',
      expected: rejected('tampered'),
      isSecure: true,
      attack: replaceWheel,
    },
  ],
};

const caches: AttackSection = {
  title: 'Caches of installers, filled before anybody verified',
  cases: [
    {
      id: 'poisoned-installer-cache',
      does: 'has had an installer cache a page and a wheel of his own, and now everything is "as it was" (304)',
      expected: noEffect,
      isSecure: true,
      earlier: (scene, world) => {
        replaceWheel(scene, world);
        cacheable(scene, world);
      },
      attack: cacheable,
    },
    {
      id: 'poisoned-wheel-cache',
      does: 'has had an installer build and cache a wheel of an sdist of his own',
      expected: noEffect,
      isSecure: true,
      wanted: 'sourcy',
      earlier: (scene, world) => {
        const forged = makeSdist({ name: 'sourcy', version: '2.0', build: 'of the attacker', padding: 300 });
        replace(scene, SDIST, forged.bytes);
        cacheable(scene, world);
      },
      attack: cacheable,
    },
    {
      id: 'poisoned-by-escape-hatch',
      does: 'was met by a `rind run` with verification switched off, whose caches hold his wheel',
      expected: noEffect,
      isSecure: true,
      wasUnverified: true,
      earlier: (scene, world) => {
        replaceWheel(scene, world);
        cacheable(scene, world);
      },
      attack: cacheable,
    },
  ],
};

function replaceWheel(scene: Scene, { evil }: World): void {
  replace(scene, WHEEL, evil.bytes);
}

/** Another file under this path, and its hash on the page. */
function replace(scene: Scene, path: string, bytes: Uint8Array): void {
  const honest = sha256(scene.read(path));
  scene.files.set(path, bytes);
  const [, project = ''] = path.split('/');
  scene.change(
    new RegExp(`^simple/${project}/index\\.(?:json|html)$`),
    edited((text) => text.replaceAll(honest, sha256(bytes))),
  );
}

/** Serves what is shown as an index does whose answers may be cached. The tags are those of the honest content, whatever is given. */
function cacheable(scene: Scene, { new: newest }: World): void {
  scene.trick(
    /^(?:simple|packages)\//,
    (request, response, path) => {
      const honest = newest.get(path);
      const bytes = scene.answer(path);
      if (honest === undefined || bytes === undefined) return false;
      const etag = `"${createHash('sha256').update(honest).digest('hex')}"`;
      const isPage = path.startsWith('simple/');
      const headers = {
        etag,
        'cache-control': isPage ? 'max-age=0' : 'max-age=31536000, immutable',
        'content-type': isPage ? pageType(path) : 'application/octet-stream',
      };
      if (request.headers['if-none-match'] === etag) response.writeHead(304, headers).end();
      else response.writeHead(200, { ...headers, 'content-length': bytes.length }).end(bytes);
      return true;
    },
    false,
  );
}

function pageType(path: string): string {
  return path.endsWith('.json') ? 'application/vnd.pypi.simple.v1+json' : 'text/html';
}

export const secureSections: readonly AttackSection[] = [certificates, caches];
