import { makeWheel } from '../../tools/distribution.ts';
import { noEffect, rejected, type AttackSection } from '../attack-case.ts';
import { Forgery, inDays, keyJson, sha256, type Loose } from '../forgery.ts';
import type { Scene } from '../scene.ts';
import type { World } from '../world.ts';

const PAGES = ['simple/wheely/index.json', 'simple/wheely/index.html'];
const WHEEL = 'packages/wheely/wheely-2.0-py3-none-any.whl';

/** A role of the attacker's own making, all with the one key he has. */
interface Role {
  readonly name: string;
  readonly paths: readonly string[];
  readonly terminating?: boolean;
  readonly targets?: Loose;
  /** To whom it delegates in turn. */
  readonly roles?: readonly Role[];
}

/** Delegates to these roles before anybody else, and shows and lists their metadata, as the holder of the keys of targets and online can. */
async function delegate(scene: Scene, { keys, own }: World, roles: readonly Role[]): Promise<void> {
  const forgery = new Forgery(scene);
  const entry = ({ name, paths, terminating = false }: Role): Loose => ({
    name,
    keyids: [own.key.keyId],
    threshold: 1,
    terminating,
    paths,
  });
  const listed = new Map<string, Uint8Array>();
  const show = async ({ name, targets = {}, roles: inner = [] }: Role): Promise<void> => {
    const signed = {
      _type: 'targets',
      spec_version: '1.0.34',
      version: 1,
      expires: inDays(5),
      targets,
      ...(inner.length === 0
        ? {}
        : { delegations: { keys: { [own.key.keyId]: keyJson(own) }, roles: inner.map(entry) } }),
    };
    const bytes = await Forgery.envelope(signed, [own]);
    scene.files.set(`metadata/1.${name}.json`, bytes);
    listed.set(name, bytes);
    for (const each of inner) await show(each);
  };
  for (const role of roles) await show(role);
  const targets = await forgery.put(
    'targets',
    (signed) => {
      signed.delegations.keys[own.key.keyId] = keyJson(own);
      signed.delegations.roles.unshift(...roles.map(entry));
    },
    [keys.targets],
  );
  await forgery.list(new Map([...listed, ['targets', targets]]), keys.online);
}

/** Files as targets, with the content that the mirror shows now. */
function targetsOf(scene: Scene, paths: readonly string[]): Loose {
  const entries = paths.map((path) => {
    const bytes = scene.read(path);
    return [path, { length: bytes.length, hashes: { sha256: sha256(bytes) } }] as const;
  });
  return Object.fromEntries(entries);
}

/** A project that the index does not have, as its page lists it. */
function showGhost(scene: Scene): string[] {
  const { filename, bytes } = makeWheel({
    name: 'ghost',
    version: '1.0',
    build: 'of the attacker',
    padding: 300,
  });
  const [page, html, file] = [
    'simple/ghost/index.json',
    'simple/ghost/index.html',
    `packages/ghost/${filename}`,
  ];
  const link = { filename, url: `../../${file}`, hashes: { sha256: sha256(bytes) } };
  scene.files.set(file, bytes);
  scene.files.set(
    page,
    Buffer.from(JSON.stringify({ meta: { 'api-version': '1.1' }, name: 'ghost', files: [link] })),
  );
  scene.files.set(html, Buffer.from(`<a href="${link.url}#sha256=${sha256(bytes)}">${filename}</a>`));
  return [page, html, file];
}

const delegations: AttackSection = {
  title: 'Delegations',
  cases: [
    {
      id: 'delegation-terminating',
      isBelieved: true,
      does: 'with the key of a later role: signs a project that a terminating role before it does not have (CVE-2025-2886)',
      expected: rejected('absent'),
      wanted: 'ghost',
      attack: async (scene, world) => {
        const targets = targetsOf(scene, showGhost(scene));
        const paths = ['simple/ghost/*', 'packages/ghost/*'];
        await delegate(scene, world, [
          { name: 'first', paths, terminating: true },
          { name: 'second', paths, targets },
        ]);
      },
    },
    {
      id: 'delegation-order',
      isBelieved: true,
      does: 'with the key of a later role: signs what a role behind an earlier one signs too (CVE-2024-47534)',
      expected: rejected('tampered'),
      attack: async (scene, world) => {
        const paths = ['simple/wheely/*', 'packages/wheely/*'];
        const honest = targetsOf(scene, [...PAGES, WHEEL]);
        const { evil, evilHash } = world;
        const genuine = sha256(scene.read(WHEEL));
        scene.files.set(WHEEL, evil.bytes);
        for (const page of PAGES) {
          const text = Buffer.from(scene.read(page)).toString();
          scene.files.set(page, Buffer.from(text.replaceAll(genuine, evilHash)));
        }
        await delegate(scene, world, [
          { name: 'first', paths, roles: [{ name: 'inner', paths, targets: honest }] },
          { name: 'second', paths, targets: targetsOf(scene, [...PAGES, WHEEL]) },
        ]);
      },
    },
    {
      id: 'delegation-many',
      isBelieved: true,
      does: 'with the keys of targets and online: puts forty roles before the bins',
      expected: rejected('incomplete'),
      attack: (scene, world) => delegate(scene, world, emptyRoles(40)),
      twin: (scene, world) => delegate(scene, world, emptyRoles(20)),
    },
    {
      id: 'role-names-strange',
      isBelieved: true,
      does: 'with the keys of targets and online: delegates to roles named constructor, __proto__ and %2e%2e%2fx',
      expected: noEffect,
      attack: (scene, world) =>
        delegate(
          scene,
          world,
          ['constructor', '__proto__', '%2e%2e%2fx'].map((name) => ({ name, paths: ['*/*/*'] })),
        ),
    },
  ],
};

function emptyRoles(count: number): Role[] {
  return Array.from({ length: count }, (_, position) => ({ name: `role-${position}`, paths: ['*/*/*'] }));
}

export const delegationSections: readonly AttackSection[] = [delegations];
