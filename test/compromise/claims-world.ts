import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeBins, makeClaimed, makeRoot, makeTargets } from '../../src/ceremony/offline-roles.ts';
import type { ClaimedProject } from '../../src/claims/claim-lists.ts';
import { ClaimedIndex } from '../../src/proxy/claimed-index.ts';
import type { AnsweringIndex } from '../../src/proxy/index-answers.ts';
import type { ClientPolicy } from '../../src/proxy/policy.ts';
import { RuledIndex } from '../../src/proxy/ruled-index.ts';
import type { SignedClaim } from '../../src/proxy/signed-claim.ts';
import { VerifiedFiles } from '../../src/proxy/verified-files.ts';
import { VerifiedIndex } from '../../src/proxy/verified-index.ts';
import { parseProjectJson } from '../../src/pypi/simple.ts';
import { createRepository, type SignedOfflineRoles } from '../../src/repository/create-repository.ts';
import type { Publisher } from '../../src/repository/publisher.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import { signMetadata } from '../../src/tuf/metadata.ts';
import { Role } from '../../src/tuf/role.ts';
import { Root } from '../../src/tuf/root.ts';
import type { Signer } from '../../src/tuf/signer.ts';
import { Targets } from '../../src/tuf/targets.ts';
import { DelegatedRole } from '../../src/tuf/delegated-role.ts';
import { Delegations } from '../../src/tuf/delegations.ts';
import { DownloadHttpError, Updater, type Fetcher } from '../../src/updater/index.ts';
import { ownersFor, signProject, submitClaimed } from '../support/claimed-fixture.ts';
import { IndexFixture, newSigner } from '../support/index-fixture.ts';

export const DAY = 86_400_000;
export const BINS = 4;

/** A project of each kind: claimed, recently claimed, not claimed. */
export const PROJECTS = ['flask', 'django', 'six'] as const;
export type Project = (typeof PROJECTS)[number];

/** Every key of the table by itself, as PEP 480 counts them; `bin-n` are the online keys of what the PEP calls unclaimed. */
export const KEY_NAMES = ['root', 'targets', 'claimed', 'recently-claimed', 'bins', 'bin-n', 'timestamp', 'snapshot', 'project-flask', 'project-django'] as const; // prettier-ignore
export type KeyName = (typeof KEY_NAMES)[number];
export type Keys = Readonly<Record<KeyName, Signer>>;

/** What is in a file. */
export type Content = (project: string, version: string) => string | Uint8Array;

/** The real publisher and database of an index in which each role has a key of its own. */
export class ClaimsWorld {
  readonly fixture: IndexFixture;
  readonly keys: Keys;
  publisher!: Publisher;

  readonly #content: Content;

  private constructor(fixture: IndexFixture, keys: Keys, content: Content) {
    this.#content = content;
    this.fixture = fixture;
    this.keys = keys;
  }

  /** With 1.0 of each project. */
  static async open(
    content: Content = (project, version) => `${project} ${version}`,
    now?: Date,
  ): Promise<ClaimsWorld> {
    const keys = Object.fromEntries(KEY_NAMES.map((name) => [name, newSigner()])) as Record<KeyName, Signer>;
    const fixture = await IndexFixture.open();
    const world = new ClaimsWorld(fixture, keys, content);
    if (now !== undefined) fixture.now = now;
    const { db, store, index, clock } = fixture;
    await createRepository({
      db,
      store,
      index,
      offline: await world.#offline(),
      online: world.online,
      clock,
    });
    world.publisher = fixture.newPublisher(world.online, {
      expiry: {
        timestamp: { lifetime: DAY, renewal: DAY / 2 },
        snapshot: { lifetime: 4 * DAY, renewal: DAY },
        bins: { lifetime: 7 * DAY, renewal: DAY },
      },
    });
    await world.publisher.start();
    await world.release('1.0');
    await world.move([{ project: 'flask', owners: ownersFor([keys['project-flask']]) }]);
    return world;
  }

  /** The keys that are on the server. */
  get online(): readonly Signer[] {
    const { keys } = this;
    return [keys.timestamp, keys.snapshot, keys['recently-claimed'], keys['bin-n']];
  }

  /** A release of every project in one snapshot, as honest developers make it. */
  async release(version: string): Promise<void> {
    for (const project of PROJECTS)
      await this.fixture.upload(project, version, this.#content(project, version));
    for (const project of ['flask', 'django'] as const)
      await signProject(this.fixture, project, { owners: [this.keys[`project-${project}`]] });
    await this.publish();
  }

  async publish(): Promise<void> {
    while ((await this.publisher.publishOnce()) !== undefined);
    if (this.publisher.heldBack.length > 0) throw new Error(String(this.publisher.heldBack[0]?.error));
  }

  /** What the administrators sign now and then. */
  async move(projects: readonly ClaimedProject[]): Promise<void> {
    await submitClaimed(this.fixture, projects, { signers: [this.keys.claimed], threshold: 1 });
    await this.publish();
  }

  async close(): Promise<void> {
    await this.publisher.close();
    await this.fixture.close();
  }

  /** As a ceremony makes them, but for the online roles, which have a key each. */
  async #offline(): Promise<SignedOfflineRoles> {
    const { keys, fixture } = this;
    const common = { version: 1, expires: new Date(fixture.now.getTime() + 365 * DAY) };
    const party = (name: KeyName) => ({ keys: [keys[name].key], threshold: 1 });
    const parties = {
      root: party('root'),
      targets: party('targets'),
      claimed: party('claimed'),
      bins: party('bins'),
      online: [keys['recently-claimed'].key],
    };
    const layout = { count: BINS, layout: 'path_hash_prefixes' } as const;
    return {
      root: await signMetadata(this.#root(makeRoot(parties, common)), [keys.root]),
      targets: await signMetadata(makeTargets(parties, common), [keys.targets]),
      claimed: await signMetadata(makeClaimed(common), [keys.claimed]),
      bins: await signMetadata(makeBins([keys['bin-n'].key], layout, common), [keys.bins]),
    };
  }

  #root(made: Root): Root {
    return withKeys(made, { timestamp: this.keys.timestamp, snapshot: this.keys.snapshot });
  }
}

