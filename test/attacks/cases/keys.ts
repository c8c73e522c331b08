import { bounded, noEffect, rejected, type AttackSection, type HeldKey } from '../attack-case.ts';
import { Forgery, inDays, keyJson, type Envelope, type Loose } from '../forgery.ts';
import type { Scene } from '../scene.ts';
import { flipped } from './files.ts';
import { replaceKey } from './versions.ts';

const WHEEL = 'packages/wheely/wheely-2.0-py3-none-any.whl';
const PAGE = 'simple/wheely/index.json';

/** Changes the envelope of a role where it is, without a new version. */
function envelope(scene: Scene, role: string, edit: (envelope: Envelope) => void): void {
  const forgery = new Forgery(scene);
  const path = forgery.pathOf(role);
  const changed = forgery.read(role);
  edit(changed);
  scene.files.set(path, Buffer.from(JSON.stringify(changed)));
}

/** The text of a role's metadata, edited. */
function text(scene: Scene, role: string, edit: (text: string) => string): void {
  const path = new Forgery(scene).pathOf(role);
  scene.files.set(path, Buffer.from(edit(Buffer.from(scene.read(path)).toString())));
}

const tampering: AttackSection = {
  title: 'Metadata changed on the way',
  cases: [
    {
      id: 'metadata-digit-timestamp',
      does: 'changes one digit of the timestamp',
      expected: rejected('wrongly-signed'),
      attack: (scene) => envelope(scene, 'timestamp', ({ signed }) => (signed.version += 1)),
    },
    {
      id: 'metadata-bit-snapshot',
      does: 'flips one bit of the snapshot',
      expected: rejected('tampered'),
      attack: (scene) => scene.change(new RegExp(`^${new Forgery(scene).pathOf('snapshot')}$`), flipped),
    },
    ...(['targets', 'bins'] as const).map((role) => ({
      id: `metadata-bit-${role}`,
      does: `flips one bit of ${role}, at the first contact`,
      expected: rejected('tampered'),
      before: 'nothing' as const,
      attack: (scene: Scene) => scene.change(new RegExp(`^${new Forgery(scene).pathOf(role)}$`), flipped),
    })),
    {
      id: 'metadata-bin-hash',
      does: 'writes the hash of his own wheel into the bin',
      expected: rejected('wrongly-signed'),
      attack: (scene, { evil }) => {
        scene.files.set(WHEEL, evil.bytes);
        envelope(scene, new Forgery(scene).binOf(WHEEL), ({ signed }) => (signed.targets[WHEEL].length += 1));
      },
    },
    {
      id: 'metadata-unsigned-timestamp',
      does: 'takes the signatures off the timestamp',
      expected: rejected('wrongly-signed'),
      attack: (scene) => envelope(scene, 'timestamp', (each) => (each.signatures = [])),
    },
    {
      id: 'metadata-unsigned-bin',
      does: 'takes the signatures off a bin',
      expected: rejected('wrongly-signed'),
      attack: (scene) => envelope(scene, new Forgery(scene).binOf(PAGE), (each) => (each.signatures = [])),
    },
    {
      id: 'metadata-expiry-moved',
      does: 'moves the expiry of the timestamp, its signature unchanged',
      expected: rejected('wrongly-signed'),
      attack: (scene) => envelope(scene, 'timestamp', ({ signed }) => (signed.expires = inDays(900))),
    },
    {
      id: 'metadata-expiry-unreadable',
      does: 'with the online key: writes an expiry that no reader understands',
      expected: rejected('malformed'),
      attack: async (scene, { keys }) =>
        void (await new Forgery(scene).put('timestamp', (signed) => (signed.expires = 'never'), [
          keys.online,
        ])),
    },
    {
      id: 'metadata-duplicate-member',
      does: 'repeats a member of the timestamp, so that readers differ',
      expected: rejected('malformed'),
      attack: (scene) => text(scene, 'timestamp', (each) => each.replace('"_type":', '"version":9,"_type":')),
    },
    {
      id: 'metadata-trailing',
      does: 'adds a second document after the timestamp',
      expected: rejected('malformed'),
      attack: (scene) => text(scene, 'timestamp', (each) => `${each}{}`),
    },
    {
      id: 'metadata-byte-order-mark',
      does: 'puts a byte order mark before the timestamp',
      expected: rejected('malformed'),
      attack: (scene) => text(scene, 'timestamp', (each) => `\ufeff${each}`),
    },
    {
      id: 'metadata-deep',
      does: 'nests a thousand arrays into the timestamp',
      expected: rejected('malformed'),
      attack: (scene) =>
        text(scene, 'timestamp', (each) =>
          each.replace('"signed":{', `"signed":{"x":${'['.repeat(1000)}${']'.repeat(1000)},`),
        ),
    },
    {
      id: 'metadata-wrong-type',
      does: 'gives the snapshot as the timestamp',
      expected: rejected('malformed'),
      attack: (scene) =>
        void scene.files.set('metadata/timestamp.json', scene.read(new Forgery(scene).pathOf('snapshot'))),
    },
    {
      id: 'metadata-login-page',
      does: 'gives the login page of a network for everything',
      expected: rejected('malformed'),
      attack: (scene) => {
        for (const path of scene.files.keys())
          scene.files.set(path, Buffer.from('<html>Please log in</html>'));
      },
    },
  ],
};

