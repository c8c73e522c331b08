import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generatePrivateKey, KeySigner } from '../../src/keys/key-signer.ts';
import { readPrivateKeyFile } from '../../src/keys/private-key-file.ts';
import { RunAuthority } from '../../src/proxy/intercept/run-authority.ts';
import { makeSdist, makeWheel, type Distribution } from '../tools/distribution.ts';
import { buildRind, rind, RindServer } from '../tools/rind-program.ts';
import { Uploader } from '../tools/upload.ts';
import type { AttackCase, HeldKey } from './attack-case.ts';
import { sha256 } from './forgery.ts';
import { MaliciousMirror } from './malicious-mirror.ts';
import { NearClient } from './near-client.ts';
import { plainPath } from './scene.ts';

const HERE = '127.0.0.1';
const DAY = 86_400_000;

export type State = ReadonlyMap<string, Uint8Array>;

/** A project's files in an index that is nobody's: higher versions of what the real one has, and what it has not; below `same/` the same version. */
const STRANGE = ['wheely', 'dep', 'ghost'].map((name) =>
  makeWheel({ name, version: '9.0', build: 'of the attacker', padding: 500 }),
);

/** Everything the attacks need: states of a real `rind serve`, copied off its disk, its keys, and the mirror in front. */
export class World {
  readonly mirror: MaliciousMirror;
  /** States of the real index: before and after the newest releases, and of an index of somebody else. */
  readonly old: State;
  readonly new: State;
  readonly foreign: State;
  readonly fingerprint: string;
  readonly root: Uint8Array;
  readonly keys: Readonly<Record<'root' | 'targets' | 'bins' | 'claimed' | 'online', HeldKey>>;
  /** Of the attacker. */
  readonly own: HeldKey;
  /** A file of the attacker named as the newest wheel of `wheely`. */
  readonly evil: Distribution;
  /** The sha256 of that file. */
  readonly evilHash: string;
  /** What the file with this sha256 is, of those that the index has. */
  readonly known: ReadonlyMap<string, string>;
  /** The authority that users of the https mirrors trust. It speaks for this machine and for a host of the attacker. */
  readonly authority: RunAuthority;
  /** Another one that they trust, and whose time is over. */
  readonly pastAuthority: RunAuthority;
  /** Both, PEM, and the file they are in. */
  readonly authorities: { readonly pem: string; readonly path: string };
  readonly folder: string;
  readonly #seen = new Map<'old' | 'new', Promise<string>>();

  private constructor(parts: Omit<World, 'close' | 'mirrorFor' | 'seen'>) {
    this.mirror = parts.mirror;
    this.old = parts.old;
    this.new = parts.new;
    this.foreign = parts.foreign;
    this.fingerprint = parts.fingerprint;
    this.root = parts.root;
    this.keys = parts.keys;
    this.own = parts.own;
    this.evil = parts.evil;
    this.evilHash = parts.evilHash;
    this.known = parts.known;
    this.authority = parts.authority;
    this.pastAuthority = parts.pastAuthority;
    this.authorities = parts.authorities;
    this.folder = parts.folder;
  }

  static async create(folder: string): Promise<World> {
    await buildRind();
    const [real, foreign] = await Promise.all([
      makeIndex(join(folder, 'index')),
      makeIndex(join(folder, 'foreign'), ['wheely']),
    ]);
    const authority = new RunAuthority([HERE, 'attacker.example']);
    const pastAuthority = new RunAuthority([HERE], new Date(Date.now() - 30 * DAY));
    const evil = makeWheel({ name: 'wheely', version: '2.0', build: 'of the attacker', padding: 4_000 });
    const authorities = {
      pem: authority.certificate + pastAuthority.certificate,
      path: join(folder, 'ca.pem'),
    };
    await writeFile(authorities.path, authorities.pem);
    return new World({
      ...real,
      foreign: foreign.new,
      mirror: await MaliciousMirror.start(strangerFiles()),
      own: KeySigner.fromPrivateKey(await generatePrivateKey('ed25519')),
      evil,
      evilHash: sha256(evil.bytes),
      authority,
      pastAuthority,
      authorities,
      folder,
    });
  }

  /** The mirror of a case: one over https is its own, so that its certificate can be changed, and has to be closed. */
  async mirrorFor({ isSecure, certificate }: AttackCase): Promise<MaliciousMirror> {
    if (isSecure !== true && certificate === undefined) return this.mirror;
    return MaliciousMirror.start(strangerFiles(), this.authority.issue(HERE));
  }

  /** The folder of metadata of a client that has installed something from this state; to be copied. */
  seen(state: 'old' | 'new'): Promise<string> {
    const made = this.#seen.get(state) ?? this.#see(state);
    this.#seen.set(state, made);
    return made;
  }

