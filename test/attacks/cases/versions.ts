import { bounded, noEffect, rejected, type AttackSection } from '../attack-case.ts';
import { Forgery, inDays, sha256 } from '../forgery.ts';
import { flipped } from './files.ts';

const TIMESTAMP = /^metadata\/timestamp\.json$/;
const WEEK = 7 * 86_400_000;
const NEW_WHEEL = 'packages/wheely/wheely-2.0-py3-none-any.whl';

const rollback: AttackSection = {
  title: 'Rollback: an older state, in which a hole is open again',
  cases: [
    {
      id: 'rollback-all',
      does: 'shows everything as it was, to a client that has seen newer',
      expected: rejected('rollback'),
      before: 'new',
      attack: (scene, { old }) => scene.replay(old),
    },
    {
      id: 'rollback-timestamp',
      does: 'shows an older timestamp, to a client that has seen the newest',
      expected: rejected('rollback'),
      before: 'new',
      attack: (scene, { old }) =>
        void scene.files.set('metadata/timestamp.json', old.get('metadata/timestamp.json')!),
    },
    {
      id: 'rollback-snapshot',
      does: 'gives the older snapshot under the newest timestamp',
      expected: rejected('tampered'),
      attack: (scene, { old }) => {
        const forgery = new Forgery(scene);
        const path = forgery.pathOf('snapshot');
        const oldest = [...old.keys()].filter((each) => each.endsWith('snapshot.json')).at(-1) ?? '';
        scene.files.set(path, old.get(oldest)!);
      },
    },
    {
      id: 'rollback-bin',
      does: 'gives the bin of the wheel as it was before the release',
      expected: rejected('rollback'),
      attack: (scene) => {
        const forgery = new Forgery(scene);
        const path = forgery.pathOf(forgery.binOf('simple/wheely/index.json'));
        const version = Number(/(\d+)\.bin/.exec(path)?.[1]);
        scene.files.set(path, scene.read(path.replace(`${version}.bin`, `${version - 1}.bin`)));
      },
    },
    {
      id: 'rollback-bin-signed',
      isBelieved: true,
      does: 'with the online key: lists a bin under a lower version than before',
      expected: rejected('rollback'),
      attack: async (scene, { keys }) => {
        const forgery = new Forgery(scene);
        const bin = forgery.binOf('simple/wheely/index.json');
        await forgery.list(new Map(), keys.online, {
          snapshot: (signed) => (signed.meta[`${bin}.json`] = { version: 1 }),
        });
      },
    },
    {
      id: 'rollback-drops-role',
      isBelieved: true,
      does: 'with the online key: leaves a role out of the snapshot',
      expected: rejected('incomplete'),
      attack: async (scene, { keys }) => {
        const forgery = new Forgery(scene);
        await forgery.list(new Map(), keys.online, {
          snapshot: (signed) => delete signed.meta['bin-00.json'],
        });
      },
    },
    {
      id: 'rollback-snapshot-signed',
      does: 'with the online key: lists a lower snapshot version in a newer timestamp',
      expected: rejected('rollback'),
      before: 'new',
      attack: async (scene, { keys, old }) => {
        const path = [...old.keys()].filter((each) => each.endsWith('.snapshot.json')).at(-1) ?? '';
        const bytes = old.get(path)!;
        await new Forgery(scene).put(
          'timestamp',
          (signed) => {
            signed.meta['snapshot.json'] = {
              version: Number(/(\d+)\.snap/.exec(path)?.[1]),
              length: bytes.length,
              hashes: { sha256: sha256(bytes) },
            };
            signed['x-rind-log'].size += 1;
          },
          [keys.online],
        );
      },
    },
    {
      id: 'rollback-root',
      does: 'gives root 1 again as root 2',
      expected: rejected('rollback'),
      before: 'nothing',
      attack: (scene, { root }) => void scene.files.set('metadata/2.root.json', root),
    },
    {
      id: 'rollback-after-failure',
      does: 'breaks the newest snapshot first, then shows the older state to a client that has seen the newest',
      expected: rejected('rollback'),
      before: 'new',
      attack: (scene, { old }) => {
        scene.replay(old);
        scene.change(/snapshot\.json$/, flipped);
      },
    },
  ],
};