/** A file of the attacker, signed into its bin and onto the page's bin. */
async function forgeWheel(scene: Scene, bytes: Uint8Array, online: HeldKey): Promise<void> {
  const forgery = new Forgery(scene);
  await forgery.forgeFile(WHEEL, bytes, online);
  const page = JSON.parse(Buffer.from(scene.read(PAGE)).toString()) as Loose;
  const file = page.files.find(({ filename }: Loose) => filename.includes('2.0'));
  const { hashes, length } = forgery.read(forgery.binOf(WHEEL)).signed.targets[WHEEL];
  Object.assign(file, { hashes, size: length });
  await forgery.forgeFile(PAGE, Buffer.from(JSON.stringify(page)), online);
}

const compromise: AttackSection = {
  title: 'Stolen keys',
  cases: [
    {
      id: 'stolen-none',
      does: 'signs his wheel, its bin, snapshot and timestamp with a key of his own',
      expected: rejected('wrongly-signed'),
      attack: (scene, { evil, own }) => forgeWheel(scene, evil.bytes, own),
    },
    {
      id: 'stolen-online-first-contact',
      does: 'with the online key: signs his wheel, for a client that has seen nothing yet',
      expected: bounded(
        'wheely of the attacker',
        'claimed projects, which the online key cannot sign; and the public log, which shows it to everybody else',
      ),
      before: 'nothing',
      attack: (scene, { evil, keys }) => forgeWheel(scene, evil.bytes, keys.online),
    },
    {
      id: 'stolen-online-other-history',
      does: 'with the online key: signs his wheel without going on with the public log',
      expected: rejected('fork'),
      before: 'new',
      attack: (scene, { evil, keys }) => forgeWheel(scene, evil.bytes, keys.online),
    },
    {
      id: 'stolen-online-no-log',
      does: 'with the online key: leaves the public log away',
      expected: rejected('fork'),
      attack: async (scene, { keys }) =>
        new Forgery(scene).list(new Map(), keys.online, {
          timestamp: (signed) => delete signed['x-rind-log'],
        }),
    },
    {
      id: 'stolen-online-twin-timestamp',
      isBelieved: true,
      does: 'with the online key: signs the newest version a second time, with other content',
      expected: rejected('fork'),
      before: 'new',
      attack: async (scene, { keys }) =>
        void (await new Forgery(scene).put(
          'timestamp',
          (signed) => {
            signed.version -= 1;
            signed.expires = inDays(6);
          },
          [keys.online],
        )),
    },
    {
      id: 'equivocation',
      does: 'with the online key: shows this client another newest version than everybody else',
      expected: bounded(
        'wheely of the attacker',
        'comparing log heads: `rind audit` with a witness finds both versions',
      ),
      attack: async (scene, { evil, keys, new: newest }) => {
        scene.replay(newest);
        await forgeWheel(scene, evil.bytes, keys.online);
      },
    },
    {
      id: 'stolen-bins',
      does: 'with the key of bins alone: puts his own key in for all bins',
      expected: rejected('tampered'),
      before: 'nothing',
      attack: async (scene, { keys, own }) => {
        const forgery = new Forgery(scene);
        const { signed } = forgery.read('bins');
        signed.delegations.keys = { [own.key.keyId]: keyJson(own) };
        for (const role of signed.delegations.roles) role.keyids = [own.key.keyId];
        scene.files.set(forgery.pathOf('bins'), await Forgery.envelope(signed, [keys.bins]));
      },
    },
    {
      id: 'stolen-targets',
      does: 'with the key of targets alone: delegates everything to himself',
      expected: rejected('tampered'),
      before: 'nothing',
      attack: async (scene, { keys, own }) => {
        const forgery = new Forgery(scene);
        const { signed } = forgery.read('targets');
        signed.delegations.keys[own.key.keyId] = keyJson(own);
        for (const role of signed.delegations.roles) role.keyids = [own.key.keyId];
        scene.files.set(forgery.pathOf('targets'), await Forgery.envelope(signed, [keys.targets]));
      },
    },
    {
      id: 'key-of-other-role',
      does: 'signs the timestamp with the key of bins',
      expected: rejected('wrongly-signed'),
      attack: async (scene, { keys }) =>
        void (await new Forgery(scene).put('timestamp', () => undefined, [keys.bins])),
    },
    {
      id: 'revoked-online-key',
      does: 'signs with an online key that root has replaced',
      expected: rejected('wrongly-signed'),
      attack: async (scene, { keys, own, evil }) => {
        await new Forgery(scene).put('root', (signed) => replaceKey(signed, keys.online.key.keyId, own), [
          keys.root,
        ]);
        await forgeWheel(scene, evil.bytes, keys.online);
      },
      twin: async (scene, { keys, own }) => {
        const forgery = new Forgery(scene);
        await forgery.put('root', (signed) => replaceKey(signed, keys.online.key.keyId, own), [keys.root]);
        await forgery.list(new Map(), own);
      },
    },
  ],
};

