import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { IndexFixture } from '../../test/support/index-fixture.ts';
import { writeArchive } from './archive-writer.ts';
import { fsck } from './fsck.ts';
import { backUpToFile } from './recovery/backup-file.ts';
import { backUp } from './recovery/backup.ts';
import { restore } from './recovery/restore.ts';

let fixture: IndexFixture;
let scratch: string;
beforeAll(async () => {
  fixture = await IndexFixture.open({ onDisk: true });
  fixture.bins = 8;
  await fixture.createRepository();
  const publisher = await fixture.startedPublisher();
  await fixture.upload('flask', '1.0');
  await publisher.publishOnce();
  await publisher.close();
  scratch = await mkdtemp(join(tmpdir(), 'rind-long-work-'));
});
afterAll(async () => {
  await fixture.close();
  await rm(scratch, { recursive: true, force: true });
});

const backup = (out: string) => ({
  database: join(fixture.folder, 'rind.db'),
  tree: join(fixture.folder, 'tree'),
  others: new Map<string, string>(),
  out: join(scratch, out),
  now: fixture.now,
});

type Tell = (done: number, total: number) => void;
it.each<[string, (tell: Tell) => Promise<unknown>]>([
  ['fsck', (onRole) => fsck({ store: fixture.store, index: fixture.index, db: fixture.db, onRole })],
  [
    'archive',
    (onRole) => writeArchive({ store: fixture.store, index: '', folder: join(scratch, 'a'), onRole }),
  ],
  ['backup', (tell) => backUp({ ...backup('b'), onProgress: (one) => tell(one.done, one.total) })],
  [
    'backup to a file',
    (tell) => backUpToFile({ ...backup('b.tar'), onProgress: (one) => tell(one.done, one.total) }),
  ],
  ['restore', (tell) => restore(join(scratch, 'b'), join(scratch, 'c'), (one) => tell(one.done, one.total))],
  [
    'restore from a file',
    (tell) => restore(join(scratch, 'b.tar'), join(scratch, 'd'), (one) => tell(one.done, one.total)),
  ],
])('%s tells how far it is, forward only, and says once that it is done', async (_, run) => {
  const told: (readonly [number, number])[] = [];
  await run((done, total) => told.push([done, total]));
  expect(told.length).toBeGreaterThan(8);
  const dones = told.map(([done]) => done);
  expect(dones).toEqual(dones.toSorted((a, b) => a - b));
  expect(new Set(told.map(([, total]) => total)).size).toBe(1);
  expect(told.filter(([done, total]) => done >= total)).toHaveLength(1);
});
