/** What somebody with all online keys and the database does with metadata that others signed, at another time or for another project (PEP 480). */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPolicy } from '../../src/proxy/policy.ts';
import { MetaFile } from '../../src/tuf/file.ts';
import { sha256 } from '../support/index-fixture.ts';
import { copyOf } from './attacker.ts';
import { ClaimsWorld, Victim } from './claims-world.ts';
import { EVIL, Thief } from './thief.ts';
import { WAYS } from './ways.ts';

const ONLINE = ['timestamp', 'snapshot', 'recently-claimed', 'bin-n'] as const;

let world: ClaimsWorld;

beforeAll(async () => {
  world = await ClaimsWorld.open();
});
afterAll(() => world.close());

async function acquainted(name: string): Promise<Victim> {
  const victim = await Victim.named(name, world);
  await victim.session(world.fixture.store, (session) => session.list('flask'));
  return victim;
}

const newThief = async () =>
  new Thief(await copyOf(world.fixture.store), world.keys, ONLINE, world.fixture.clock);

async function entryOf(thief: Thief, role: string, version: number): Promise<MetaFile> {
  const bytes = (await thief.store.read(`metadata/${version}.${role}.json`)) ?? new Uint8Array();
  return new MetaFile({ version, length: bytes.length, hashes: new Map([['sha256', sha256(bytes)]]) });
}

describe('all online keys stolen, and what others signed shown again', () => {
  it('the role of one project as that of another, and an older one of the same project: refused', async () => {
    const shown = async (role: string, version: number, bytes: Uint8Array | undefined) => {
      const thief = await newThief();
      await thief.store.put(`metadata/${version}.${role}.json`, bytes ?? new Uint8Array());
      await thief.publish(new Map([[`${role}.json`, await entryOf(thief, role, version)]]));
      return thief.store;
    };
    const { store } = world.fixture;
    const [django, older] = [await store.read('metadata/1.project-django.json'), await store.read('metadata/1.project-flask.json')]; // prettier-ignore
    await world.release('2.0');
    const victim = await acquainted('compares');
    for (const bytes of [django, older])
      for (const version of [1, 2, 3]) {
        const served = await shown('project-flask', version, bytes);
        const newcomer = await Victim.named(`newcomer-${version}-${bytes === django}`, world);
        expect(await victim.session(served, (session) => session.list('flask'))).toBe('refused');
        const seen = await newcomer.session(served, (session) => session.list('flask'));
        // What flask's developers signed under that number was once true: a mix, as the table says.
        expect(seen).toEqual(bytes === older && version === 1 ? ['flask-1.0.tar.gz'] : 'refused');
      }
  });

  it('the list of claimed projects from before flask was moved: refused by who knows a later one and by who insists, believed by newcomers until it expires', async () => {
    const known = await acquainted('knows');
    const thief = await newThief();
    await WAYS['files in the bins']?.(thief, await thief.forgeries());
    await thief.publish(new Map([['claimed.json', await entryOf(thief, 'claimed', 1)]]));
    await known.session(thief.store, async (session) => {
      expect(await session.list('flask')).toBe('refused');
      expect(await session.take('flask', '1.0')).toBe('refused');
    });
    const insists = createPolicy({
      routes: new Map(),
      agreements: new Map(),
      rules: [{ projects: ['flask'], mustBeClaimed: true, signedBy: [], minimumAgeDays: 0, locked: false }],
      defaultIndex: 'http://rind.test/',
      unknownHosts: 'refuse',
    });
    const newcomer = await Victim.named('insists', world);
    await newcomer.session(
      thief.store,
      async (session) => {
        expect(await session.list('flask')).toBe('refused');
        expect(await session.take('flask', '1.0')).toBe('refused');
      },
      insists,
    );
    const believes = await Victim.named('believes', world);
    await believes.session(thief.store, async (session) => {
      expect(await session.take('flask', '1.0')).toBe(`${EVIL} of flask`);
    });
    world.fixture.advance(24 * 366);
    const later = await Victim.named('later', world);
    await thief.publish(new Map([['claimed.json', await entryOf(thief, 'claimed', 1)]]));
    await later.session(thief.store, async (session) => {
      expect(await session.take('flask', '1.0')).toBe('refused');
    });
  });
});