const roots: AttackSection = {
  title: 'Roots',
  cases: [
    {
      id: 'root-own-key',
      does: 'makes a next root with his own keys, signed by them',
      expected: rejected('wrongly-signed'),
      attack: async (scene, { own, keys }) =>
        void (await new Forgery(scene).put('root', (signed) => replaceKey(signed, keys.root.key.keyId, own), [
          own,
        ])),
      twin: async (scene, { own, keys }) =>
        void (await new Forgery(scene).put('root', (signed) => replaceKey(signed, keys.root.key.keyId, own), [
          own,
          keys.root,
        ])),
    },
    {
      id: 'root-own-key-unsigned',
      does: 'makes a next root with his own keys and leaves it unsigned',
      expected: rejected('wrongly-signed'),
      attack: async (scene, { own, keys }) =>
        void (await new Forgery(scene).put(
          'root',
          (signed) => replaceKey(signed, keys.root.key.keyId, own),
          [],
        )),
    },
    {
      id: 'root-not-by-itself',
      does: 'with the root key: names a new root key that has not signed',
      expected: rejected('wrongly-signed'),
      attack: async (scene, { own, keys }) =>
        void (await new Forgery(scene).put('root', (signed) => replaceKey(signed, keys.root.key.keyId, own), [
          keys.root,
        ])),
    },
    {
      id: 'root-one-of-two',
      does: 'with one of two root keys: names keys of his own',
      expected: rejected('wrongly-signed'),
      attack: async (scene, { own, keys }) => {
        await twoKeys(scene, keys);
        await new Forgery(scene).put('root', (signed) => replaceKey(signed, keys.targets.key.keyId, own), [
          keys.root,
          own,
        ]);
      },
      twin: async (scene, { keys }) => {
        await twoKeys(scene, keys);
        await new Forgery(scene).put('root', () => undefined, [keys.root, keys.targets]);
      },
    },
    {
      id: 'root-revoked-key',
      does: 'with a root key that was replaced: makes the root after',
      expected: rejected('wrongly-signed'),
      attack: async (scene, { own, keys }) => {
        const forgery = new Forgery(scene);
        await forgery.put('root', (signed) => replaceKey(signed, keys.root.key.keyId, own), [own, keys.root]);
        await forgery.put('root', () => undefined, [keys.root]);
      },
    },
    {
      id: 'root-skips',
      does: 'gives root 3 as root 2',
      expected: rejected('rollback'),
      attack: async (scene, { keys }) => {
        const forgery = new Forgery(scene);
        await forgery.put('root', () => undefined, [keys.root]);
        const third = await forgery.put('root', () => undefined, [keys.root]);
        scene.files.set('metadata/2.root.json', third);
      },
      twin: async (scene, { keys }) => {
        const forgery = new Forgery(scene);
        await forgery.put('root', () => undefined, [keys.root]);
        await forgery.put('root', () => undefined, [keys.root]);
      },
    },
    {
      id: 'root-expired-between',
      isBelieved: true,
      does: 'gives a next root that has expired, before one that has not',
      expected: noEffect,
      attack: async (scene, { keys }) => {
        const forgery = new Forgery(scene);
        await forgery.put('root', (signed) => (signed.expires = inDays(-1)), [keys.root]);
        await forgery.put('root', (signed) => (signed.expires = inDays(300)), [keys.root]);
      },
    },
    {
      id: 'root-wrong-type',
      does: 'gives the metadata of targets as root 2',
      expected: rejected('malformed'),
      attack: (scene) => void scene.files.set('metadata/2.root.json', scene.read('metadata/1.targets.json')),
    },
    {
      id: 'root-bit',
      does: 'flips one bit of a genuine next root',
      expected: rejected('wrongly-signed'),
      attack: async (scene, { keys }) => {
        await new Forgery(scene).put('root', () => undefined, [keys.root]);
        envelope(scene, 'root', ({ signed }) => (signed.expires = inDays(900)));
      },
    },
    {
      id: 'root-endless',
      isLong: true,
      does: 'with the root key: makes three hundred roots, one after the other',
      expected: noEffect,
      attack: async (scene, { keys }) => {
        const { signed } = new Forgery(scene).read('root');
        for (let version = 2; version <= 300; version += 1) {
          const bytes = await Forgery.envelope({ ...signed, version }, [keys.root]);
          scene.files.set(`metadata/${version}.root.json`, bytes);
        }
      },
    },
  ],
};