  async #see(state: 'old' | 'new'): Promise<string> {
    const folder = join(this.folder, `seen-${state}`);
    const { url } = this.mirror.open(`seen-${state}`, this[state]);
    const client = new NearClient({ url, folder, root: this.root, known: this.known });
    const { installed, detail } = await client.install('other', 'rind proxy');
    if (installed.length === 0) throw new Error(detail);
    return join(folder, 'metadata');
  }

  async close(): Promise<void> {
    await this.mirror.close();
  }
}

type Made = Pick<World, 'old' | 'new' | 'fingerprint' | 'root' | 'keys' | 'known'>;

const FIRST = [
  ...['wheely', 'other', 'yanky', 'wheely-extra', 'dep'].map((name) => wheel(name, '1.0')),
  makeWheel({ name: 'app', version: '1.0', requires: ['dep'], padding: 300 }),
  makeSdist({ name: 'sourcy', version: '1.0', padding: 300 }),
];
const SECOND = [
  wheel('wheely', '2.0'),
  wheel('yanky', '2.0'),
  makeSdist({ name: 'sourcy', version: '2.0', padding: 300 }),
];

function wheel(name: string, version: string): Distribution {
  return makeWheel({ name, version, padding: 4_000 });
}

async function makeIndex(folder: string, only?: readonly string[]): Promise<Made> {
  const server = await RindServer.start({ folder });
  try {
    const chosen = (list: readonly Distribution[]): readonly Distribution[] =>
      list.filter(({ name }) => only === undefined || only.includes(name));
    await uploadAll(server, chosen(FIRST));
    const old = await readTree(folder);
    await uploadAll(server, chosen(SECOND));
    if (only === undefined) await yankTwo(server, folder);
    const passphrase = (await readFile(join(folder, 'offline-keys', 'passphrase'), 'utf8')).trim();
    const onlinePassphrase = (await readFile(join(folder, 'keys', 'online.passphrase'), 'utf8')).trim();
    const offline = (role: string) =>
      readPrivateKeyFile(join(folder, 'offline-keys', `${role}.json`), passphrase);
    const [root, targets, bins, claimed, online] = await Promise.all([
      ...['root', 'targets', 'bins', 'claimed'].map(offline),
      readPrivateKeyFile(join(folder, 'keys', 'online.json'), onlinePassphrase),
    ]);
    if (!root || !targets || !bins || !claimed || !online) throw new TypeError('a key is missing');
    const newest = await readTree(folder);
    const bytes = newest.get('metadata/1.root.json');
    if (bytes === undefined) throw new TypeError('the index has no root');
    return {
      old,
      new: newest,
      fingerprint: server.fingerprint,
      root: bytes,
      keys: { root, targets, bins, claimed, online },
      known: new Map(
        [...FIRST, ...SECOND].map((each) => [sha256(each.bytes), `${each.name} ${each.version}`]),
      ),
    };
  } finally {
    await server.stop();
  }
}

async function uploadAll(server: RindServer, distributions: readonly Distribution[]): Promise<void> {
  const uploader = new Uploader(server.uploadUrl, server.token);
  for (const distribution of distributions) {
    const { status, reason } = await uploader.upload(distribution);
    if (status !== 200) throw new Error(`${distribution.filename}: ${status} ${reason}`);
  }
  uploader.close();
}

/** The second release of `yanky` is yanked. */
async function yankTwo(server: RindServer, folder: string): Promise<void> {
  const yanked = await rind(['release', 'yank', 'yanky', '2.0', '--data', folder]);
  if (yanked.code !== 0) throw new Error(yanked.output);
  for (;;) {
    const page = await fetch(`${server.url}simple/yanky/`, {
      headers: { accept: 'application/vnd.pypi.simple.v1+json' },
    });
    if (/"yanked":true|"yanked":"/.test(await page.text())) return;
  }
}

/** Everything the index serves, by path, without the hash-named copies. */
async function readTree(folder: string): Promise<State> {
  const tree = join(folder, 'tree');
  const files = new Map<string, Uint8Array>();
  for (const entry of await readdir(tree, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    files.set(plainPath(path.slice(tree.length + 1)), await readFile(path));
  }
  return files;
}

function strangerFiles(): ReadonlyMap<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  const add = (prefix: string, { name, filename, bytes }: Distribution): void => {
    files.set(prefix + filename, bytes);
    const page = `<!DOCTYPE html><html><body><a href="../../${filename}">${filename}</a></body></html>`;
    files.set(`${prefix}simple/${name}/index.html`, Buffer.from(page));
  };
  for (const each of STRANGE) add('', each);
  add('same/', makeWheel({ name: 'wheely', version: '2.0', build: 'of the attacker', padding: 4_000 }));
  return files;
}
