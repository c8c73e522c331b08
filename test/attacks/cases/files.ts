import { rejected, noEffect, type AttackSection } from '../attack-case.ts';
import { sha256 } from '../forgery.ts';

const WHEEL = /^packages\/wheely\/wheely-2\.0-py3-none-any\.whl$/;
const SDIST = /^packages\/sourcy\/sourcy-2\.0\.tar\.gz$/;
const SIDECAR = /^packages\/wheely\/wheely-2\.0-py3-none-any\.whl\.metadata$/;
const PAGE = /^simple\/wheely\/index\.json$/;
const PAGES = /^simple\/wheely\/index\.(?:json|html)$/;

/** One bit changed in the middle. */
export function flipped(bytes: Buffer): Buffer {
  const changed = Buffer.from(bytes);
  const middle = Math.floor(changed.length / 2);
  changed[middle] = (changed[middle] ?? 0) ^ 1;
  return changed;
}

/** Changes the text of a page. */
export function edited(edit: (text: string) => string): (bytes: Buffer) => Buffer {
  return (bytes) => {
    const text = edit(bytes.toString());
    if (text === bytes.toString()) throw new TypeError('the page is not changed by this edit');
    return Buffer.from(text);
  };
}

const files: AttackSection = {
  title: 'Files of somebody else',
  cases: [
    {
      id: 'wheel-bit',
      does: 'flips one bit of the wheel',
      expected: rejected('tampered'),
      attack: (scene) => scene.change(WHEEL, flipped),
    },
    {
      id: 'wheel-replaced',
      does: 'gives a wheel of his own in its place',
      expected: rejected('tampered'),
      attack: (scene, { evil }) => scene.change(WHEEL, () => evil.bytes),
    },
    {
      id: 'wheel-same-length',
      does: 'gives other bytes of the same length',
      expected: rejected('tampered'),
      attack: (scene, { evil }) =>
        scene.change(WHEEL, (bytes) =>
          Buffer.concat([evil.bytes, Buffer.alloc(bytes.length)]).subarray(0, bytes.length),
        ),
    },
    {
      id: 'wheel-and-page-replaced',
      does: 'gives a wheel of his own and its hash on the page',
      expected: rejected('tampered'),
      attack: (scene, { evil, new: newest }) => {
        const honest = sha256(newest.get('packages/wheely/wheely-2.0-py3-none-any.whl') ?? '');
        scene.change(WHEEL, () => evil.bytes);
        scene.change(
          PAGES,
          edited((text) => text.replaceAll(honest, sha256(evil.bytes))),
        );
      },
    },
    {
      id: 'wheel-longer',
      does: 'adds a byte to the wheel',
      expected: rejected('tampered'),
      attack: (scene) => scene.change(WHEEL, (bytes) => Buffer.concat([bytes, Buffer.from('x')])),
    },
    {
      id: 'wheel-shorter',
      does: 'leaves out the last byte of the wheel',
      expected: rejected('tampered'),
      attack: (scene) => scene.change(WHEEL, (bytes) => bytes.subarray(0, -1)),
    },
    {
      id: 'wheel-empty',
      does: 'gives an empty file',
      expected: rejected('tampered'),
      attack: (scene) => scene.change(WHEEL, () => Buffer.alloc(0)),
    },
    {
      id: 'wheel-of-older-release',
      does: 'gives the wheel of 1.0 under the name of 2.0',
      expected: rejected('tampered'),
      attack: (scene) => scene.change(WHEEL, () => scene.read('packages/wheely/wheely-1.0-py3-none-any.whl')),
    },
    {
      id: 'wheel-of-other-project',
      does: 'gives a signed wheel of another project under this name',
      expected: rejected('tampered'),
      attack: (scene) => scene.change(WHEEL, () => scene.read('packages/other/other-1.0-py3-none-any.whl')),
    },
    {
      id: 'sdist-bit',
      does: 'flips one bit of the sdist',
      expected: rejected('tampered'),
      wanted: 'sourcy',
      attack: (scene) => scene.change(SDIST, flipped),
    },
    {
      id: 'wheel-missing',
      does: 'says that the signed wheel is not there',
      expected: rejected('incomplete'),
      attack: (scene) =>
        scene.trick(WHEEL, (_, response) => {
          response.writeHead(404).end();
          return true;
        }),
    },
    {
      id: 'sidecar-bit',
      does: 'flips one bit of the .metadata beside the wheel',
      expected: rejected('tampered'),
      attack: (scene) => scene.change(SIDECAR, flipped),
    },
    {
      id: 'sidecar-dependency',
      does: 'adds a dependency of his own to the .metadata',
      expected: rejected('tampered'),
      attack: (scene) =>
        scene.change(
          SIDECAR,
          edited((text) => text.replace('\n\n', '\nRequires-Dist: ghost\n\n')),
        ),
    },
    {
      id: 'sidecar-and-page',
      does: 'adds a dependency to the .metadata and its hash to the page',
      expected: rejected('tampered'),
      attack: (scene) => {
        const path = 'packages/wheely/wheely-2.0-py3-none-any.whl.metadata';
        const honest = sha256(scene.read(path));
        scene.change(
          SIDECAR,
          edited((text) => text.replace('\n\n', '\nRequires-Dist: ghost\n\n')),
        );
        scene.change(
          PAGES,
          edited((text) => text.replaceAll(honest, sha256(scene.read(path)))),
        );
      },
    },
    {
      id: 'sidecar-of-older-release',
      does: 'gives the .metadata of 1.0 beside 2.0',
      expected: rejected('tampered'),
      attack: (scene) =>
        scene.change(SIDECAR, () => scene.read('packages/wheely/wheely-1.0-py3-none-any.whl.metadata')),
    },
    {
      id: 'sidecar-missing',
      does: 'says that the listed .metadata is not there',
      expected: rejected('incomplete'),
      attack: (scene) => scene.change(SIDECAR, () => undefined),
    },
  ],
};

