/**
 * The table of PEP 480, "Attacks possible by compromising certain combinations of role keys": each row with really stolen keys and the network
 * in the thief's hands, each column tried in every way he has, against a client that knows the index and one that sees it for the first time.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { copyOf } from './attacker.ts';
import { ClaimsWorld, type KeyName, type Project, PROJECTS, Victim } from './claims-world.ts';
import { EVIL, Thief } from './thief.ts';
import { WAYS } from './ways.ts';

const ALL: readonly Project[] = PROJECTS;

let world: ClaimsWorld;
let knowing: Victim;
let clients: number;

beforeEach(async () => {
  world = await ClaimsWorld.open();
  clients = 0;
  knowing = await Victim.named('knowing', world);
  await knowing.session(world.fixture.store, async (session) => {
    for (const project of PROJECTS) expect(await session.take(project, '1.0')).toBe(`${project} 1.0`);
    for (const project of PROJECTS) expect(await session.list(project)).toHaveLength(1);
    const standings = PROJECTS.map((project) => session.claims.get(project)?.standing);
    expect(standings).toEqual(['claimed', 'recently-claimed', 'unclaimed']);
  });
});
afterEach(() => world.close());

/** What is stolen in each row, and the answers of the table. */
interface Row {
  readonly row: string;
  readonly stolen: readonly KeyName[];
  /** Whose users can be given something else. */
  readonly update: readonly Project[];
  readonly freeze: boolean;
  readonly mix: boolean;
}

const BOTH = ['timestamp', 'snapshot'] as const;
const both = (more: readonly KeyName[], update: readonly Project[]) => ({
  stolen: [...BOTH, ...more],
  update,
  freeze: true,
  mix: true,
});

const ROWS: readonly Row[] = [
  { row: 'timestamp', stolen: ['timestamp'], update: [], freeze: true, mix: false },
  { row: 'snapshot', stolen: ['snapshot'], update: [], freeze: false, mix: false },
  { row: 'timestamp and snapshot', ...both([], []) },
  {
    row: 'targets, claimed, recently-claimed, bins, bin-n and project keys without timestamp and snapshot',
    stolen: ['targets', 'claimed', 'recently-claimed', 'bins', 'bin-n', 'project-flask', 'project-django'],
    update: [],
    freeze: false,
    mix: false,
  },
  { row: 'timestamp, snapshot and the key of a claimed project', ...both(['project-flask'], ['flask']) },
  {
    row: 'timestamp, snapshot and the key of a recently claimed project',
    ...both(['project-django'], ['django']),
  },
  // Who is recently claimed rests on the online key still, and the client says so: for the PEP it is not claimed yet.
  { row: 'timestamp, snapshot and recently-claimed', ...both(['recently-claimed'], ['django', 'six']) },
  { row: 'timestamp, snapshot and bins', ...both(['bins', 'bin-n'], ['six']) },
  { row: 'timestamp, snapshot and claimed', ...both(['claimed'], ALL) },
  { row: 'timestamp, snapshot and targets', ...both(['targets'], ALL) },
  { row: 'root', stolen: ['root'], update: ALL, freeze: true, mix: true },
];

const newThief = async (stolen: readonly KeyName[], store = world.fixture.store) =>
  new Thief(await copyOf(store), world.keys, stolen, world.fixture.clock);

/** A client that has seen what is public now. Each attack has its own: a client remembers the highest versions that it took. */
async function acquainted(): Promise<Victim> {
  const victim = await Victim.named(`acquainted-${++clients}`, world);
  await victim.session(world.fixture.store, async (session) => {
    for (const project of PROJECTS) await session.list(project);
  });
  return victim;
}

/** The projects of which some client took a file of the thief's. */
async function fallen(thief: Thief, users: readonly Victim[]): Promise<readonly Project[]> {
  const fooled: Project[] = [];
  for (const user of users)
    await user.session(thief.store, async (session) => {
      for (const project of PROJECTS) {
        const content = await session.take(project, '1.0');
        if (content?.startsWith(EVIL) === true) fooled.push(project);
        else expect(['refused', `${project} 1.0`, undefined]).toContain(content);
      }
    });
  return fooled;
}