/** A root that wants two signatures from now on. */
async function twoKeys(scene: Scene, keys: { root: HeldKey; targets: HeldKey }): Promise<void> {
  await new Forgery(scene).put(
    'root',
    (signed) => {
      signed.keys[keys.targets.key.keyId] = keyJson(keys.targets);
      signed.roles.root = { keyids: [keys.root.key.keyId, keys.targets.key.keyId], threshold: 2 };
    },
    [keys.root, keys.targets],
  );
}

const OTHER_NAME = 'a'.repeat(64);

/** A root in which the timestamp's two keys are one. */
async function twoNames(scene: Scene, keys: { root: HeldKey; online: HeldKey }): Promise<void> {
  await new Forgery(scene).put(
    'root',
    (signed) => {
      signed.keys[OTHER_NAME] = keyJson(keys.online);
      signed.roles.timestamp = { keyids: [keys.online.key.keyId, OTHER_NAME], threshold: 2 };
    },
    [keys.root],
  );
}

/** A root in which the timestamp wants two keys. */
async function twoForTimestamp(
  scene: Scene,
  keys: { root: HeldKey; online: HeldKey },
  own: HeldKey,
): Promise<void> {
  await new Forgery(scene).put(
    'root',
    (signed) => {
      signed.keys[own.key.keyId] = keyJson(own);
      signed.roles.timestamp = { keyids: [keys.online.key.keyId, own.key.keyId], threshold: 2 };
    },
    [keys.root],
  );
}