const freeze: AttackSection = {
  title: 'Freeze: nothing newer is shown',
  cases: [
    {
      id: 'freeze-unexpired',
      does: 'goes on showing a state that is signed and unexpired, but no longer the newest',
      expected: bounded(
        'wheely 1.0',
        'the expiry of the timestamp: seven days here, less if the index is set so',
      ),
      attack: (scene, { old }) => scene.replay(old),
    },
    {
      id: 'freeze-expired',
      does: 'goes on showing that state after its timestamp has expired',
      expected: rejected('expired'),
      clock: WEEK + 86_400_000,
      attack: (scene, { old }) => scene.replay(old),
    },
    {
      id: 'freeze-expired-timestamp',
      isBelieved: true,
      does: 'shows a genuine timestamp that expired yesterday',
      expected: rejected('expired'),
      attack: async (scene, { keys }) => {
        await new Forgery(scene).list(new Map(), keys.online, {
          timestamp: (signed) => (signed.expires = inDays(-1)),
        });
      },
      twin: async (scene, { keys }) => {
        await new Forgery(scene).list(new Map(), keys.online, {
          timestamp: (signed) => (signed.expires = inDays(0.1)),
        });
      },
    },
    {
      id: 'freeze-expired-snapshot',
      isBelieved: true,
      does: 'shows a genuine snapshot that expired yesterday',
      expected: rejected('expired'),
      attack: async (scene, { keys }) => {
        await new Forgery(scene).list(new Map(), keys.online, {
          snapshot: (signed) => (signed.expires = inDays(-1)),
        });
      },
    },
    ...(['targets', 'bins'] as const).map(
      (role) =>
        ({
          id: `freeze-expired-${role}`,
          isBelieved: true,
          does: `shows genuine metadata of ${role} that expired yesterday`,
          expected: rejected('expired'),
          attack: async (scene, { keys }) => {
            await new Forgery(scene).replace(
              role,
              (signed) => (signed.expires = inDays(-1)),
              [keys[role]],
              keys.online,
            );
          },
          twin: async (scene, { keys }) => {
            await new Forgery(scene).replace(
              role,
              (signed) => (signed.expires = inDays(1)),
              [keys[role]],
              keys.online,
            );
          },
        }) satisfies AttackSection['cases'][number],
    ),
    {
      id: 'freeze-expired-bin',
      isBelieved: true,
      does: 'shows a genuine bin that expired yesterday',
      expected: rejected('expired'),
      attack: async (scene, { keys }) => {
        const forgery = new Forgery(scene);
        const bin = forgery.binOf('simple/wheely/index.json');
        await forgery.replace(bin, (signed) => (signed.expires = inDays(-1)), [keys.online], keys.online);
      },
    },
    {
      id: 'freeze-expired-root',
      does: 'shows a genuine root that expired yesterday, as the last one',
      expected: rejected('expired'),
      attack: async (scene, { keys }) => {
        await new Forgery(scene).put('root', (signed) => (signed.expires = inDays(-1)), [keys.root]);
      },
      // An expired root on the way to one that is not is no attack.
      twin: async (scene, { keys }) => {
        const forgery = new Forgery(scene);
        await forgery.put('root', (signed) => (signed.expires = inDays(-1)), [keys.root]);
        await forgery.put('root', (signed) => (signed.expires = inDays(90)), [keys.root]);
      },
    },
    {
      id: 'freeze-clock-back',
      does: 'shows an expired state to a machine whose clock he has set back',
      expected: bounded(
        'wheely 1.0',
        'a right clock: whoever sets the clock of the machine decides what has expired',
      ),
      clock: -WEEK,
      before: 'nothing',
      isBelieved: true,
      attack: async (scene, { old, keys }) => {
        scene.replay(old);
        await new Forgery(scene).list(new Map(), keys.online, {
          timestamp: (signed) => (signed.expires = inDays(-1)),
        });
      },
    },
    {
      id: 'freeze-no-timestamp',
      does: 'says that there is no timestamp',
      expected: rejected('unreachable'),
      attack: (scene) => scene.change(TIMESTAMP, () => undefined),
    },
    {
      id: 'freeze-no-snapshot',
      does: 'shows the newest timestamp and withholds the snapshot',
      expected: rejected('incomplete'),
      attack: (scene) => scene.change(/snapshot\.json$/, () => undefined),
    },
    {
      id: 'freeze-no-bin',
      does: 'withholds the newest bins',
      expected: rejected('incomplete'),
      attack: (scene) => scene.change(/^metadata\/(?!1\.)\d+\.bin-.*json$/, () => undefined),
    },
    {
      id: 'freeze-no-metadata',
      does: 'shows pages and files and no metadata at all',
      expected: rejected('unreachable'),
      before: 'nothing',
      attack: (scene) => scene.change(/^metadata\//, () => undefined),
    },
    {
      id: 'freeze-503',
      does: 'answers every question for metadata with 503',
      expected: rejected('unreachable'),
      attack: (scene) =>
        scene.trick(/^metadata\//, (_, response) => {
          response.writeHead(503, { 'retry-after': '86400' }).end();
          return true;
        }),
    },
  ],
};