describe.each(ROWS)('PEP 480, table 1, $row stolen', ({ stolen, update, freeze, mix }) => {
  it(`a malicious update: ${update.length === 0 ? 'NO' : update.join(', ')}`, async () => {
    const fooled = new Set<Project>();
    for (const way of Object.values(WAYS))
      for (const isQuiet of mix ? [false] : [false, true]) {
        const users = [await acquainted(), await Victim.named(`new-${++clients}`, world)];
        const thief = await newThief(stolen);
        await way(thief, await thief.forgeries());
        await (isQuiet ? thief.replaceQuietly() : thief.publish());
        for (const project of await fallen(thief, users)) fooled.add(project);
      }
    expect(PROJECTS.filter((project) => fooled.has(project))).toEqual(update);
  });

  it(`a freeze: ${freeze ? 'YES, until what he cannot sign expires' : 'NO'}`, async () => {
    const isFrozen = async (thief: Thief, user: Victim) =>
      user.session(thief.store, async (session) => {
        const seen = await Promise.all(PROJECTS.map((project) => session.list(project)));
        return PROJECTS.filter((_, position) => seen[position]?.length === 1);
      });
    const old = await copyOf(world.fixture.store);
    // One for each day: whoever follows the public log sees that what the thief signed earlier is not in it.
    const [later, last] = [await acquainted(), await acquainted()];
    await world.release('2.0');
    world.fixture.advance(48);
    const replay = await newThief([], old);
    expect(await isFrozen(replay, knowing)).toEqual([]);
    const thief = await newThief(stolen, old);
    if (thief.has('root')) await thief.takeRoot(['timestamp', 'snapshot']);
    const holdsSnapshot = thief.has('root') || (thief.has('timestamp') && thief.has('snapshot'));
    /** What he does to be believed on this day. */
    const attack = async () => {
      await (holdsSnapshot ? thief.publish() : thief.stamp());
      return thief;
    };
    expect(await isFrozen(await attack(), knowing)).toEqual(freeze ? ALL : []);
    // The snapshot has run out.
    world.fixture.advance(24 * 3);
    expect(await isFrozen(await attack(), later)).toEqual(holdsSnapshot ? ALL : []);
    // So have recently-claimed and the bins, and with them the list of what was taken down: claimed projects are no exception.
    world.fixture.advance(24 * 4);
    expect(await isFrozen(await attack(), last)).toEqual([]);
  });

  it(`an inconsistency: ${mix ? 'YES' : 'NO'}`, async () => {
    const thief = await newThief(stolen);
    await world.release('2.0');
    const honest = await newThief([], world.fixture.store);
    const { meta } = await honest.snapshot();
    const entry = meta.get('project-flask.json');
    // flask as it is now, the rest as it was: the index never was so.
    for await (const { key } of world.fixture.store.list(''))
      if (/^(simple|packages)\/|project-flask/.test(key)) {
        const bytes = await world.fixture.store.read(key);
        if (bytes !== undefined) await thief.store.put(key, bytes);
      }
    if (thief.has('root')) await thief.takeRoot(['timestamp', 'snapshot']);
    await thief.publish(new Map(entry === undefined ? [] : [['project-flask.json', entry]]));
    const seen = await knowing.session(thief.store, async (session) =>
      Promise.all([session.list('flask'), session.list('six')]),
    );
    if (mix) expect(seen.map((files) => files.length)).toEqual([2, 1]);
    else expect(seen).toEqual(['refused', 'refused']);
  });
});

const ONLINE = ['timestamp', 'snapshot', 'recently-claimed', 'bin-n'] as const;

describe('all online keys and the whole database stolen', () => {
  it('give nobody a forged release of a claimed project, and an unclaimed one falls', async () => {
    const { fixture, publisher } = world;
    const users = [await acquainted(), await Victim.named('new', world)];
    // The server is his: he writes rows as he likes, and lets the publisher sign them.
    await fixture.db.deleteFrom('claims').execute();
    for (const project of PROJECTS) await fixture.upload(project, '9.0', `${EVIL} of ${project}`);
    while ((await publisher.publishOnce()) !== undefined);
    for (const user of users)
      await user.session(fixture.store, async (session) => {
        expect(await session.list('flask')).toEqual(['flask-1.0.tar.gz']);
        expect(await session.take('flask', '9.0')).toBeUndefined();
        expect(await session.take('flask', '1.0')).toBe('flask 1.0');
        expect(await session.take('six', '9.0')).toBe(`${EVIL} of six`);
        expect(session.claims.get('flask')).toMatchObject({
          standing: 'claimed',
          keyIds: [world.keys['project-flask'].key.keyId],
        });
      });
    // And by hand, with everything there is to sign.
    const fooled = new Set<Project>();
    for (const way of Object.values(WAYS)) {
      const thief = await newThief(ONLINE);
      await way(thief, await thief.forgeries());
      await thief.publish();
      const victim = await Victim.named(`robbed-${++clients}`, world);
      for (const project of await fallen(thief, [victim])) fooled.add(project);
    }
    expect([...fooled].toSorted()).toEqual(['django', 'six']);
  });
});