const thresholds: AttackSection = {
  title: 'Thresholds and signatures',
  cases: [
    {
      id: 'signature-twice',
      does: 'repeats the signature, as if two had signed',
      expected: rejected('malformed'),
      attack: (scene) => envelope(scene, 'timestamp', (each) => each.signatures.push(...each.signatures)),
    },
    {
      id: 'one-key-two-names',
      does: 'with the root key: counts one key under two key ids towards a threshold of two',
      expected: rejected('wrongly-signed'),
      attack: async (scene, { keys }) => {
        const forgery = new Forgery(scene);
        await twoNames(scene, keys);
        await forgery.put('timestamp', () => undefined, [keys.online]);
        envelope(scene, 'timestamp', ({ signatures }) =>
          signatures.push({ keyid: OTHER_NAME, sig: signatures[0]?.sig ?? '' }),
        );
      },
      twin: async (scene, { keys, own }) => {
        await twoNames(scene, keys);
        await twoForTimestamp(scene, keys, own);
        await new Forgery(scene).put('timestamp', () => undefined, [keys.online, own]);
      },
    },
    ...[0, -1].map((threshold) => ({
      id: threshold === 0 ? 'threshold-zero' : 'threshold-negative',
      does: `with the root key: sets the threshold of the timestamp to ${threshold}`,
      expected: rejected('malformed'),
      attack: async (scene: Scene, { keys, own }: { keys: { root: HeldKey }; own: HeldKey }) => {
        const forgery = new Forgery(scene);
        await forgery.put('root', (signed) => (signed.roles.timestamp.threshold = threshold), [keys.root]);
        await forgery.put('timestamp', () => undefined, [own]);
      },
    })),
    {
      id: 'threshold-unreached',
      does: 'shows one signature where root wants two',
      expected: rejected('wrongly-signed'),
      attack: async (scene, { keys, own }) => {
        await twoForTimestamp(scene, keys, own);
        await new Forgery(scene).put('timestamp', () => undefined, [keys.online]);
      },
      twin: async (scene, { keys, own }) => {
        await twoForTimestamp(scene, keys, own);
        await new Forgery(scene).put('timestamp', () => undefined, [keys.online, own]);
      },
    },
    {
      id: 'signatures-many',
      does: 'adds five hundred signatures that mean nothing',
      expected: noEffect,
      attack: (scene) =>
        envelope(scene, new Forgery(scene).binOf(PAGE), ({ signatures }) => {
          for (let each = 0; each < 500; each += 1) {
            signatures.unshift({ keyid: each.toString(16).padStart(64, '0'), sig: '00'.repeat(64) });
          }
        }),
    },
    {
      id: 'signature-cut',
      does: 'cuts the signature short',
      expected: rejected('wrongly-signed'),
      attack: (scene) =>
        envelope(scene, 'timestamp', ({ signatures }) => {
          for (const each of signatures) each.sig = each.sig.slice(0, -2);
        }),
    },
    {
      id: 'signature-of-other-role',
      does: 'puts the signature of the snapshot under the timestamp',
      expected: rejected('wrongly-signed'),
      attack: (scene) => {
        const { signatures } = new Forgery(scene).read('snapshot');
        envelope(scene, 'timestamp', (each) => (each.signatures = signatures));
      },
    },
    {
      id: 'names-of-prototypes',
      isBelieved: true,
      does: 'with the online key: names targets __proto__ and constructor',
      expected: noEffect,
      attack: async (scene, { keys }) => {
        const forgery = new Forgery(scene);
        const target = { length: 1, hashes: { sha256: '0'.repeat(64) } };
        await forgery.replace(
          forgery.binOf(PAGE),
          (signed) => {
            Object.defineProperty(signed.targets, '__proto__', { value: target, enumerable: true });
            signed.targets.constructor = target;
          },
          [keys.online],
          keys.online,
        );
      },
    },
    {
      id: 'role-name-traversal',
      isBelieved: true,
      does: 'with the keys of targets and online: delegates to a role named ../../../x',
      expected: rejected('incomplete'),
      attack: async (scene, { keys, own }) => {
        const forgery = new Forgery(scene);
        const name = '../../../x';
        const bytes = await forgery.put(
          'targets',
          (signed) => {
            signed.delegations.keys[own.key.keyId] = keyJson(own);
            signed.delegations.roles.unshift({
              name,
              keyids: [own.key.keyId],
              threshold: 1,
              terminating: true,
              paths: ['simple/*/*'],
            });
          },
          [keys.targets],
        );
        await forgery.list(new Map([['targets', bytes]]), keys.online, {
          snapshot: (signed) => (signed.meta[`${name}.json`] = { version: 1 }),
        });
      },
    },
    {
      id: 'hash-on-page',
      isBelieved: true,
      does: 'with the online key: writes another hash on the page than the file is signed with',
      expected: rejected('malformed'),
      attack: async (scene, { keys }) => {
        const page = JSON.parse(Buffer.from(scene.read(PAGE)).toString()) as Loose;
        const file = page.files.find(({ filename }: Loose) => filename.includes('2.0'));
        file.hashes.sha256 = '0'.repeat(64);
        await new Forgery(scene).forgeFile(PAGE, Buffer.from(JSON.stringify(page)), keys.online);
      },
    },
    {
      id: 'delegation-cycle',
      isBelieved: true,
      does: 'with the keys of targets and online: delegates in a circle before the bins',
      expected: noEffect,
      attack: async (scene, { keys, own }) => {
        const forgery = new Forgery(scene);
        const delegation = (name: string): Loose => ({
          name,
          keyids: [own.key.keyId],
          threshold: 1,
          terminating: false,
          paths: ['*/*/*'],
        });
        const targets = await forgery.put(
          'targets',
          (signed) => {
            signed.delegations.keys[own.key.keyId] = keyJson(own);
            signed.delegations.roles.unshift(delegation('a'));
          },
          [keys.targets],
        );
        const role = (next: string): Loose => ({
          _type: 'targets',
          spec_version: '1.0.34',
          version: 1,
          expires: inDays(5),
          targets: {},
          delegations: { keys: { [own.key.keyId]: keyJson(own) }, roles: [delegation(next)] },
        });
        for (const [name, next] of [
          ['a', 'b'],
          ['b', 'a'],
        ] as const) {
          scene.files.set(`metadata/1.${name}.json`, await Forgery.envelope(role(next), [own]));
        }
        await forgery.list(new Map([['targets', targets]]), keys.online, {
          snapshot: (signed) =>
            Object.assign(signed.meta, { 'a.json': { version: 1 }, 'b.json': { version: 1 } }),
        });
      },
    },
  ],
};

export const keySections: readonly AttackSection[] = [tampering, compromise, roots, thresholds];
