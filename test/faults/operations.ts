// What is interrupted: each operation as its command or the server does it, from a base that `prepare` makes.
import { appendFile, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { submitOfflineBundle } from '../../src/db/offline-bundles.ts';
import { writeTransaction } from '../../src/db/transactions.ts';
import { deleteFiles } from '../../src/registry/delete.ts';
import type { FindingCode } from '../../src/repository/finding.ts';
import { fsck } from '../../src/repository/fsck.ts';
import { repair } from '../../src/repository/fsck-repair.ts';
import { ImportError } from '../../src/repository/import-error.ts';
import { abandonImport, beginImport, openImport, runImport } from '../../src/repository/import-targets.ts';
import { backUp } from '../../src/repository/recovery/backup.ts';
import { restore } from '../../src/repository/recovery/restore.ts';
import { Upkeep } from '../../src/repository/upkeep.ts';
import type { Updater } from '../../src/updater/index.ts';
import { signProject } from '../support/claimed-fixture.ts';
import { sha256 } from '../support/index-fixture.ts';
import {
  at,
  BINS,
  createIn,
  distribution,
  offlineRoles,
  openWorld,
  type OpenedWorld,
  type OpenOptions,
  type Place,
  PRINCIPAL,
  publishAll,
  putInput,
  readAnswered,
  seededSigner,
  type SignerFault,
  uploadContext,
  uploadTo,
  writeAnswered,
} from './world.ts';

/** How a run tells what it has answered: `answered:<project>`, `deleted:<project>`, `done`. */
export type Tell = (what: string) => void;

export interface Operation {
  readonly name: string;
  /** When it runs, in hours after the first day. */
  readonly hours: number;
  /** Seeds of the online keys while it runs and afterwards. */
  readonly online?: readonly string[];
  /** Projects that come: absent or whole until it is finished, whole afterwards. */
  readonly adds?: readonly string[];
  /** A project that goes: whole or absent until it is finished, absent afterwards. */
  readonly removes?: string;
  /** What the index is before: not there yet, or damaged; nobody is promised anything then. */
  readonly before?: 'nothing' | 'damage';
  /** Changes the common base, without faults. */
  readonly prepare?: (place: Place) => Promise<void>;
  /** Interrupted at any place and called again, it comes to the same end. */
  readonly run: (place: Place, tell: Tell, fault?: SignerFault) => Promise<void>;
  /**
   * The new root ends the only keys of the timestamp, as after a theft: from the moment at which it is public to that of the new timestamp, no
   * client goes on. That moment lasts until the restart when the server dies in it (ADR 13).
   */
  readonly endsKeys?: true;
  /** Findings of fsck that are no loss here. */
  readonly tolerates?: readonly FindingCode[];
  /** Whatever else must be so after a restart; `done`: this was told before, or it was finished since. Throws. */
  readonly check?: (place: Place, updater: Updater | undefined, done: boolean) => Promise<void>;
}

const options = (hours: number, fault?: SignerFault, online?: readonly string[]): OpenOptions => ({
  clock: at(hours),
  fault,
  online,
});

async function inWorld(
  place: Place,
  how: OpenOptions,
  work: (world: OpenedWorld) => Promise<void>,
): Promise<void> {
  const world = await openWorld(place, how);
  try {
    await work(world);
  } finally {
    await world.close();
  }
}

/** The projects that every base has. */
export const BASE_PROJECTS = ['sdist-one', 'sdist-two', 'wheel-one'];

/** An index with a few projects, all answered; the client has seen it. */
export async function makeBase(place: Place): Promise<void> {
  await mkdir(place.data, { recursive: true });
  await createIn(place, options(0));
  await inWorld(place, options(0), async (world) => {
    for (const name of BASE_PROJECTS) await uploadTo(world, await putInput(place, distribution(name)));
    await publishAll(world);
  });
  await writeAnswered(place, BASE_PROJECTS);
}

const upload: Operation = {
  name: 'upload',
  hours: 1,
  adds: ['wheel-new'],
  prepare: async (place) => void (await putInput(place, distribution('wheel-new'))),
  run: (place, tell, fault) =>
    inWorld(place, options(1, fault), async (world) => {
      await uploadTo(world, join(place.input, distribution('wheel-new').filename));
      await publishAll(world);
      tell('answered:wheel-new');
    }),
};

const PUBLISHED = ['sdist-three', 'wheel-three', 'sdist-four'];
const publish: Operation = {
  name: 'publish',
  hours: 1,
  adds: PUBLISHED,
  prepare: (place) =>
    inWorld(place, options(1), async (world) => {
      for (const name of PUBLISHED) await uploadTo(world, await putInput(place, distribution(name)));
    }),
  run: (place, tell, fault) =>
    inWorld(place, options(1, fault), async (world) => {
      await publishAll(world);
      for (const name of PUBLISHED) tell(`answered:${name}`);
    }),
};

/** A project leaves the bins for the role that its developers signed, and recently-claimed delegates it, in one snapshot. */
const claim: Operation = {
  name: 'claim',
  hours: 1,
  prepare: (place) =>
    inWorld(place, options(1), async (world) => {
      const index = { db: world.db, index: world.index, now: world.clock() };
      for (const name of ['sdist-one', 'wheel-one'])
        await signProject(index, name, { owners: [seededSigner(name)] });
    }),
  run: (place, tell, fault) =>
    inWorld(place, options(1, fault), async (world) => {
      await publishAll(world);
      tell('done');
    }),
};

const renewal: Operation = {
  name: 're-sign',
  hours: 40,
  run: (place, tell, fault) =>
    inWorld(place, options(40, fault), async (world) => {
      await publishAll(world);
      tell('done');
    }),
};

/** Adopts a bundle of the offline keys, and publishes an upload that waits with it. */
function adoption(
  name: string,
  change: { readonly bins?: number; readonly online?: readonly string[] },
  roles: readonly ('root' | 'targets' | 'claimed' | 'bins')[],
): Operation {
  const online = [...new Set(['online', ...(change.online ?? [])])];
  return {
    name,
    ...(change.online?.includes('online') === false ? { endsKeys: true } : {}),
    hours: 2,
    online,
    run: (place, tell, fault) =>
      inWorld(place, options(2, fault, online), async (world) => {
        const signed = await offlineRoles(2, at(2)(), change);
        const bundle = roles.map((role) => ({ role, version: 2, bytes: signed[role].toBytes() }));
        await writeTransaction(world.db, (tx) =>
          submitOfflineBundle(tx, { indexId: world.index.id, event: name, roles: bundle, now: at(2)() }),
        );
        await publishAll(world);
        tell('done');
      }),
    check: async (place, _updater, done) => {
      if (!done) return;
      const names = await readdir(join(place.data, 'tree', 'metadata'));
      for (const role of roles)
        if (!names.includes(`2.${role}.json`)) throw new Error(`the new ${role} is not public`);
    },
  };
}

const EVERY_OFFLINE_ROLE = ['root', 'targets', 'claimed', 'bins'] as const;
const rotation = adoption('rotation', { online: ['online', 'online-2'] }, EVERY_OFFLINE_ROLE);
const emergency = adoption('emergency rotation', { online: ['online-2'] }, EVERY_OFFLINE_ROLE);
const rebinning = adoption('rebinning', { bins: BINS * 2 }, ['bins']);

const COLLECTION = { gracePeriod: 3_600_000, snapshots: 2, removedFiles: 86_400_000, interval: 900_000 };
const collection: Operation = {
  name: 'garbage collection',
  hours: 80,
  prepare: async (place) => {
    for (const [hours, version] of [
      [1, '2.0'],
      [2, '3.0'],
    ] as const)
      await inWorld(place, options(hours), async (world) => {
        await uploadTo(world, await putInput(place, distribution('sdist-one', version)));
        await publishAll(world);
      });
    await inWorld(place, options(3), async (world) => {
      await deleteFiles(uploadContext(world), PRINCIPAL, 'sdist-one', { version: '2.0' });
      await publishAll(world);
    });
    for (const hours of [40, 80]) await inWorld(place, options(hours), publishAll);
  },
  run: (place, tell, fault) =>
    inWorld(place, options(80, fault), async ({ publisher, clock, store }) => {
      const removeTemporaries = (before: Date): Promise<number> => store.removeStaleTemporaries(before);
      await new Upkeep({ publisher, clock, settings: COLLECTION, removeTemporaries }).collect();
      tell('done');
    }),
  check: async (place, _updater, done) => {
    const names = await readdir(join(place.data, 'tree', 'metadata'));
    if (!names.includes('1.root.json')) throw new Error('the first root was collected');
    if (done && names.includes('1.snapshot.json')) throw new Error('nothing was collected');
  },
};

const TARGETS = Array.from({ length: 24 }, (_, number) => {
  const name = `imported-${number % 8}`;
  const content = `the content of number ${number}`;
  const path = `packages/${name}/${name}-${number}.tar.gz`;
  return { path, content, length: content.length, sha256: sha256(content) };
});
const LINES = 'targets.csv';
const imported: Operation = {
  name: 'import',
  hours: 1,
  // Imported targets are signed without being files of the index.
  tolerates: ['TARGET_UNKNOWN'],
  prepare: async (place) => {
    const lines = TARGETS.map(({ path, length, sha256: hash }) => `${path},${length},sha256:${hash}\n`);
    await writeFile(join(place.input, LINES), lines.join(''));
    // The files were copied into the tree before.
    for (const { path, content, sha256: hash } of TARGETS)
      for (const name of [basename(path), `${hash}.${basename(path)}`]) {
        const folder = join(place.data, 'tree', dirname(path));
        await mkdir(folder, { recursive: true });
        await writeFile(join(folder, name), content);
      }
  },
  run: (place, tell, fault) =>
    inWorld(place, options(1, fault), async ({ db, index, publisher, clock }) => {
      const folder = join(place.data, 'imports');
      const progress = (): void => undefined;
      const context = { db, indexId: index.id, publisher, folder, clock, progress, targetsTogether: 12 };
      const begin = async () => runImport(context, await beginImport(context, [join(place.input, LINES)]));
      const open = await openImport(db, index.id);
      if (open === undefined) await begin();
      else
        await runImport(context, open).catch(async (error: unknown) => {
          // What the sentence tells people to do.
          if (!(error instanceof ImportError) || error.code !== 'DAMAGED_STATE') throw error;
          await abandonImport(context, open);
          await begin();
        });
      tell('done');
    }),
  check: async (_place, updater, done) => {
    for (const { path, length, sha256: hash } of TARGETS) {
      const target = await updater?.getTargetInfo(path);
      if (target === undefined && !done) continue;
      if (target?.length !== length || target.hashes.get('sha256') !== hash)
        throw new Error(`${path} is not as imported`);
    }
  },
};

const backUpNow = async (place: Place, hours: number): Promise<void> => {
  const { data, backup: out } = place;
  const others = new Map<string, string>();
  await backUp({ database: join(data, 'rind.db'), tree: join(data, 'tree'), others, out, now: at(hours)() });
};

/** Restores the backup of a place beside it, and verifies everything. */
async function requireWholeBackup(place: Place): Promise<void> {
  const data = join(place.path, 'restored');
  await restore(place.backup, data);
  await requireClean(place, data);
  await rm(data, { recursive: true });
}

async function requireClean(place: Place, data: string): Promise<void> {
  const { openParts } = await import('./world.ts');
  const { findIndex } = await import('../../src/db/indexes.ts');
  const { db, store, clock, close } = await openParts(place, { clock: at(3), data });
  try {
    const index = await findIndex(db, '');
    if (index === undefined) throw new Error(`${data} has no index`);
    const report = await fsck({ db, store, index, clock });
    if (!report.clean)
      throw new Error(`${data}: ${report.findings.map(({ message }) => message).join('; ')}`);
  } finally {
    await close();
  }
}

const backup: Operation = {
  name: 'backup',
  hours: 1,
  prepare: async (place) => {
    await backUpNow(place, 0);
    await inWorld(place, options(1), async (world) => {
      await uploadTo(world, await putInput(place, distribution('wheel-later')));
      await publishAll(world);
    });
    await writeAnswered(place, [...(await readAnswered(place)), 'wheel-later']);
  },
  run: async (place, tell) => {
    await backUpNow(place, 1);
    tell('done');
  },
  // The older backup stays whole until the newer one is.
  check: (place) => requireWholeBackup(place),
};

const firstBackup: Operation = {
  name: 'first backup',
  hours: 1,
  run: backup.run,
  check: async (place, _updater, done) => {
    if (done) await requireWholeBackup(place);
  },
};

const restored = (place: Place): string => join(place.box, 'restored');
const restoring: Operation = {
  name: 'restore',
  hours: 1,
  prepare: (place) => backUpNow(place, 0),
  run: async (place, tell) => {
    const isThere = await stat(restored(place)).then(
      () => true,
      () => false,
    );
    if (!isThere) await restore(place.backup, restored(place));
    tell('done');
  },
  check: async (place, _updater, done) => {
    const isThere = await stat(restored(place)).catch(() => undefined);
    if (isThere === undefined && !done) return;
    await requireClean(place, restored(place));
  },
};

const repairing: Operation = {
  name: 'fsck --repair',
  hours: 1,
  before: 'damage',
  prepare: async (place) => {
    const tree = join(place.data, 'tree');
    await rm(join(tree, 'simple', 'sdist-one', 'index.json'));
    await appendFile(join(tree, 'simple', 'sdist-two', 'index.html'), 'x');
    const metadata = await readdir(join(tree, 'metadata'));
    const bin = metadata.findLast((name) => name.includes('.bin-'));
    if (bin !== undefined) await rm(join(tree, 'metadata', bin));
    const page = (await readdir(join(tree, 'simple', 'wheel-one'))).find((name) =>
      /^[0-9a-f]{64}\./.test(name),
    );
    if (page !== undefined) await rm(join(tree, 'simple', 'wheel-one', page));
  },
  run: (place, tell, fault) =>
    inWorld(place, options(1, fault), async (world) => {
      const { db, store, index, signers, clock } = world;
      for (let round = 0; round < 6; round++) {
        const { findings } = await fsck({ db, store, index, clock });
        const { repaired } = await repair(
          { db, store, index, signers, actor: 'cli:faults', clock },
          findings,
        );
        if (repaired.length === 0) break;
      }
      await publishAll(world);
      tell('done');
    }),
};

const deletion: Operation = {
  name: 'delete',
  hours: 1,
  removes: 'sdist-two',
  run: (place, tell, fault) =>
    inWorld(place, options(1, fault), async (world) => {
      await deleteFiles(uploadContext(world), PRINCIPAL, 'sdist-two', { version: '1.0' }).catch(
        (error: unknown) => {
          // It was deleted before the interruption.
          if (!(error instanceof Error) || !/no /i.test(error.message)) throw error;
        },
      );
      await publishAll(world);
      tell('deleted:sdist-two');
    }),
};

const creation: Operation = {
  name: 'creation',
  hours: 0,
  before: 'nothing',
  prepare: async (place) => {
    await rm(place.box, { recursive: true });
    await rm(place.client, { recursive: true, force: true });
    await mkdir(place.data, { recursive: true });
    await writeAnswered(place, []);
  },
  run: async (place, tell, fault) => {
    const isMade = await readFile(join(place.data, 'tree', 'metadata', 'timestamp.json')).catch(
      () => undefined,
    );
    await createIn(place, options(0, fault)).catch((error: unknown) => {
      const isThere =
        isMade !== undefined &&
        error instanceof Error &&
        'code' in error &&
        error.code === 'REPOSITORY_EXISTS';
      if (!isThere) throw error;
    });
    tell('done');
  },
};

export const OPERATIONS: readonly Operation[] = [
  upload,
  publish,
  claim,
  renewal,
  rotation,
  emergency,
  rebinning,
  collection,
  imported,
  backup,
  firstBackup,
  restoring,
  repairing,
  deletion,
  creation,
];

export function operationNamed(name: string): Operation {
  const found = OPERATIONS.find((operation) => operation.name === name);
  if (found === undefined) throw new Error(`There is no operation "${name}".`);
  return found;
}