/** A root in which some roles have another key. */
export function withKeys(
  root: Root,
  changed: Partial<Record<'timestamp' | 'snapshot' | 'targets', Signer>>,
): Root {
  const [keys, roles] = [new Map(root.keys), new Map(root.roles)];
  for (const role of ['timestamp', 'snapshot', 'targets'] as const) {
    const signer = changed[role];
    if (signer === undefined) continue;
    keys.set(signer.key.keyId, signer.key);
    roles.set(role, new Role({ keyIds: [signer.key.keyId], threshold: 1 }));
  }
  const used = new Set([...roles.values()].flatMap(({ keyIds }) => keyIds));
  return new Root({
    version: root.version,
    expires: root.expires,
    consistentSnapshot: true,
    keys: new Map([...keys].filter(([keyId]) => used.has(keyId))),
    roles,
  });
}

/** A list of claimed projects in which a project has this key; without a key, in which it is not. */
export function withProject(list: Targets, project: string, signer: Signer | undefined): Targets {
  const { keys = new Map(), roles } = list.delegations ?? {};
  const name = `project-${project}`;
  const others = [...(roles?.values() ?? [])].filter((role) => role.name !== name);
  const own =
    signer === undefined
      ? []
      : [
          new DelegatedRole({
            name,
            keyIds: [signer.key.keyId],
            threshold: 1,
            terminating: true,
            paths: [`simple/${project}/*`, `packages/${project}/*`],
          }),
        ];
  const delegated = [...own, ...others];
  const used = new Set(delegated.flatMap(({ keyIds }) => keyIds));
  const known = new Map([
    ...keys,
    ...(signer === undefined ? [] : [[signer.key.keyId, signer.key] as const]),
  ]);
  const delegations = new Delegations({
    keys: new Map([...known].filter(([keyId]) => used.has(keyId))),
    roles: delegated,
  });
  return list.with({ delegations });
}

/** One user's client, whose network somebody else holds. */
export class Victim {
  readonly #folder: string;
  readonly #root: Uint8Array;
  readonly #clock: () => Date;
  #sessions = 0;

  private constructor(folder: string, root: Uint8Array, clock: () => Date) {
    this.#folder = folder;
    this.#root = root;
    this.#clock = clock;
  }

  /** @param name a folder for each, with what it has seen */
  static async named(name: string, { fixture }: ClaimsWorld): Promise<Victim> {
    const folder = join(fixture.folder, name);
    await mkdir(folder, { mode: 0o700 });
    const root = (await fixture.store.read('metadata/1.root.json')) ?? new Uint8Array();
    return new Victim(folder, root, fixture.clock);
  }

  /** A new process, which sees what `served` holds: what it lists, takes, and thinks of who signed. */
  async session<Result>(
    served: ObjectStore,
    use: (session: VictimSession) => Promise<Result>,
    policy?: ClientPolicy,
  ): Promise<Result> {
    const files = await VerifiedFiles.create(join(this.#folder, `files-${this.#sessions++}`));
    const fetcher: Fetcher = {
      async *fetch(url) {
        const bytes = await served.read(decodeURIComponent(new URL(url).pathname.slice(1)));
        if (bytes === undefined) throw new DownloadHttpError('Not Found', 404, { url });
        yield bytes;
      },
    };
    const index = new VerifiedIndex({
      url: 'http://rind.test/',
      openUpdater: () =>
        new Updater({
          metadataDir: join(this.#folder, 'metadata'),
          metadataBaseUrl: 'http://rind.test/metadata/',
          targetBaseUrl: 'http://rind.test/',
          bootstrapRoot: this.#root,
          clock: this.#clock,
          fetcher,
        }),
      fetcher,
      files,
    });
    const claims = new Map<string, SignedClaim>();
    const claimed = new ClaimedIndex({ index, onClaim: (project, claim) => void claims.set(project, claim) });
    try {
      const seen = policy === undefined ? claimed : new RuledIndex({ index: claimed, policy });
      return await use(new VictimSession(seen, claims));
    } finally {
      await files.close();
    }
  }
}

export type Refused = 'refused';

/** What a client says within one session. Whatever it refuses has a reason with a closed code. */
export class VictimSession {
  readonly claims: ReadonlyMap<string, SignedClaim>;
  readonly #index: AnsweringIndex;

  constructor(index: AnsweringIndex, claims: ReadonlyMap<string, SignedClaim>) {
    this.#index = index;
    this.claims = claims;
  }

  /** The names of files on the project's page. */
  async list(project: string): Promise<readonly string[] | Refused> {
    return orRefused(async () => {
      const page = await this.#index.page(project, 'json');
      return page === undefined ? [] : parseProjectJson(page.bytes).files.map(({ filename }) => filename);
    });
  }

  /** The content of a file; undefined when it is signed that there is none. */
  async take(project: string, version: string): Promise<string | undefined> {
    return orRefused(async () => {
      const file = await this.#index.fileTarget(project, `${project}-${version}.tar.gz`);
      if (file === undefined) return undefined;
      return readFile((await this.#index.download(file)).path, 'utf8');
    });
  }
}

async function orRefused<Result>(ask: () => Promise<Result>): Promise<Result | Refused> {
  try {
    return await ask();
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (error instanceof Error && typeof code === 'string') return 'refused';
    throw error;
  }
}