const pages: AttackSection = {
  title: 'Pages of the index',
  cases: [
    {
      id: 'page-bit',
      does: 'flips one bit of the page',
      expected: rejected('tampered'),
      attack: (scene) => scene.change(PAGE, flipped),
    },
    {
      id: 'page-bit-html',
      does: 'flips one bit of the HTML page of an old installer',
      expected: rejected('tampered'),
      readsHtml: true,
      attack: (scene) => scene.change(/^simple\/wheely\/index\.html$/, flipped),
    },
    {
      id: 'page-omits-newest',
      does: 'leaves the newest release out of the page',
      expected: rejected('tampered'),
      attack: (scene, { old }) => scene.change(PAGES, (bytes) => oldPage(old, bytes)),
    },
    {
      id: 'page-adds-release',
      does: 'adds a release of his own to the page',
      expected: rejected('tampered'),
      attack: (scene, { evil }) => {
        scene.change(
          PAGES,
          edited((text) => text.replaceAll('wheely-2.0-', 'wheely-9.0-')),
        );
        scene.files.set('packages/wheely/wheely-9.0-py3-none-any.whl', evil.bytes);
      },
    },
    {
      id: 'page-requires-python',
      does: 'hides the newest release behind a Python that nobody has',
      expected: rejected('tampered'),
      attack: (scene) =>
        scene.change(
          PAGE,
          edited((text) =>
            text.replace('"filename":"wheely-2.0', '"requires-python":">=9","filename":"wheely-2.0'),
          ),
        ),
    },
    {
      id: 'page-yanks-newest',
      does: 'marks the newest release as yanked',
      expected: rejected('tampered'),
      attack: (scene) =>
        scene.change(
          PAGE,
          edited((text) => text.replace('"filename":"wheely-2.0', '"yanked":true,"filename":"wheely-2.0')),
        ),
    },
    {
      id: 'page-unyanks',
      does: 'takes the yank off a withdrawn release',
      expected: rejected('tampered'),
      wanted: 'yanky',
      attack: (scene) =>
        scene.change(
          /^simple\/yanky\/index\.json$/,
          edited((text) => text.replace(/"yanked":(?:true|"[^"]*")/, '"yanked":false')),
        ),
    },
    {
      id: 'page-of-other-project',
      does: 'gives the signed page of another project',
      expected: rejected('tampered'),
      attack: (scene) => scene.change(PAGE, () => scene.read('simple/other/index.json')),
    },
    {
      id: 'page-of-similar-name',
      does: 'gives the signed page of a project whose name is nearly the same',
      expected: rejected('tampered'),
      attack: (scene) => scene.change(PAGE, () => scene.read('simple/wheely-extra/index.json')),
    },
    {
      id: 'page-links-other-project',
      does: 'links the signed file of another project',
      expected: rejected('tampered'),
      attack: (scene) =>
        scene.change(
          PAGE,
          edited((text) => text.replaceAll('packages/wheely/wheely-2.0', 'packages/other/other-1.0')),
        ),
    },
    {
      id: 'page-links-other-host',
      does: 'links a file on a host of his own',
      expected: rejected('tampered'),
      attack: (scene) =>
        scene.change(
          PAGES,
          edited((text) =>
            text.replaceAll(
              '../../packages/wheely/wheely-2.0-py3-none-any.whl',
              `${scene.strangerUrl}wheely-9.0-py3-none-any.whl`,
            ),
          ),
        ),
    },
    {
      id: 'page-double-encoding',
      does: 'links a doubly encoded path (pip CVE-2026-13346)',
      expected: rejected('tampered'),
      attack: (scene) =>
        scene.change(
          PAGE,
          edited((text) =>
            text.replaceAll('packages/wheely/wheely-2.0', 'packages/%252e%252e/%252e%252e/wheely-2.0'),
          ),
        ),
    },
    {
      id: 'page-twice-the-files',
      does: 'repeats "files" in the JSON, so that readers differ',
      expected: rejected('tampered'),
      attack: (scene) =>
        scene.change(
          PAGE,
          edited((text) => `${text.slice(0, -1)},"files":[]}`),
        ),
    },
    {
      id: 'page-core-metadata-removed',
      does: 'takes core-metadata off the page, so that installers look elsewhere',
      expected: rejected('tampered'),
      attack: (scene) =>
        scene.change(
          PAGE,
          edited((text) => text.replaceAll(/"core-metadata":\{[^}]*\},/g, '')),
        ),
    },
    {
      id: 'page-hash-removed',
      does: 'takes the hashes off the page',
      expected: rejected('tampered'),
      attack: (scene) =>
        scene.change(
          PAGE,
          edited((text) => text.replaceAll(/"hashes":\{[^}]*\}/g, '"hashes":{}')),
        ),
    },
    {
      id: 'page-empty',
      does: 'gives an empty page',
      expected: rejected('tampered'),
      attack: (scene) => scene.change(PAGES, () => Buffer.alloc(0)),
    },
    {
      id: 'page-404',
      does: 'says that the project does not exist',
      expected: rejected('incomplete'),
      attack: (scene) => scene.change(PAGES, () => undefined),
    },
    {
      id: 'page-old',
      does: 'gives the page as it was before the newest release',
      expected: rejected('tampered'),
      attack: (scene, { old }) => scene.change(PAGE, () => old.get('simple/wheely/index.json')),
    },
    {
      id: 'page-invented',
      isUnseen: true,
      does: 'gives a page of a project that the index does not have',
      expected: rejected('absent'),
      wanted: 'ghost',
      attack: (scene, { evil }) => {
        const page = edited((text) => text.replaceAll('wheely', 'ghost'))(
          Buffer.from(scene.read('simple/wheely/index.json')),
        );
        scene.files.set('simple/ghost/index.json', page);
        scene.files.set('simple/ghost/index.html', page);
        scene.files.set('packages/ghost/ghost-2.0-py3-none-any.whl', evil.bytes);
      },
    },
    {
      id: 'page-html-differs',
      isUnseen: true,
      does: 'changes the HTML page only, for an installer that reads JSON',
      expected: noEffect,
      attack: (scene) =>
        scene.change(
          /^simple\/wheely\/index\.html$/,
          edited((text) => text.replaceAll('wheely-2.0', 'wheely-9.0')),
        ),
    },
    {
      id: 'page-json-differs',
      isUnseen: true,
      does: 'changes the JSON page only, for an installer that reads HTML',
      expected: noEffect,
      readsHtml: true,
      attack: (scene) =>
        scene.change(
          PAGE,
          edited((text) => text.replaceAll('wheely-2.0', 'wheely-9.0')),
        ),
    },
    {
      id: 'page-content-type',
      does: 'calls the JSON page text/html',
      expected: noEffect,
      attack: (scene) =>
        scene.trick(PAGE, (_, response) => {
          response
            .writeHead(200, { 'content-type': 'text/html' })
            .end(scene.read('simple/wheely/index.json'));
          return true;
        }),
    },
  ],
};

function oldPage(old: ReadonlyMap<string, Uint8Array>, bytes: Buffer): Uint8Array | undefined {
  const isHtml = bytes.toString('latin1').startsWith('<');
  return old.get(`simple/wheely/index.${isHtml ? 'html' : 'json'}`);
}

export const fileSections: readonly AttackSection[] = [files, pages];