const fastForward: AttackSection = {
  title: 'Fast-forward: versions so high that nothing honest comes after them',
  cases: [
    {
      id: 'forward-own-key',
      does: 'shows a timestamp of version 2^53-1 signed by himself',
      expected: rejected('wrongly-signed'),
      attack: async (scene, { own }) => {
        await new Forgery(scene).put('timestamp', (signed) => (signed.version = Number.MAX_SAFE_INTEGER), [
          own,
        ]);
      },
    },
    {
      id: 'forward-stolen-key',
      does: 'with the online key: shows a timestamp of version 2^53-1',
      expected: bounded(
        'wheely 2.0',
        'new online keys in a new root: clients then forget the versions of the old ones',
      ),
      attack: async (scene, { keys }) => {
        await new Forgery(scene).put('timestamp', (signed) => (signed.version = Number.MAX_SAFE_INTEGER), [
          keys.online,
        ]);
      },
      twin: async (scene, { keys, own }) => {
        // The honest recovery of the same client: root replaces the online key.
        const forgery = new Forgery(scene);
        await forgery.put('root', (signed) => replaceKey(signed, keys.online.key.keyId, own), [keys.root]);
        await forgery.put('timestamp', () => undefined, [own]);
        await resignSnapshot(forgery, own);
      },
    },
    ...(
      [
        ['beyond-integers', 2 ** 53, 'beyond the integers of JSON readers'],
        ['zero', 0, 'of version 0'],
        ['negative', -1, 'of version -1'],
        ['fraction', 12.5, 'of version 12.5'],
        ['text', '99', 'whose version is a string'],
      ] as const
    ).map(
      ([name, version, what]) =>
        ({
          id: `forward-${name}`,
          does: `with the online key: shows a timestamp ${what}`,
          expected: rejected('malformed'),
          attack: async (scene, { keys }) => {
            const { signed } = new Forgery(scene).read('timestamp');
            // JSON.stringify: canonical JSON has no fractions, and readers differ in large numbers.
            const text = JSON.stringify({ ...signed, version });
            const sig = Buffer.from(await keys.online.signBytes(Buffer.from(text))).toString('hex');
            const keyid = keys.online.key.keyId;
            scene.files.set(
              'metadata/timestamp.json',
              Buffer.from(`{"signatures":${JSON.stringify([{ keyid, sig }])},"signed":${text}}`),
            );
          },
        }) satisfies AttackSection['cases'][number],
    ),
  ],
};

const mix: AttackSection = {
  title: 'Mix and match: genuine parts that do not belong together',
  cases: [
    {
      id: 'mix-bins-swapped',
      does: 'gives one bin, genuine and of the same version, in the place of another',
      expected: rejected('wrongly-signed'),
      attack: (scene) => {
        const forgery = new Forgery(scene);
        const path = forgery.pathOf(forgery.binOf('simple/wheely/index.json'));
        const version = /(\d+)\.bin/.exec(path)?.[1] ?? '';
        const other =
          scene.paths(new RegExp(`^metadata/${version}\\.bin-`)).find((each) => each !== path) ?? '';
        scene.files.set(path, scene.read(other));
      },
    },
    {
      id: 'mix-targets-for-bins',
      does: 'gives the metadata of targets in the place of bins',
      expected: rejected('tampered'),
      before: 'nothing',
      attack: (scene) => void scene.files.set('metadata/1.bins.json', scene.read('metadata/1.targets.json')),
    },
    {
      id: 'mix-foreign-timestamp',
      does: 'gives the timestamp of another index',
      expected: rejected('wrongly-signed'),
      attack: (scene, { foreign }) =>
        void scene.files.set('metadata/timestamp.json', foreign.get('metadata/timestamp.json')!),
    },
    {
      id: 'mix-foreign-index',
      does: 'shows the whole of another index, signed by itself',
      expected: rejected('wrongly-signed'),
      attack: (scene, { foreign }) => scene.replay(foreign),
    },
    {
      id: 'mix-foreign-root',
      does: 'gives the root of another index as the next one',
      expected: rejected('wrongly-signed'),
      attack: (scene, { foreign }) => {
        scene.replay(foreign);
        scene.files.set('metadata/2.root.json', foreign.get('metadata/1.root.json')!);
      },
    },
    {
      id: 'mix-new-page-old-file',
      does: 'shows the newest metadata and pages, and every file as it was',
      expected: rejected('incomplete'),
      attack: (scene) => scene.change(new RegExp(`^${NEW_WHEEL}$`), () => undefined),
    },
    {
      id: 'mix-old-timestamp',
      does: 'shows the older timestamp and everything else as it is now',
      expected: rejected('tampered'),
      attack: (scene, { old }) =>
        void scene.files.set('metadata/timestamp.json', old.get('metadata/timestamp.json')!),
    },
    {
      id: 'mix-files-without-metadata',
      does: 'gives the files and pages of another index under the genuine metadata',
      expected: rejected('tampered'),
      attack: (scene, { foreign }) => {
        for (const [path, bytes] of foreign)
          if (!path.startsWith('metadata/')) scene.files.set(path, Buffer.concat([bytes, Buffer.from(' ')]));
      },
    },
    {
      id: 'mix-whitespace',
      does: 'writes the timestamp anew with other spaces, its signature unchanged',
      expected: noEffect,
      attack: (scene) =>
        scene.change(TIMESTAMP, (bytes) =>
          Buffer.from(JSON.stringify(JSON.parse(bytes.toString()), undefined, 2)),
        ),
    },
  ],
};

type Parts = Parameters<AttackSection['cases'][number]['attack']>;

/** Puts a key in the place of another wherever root names it. */
export function replaceKey(
  signed: { keys: Record<string, unknown>; roles: Record<string, { keyids: string[] }> },
  keyId: string,
  { key }: Parts[1]['own'],
): void {
  delete signed.keys[keyId];
  signed.keys[key.keyId] = { keytype: key.keyType, scheme: key.scheme, keyval: { public: key.public } };
  for (const role of Object.values(signed.roles))
    role.keyids = role.keyids.map((id) => (id === keyId ? key.keyId : id));
}

/** Snapshot, and the timestamp that lists it, by a new key. */
async function resignSnapshot(forgery: Forgery, online: Parts[1]['own']): Promise<void> {
  await forgery.list(new Map(), online);
}

export const versionSections: readonly AttackSection[] = [rollback, freeze, fastForward, mix];
