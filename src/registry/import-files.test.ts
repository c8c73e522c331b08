import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IndexFixture } from '../../test/support/index-fixture.ts';
import { metadataText, wheelBytes } from '../../test/archives/distributions.ts';
import { StoreClient } from '../../test/support/store-client.ts';
import { makeSdist, makeWheel, type Distribution } from '../../test/tools/distribution.ts';
import { fsck } from '../repository/fsck.ts';
import type { Publisher } from '../repository/publisher.ts';
import { BoundedPool } from './bounded-pool.ts';
import type { RegistryContext } from './context.ts';
import { distributionFiles, importFiles, type ImportedFile } from './import-files.ts';
import type { UploadOrigin } from './upload.ts';
import { AS_IS_UPLOAD_POLICY } from './upload-policy.ts';

const wheel = makeWheel({ name: 'demo', version: '1.0' });
const sdist = makeSdist({ name: 'demo', version: '1.0' });
const other = makeWheel({ name: 'other-demo', version: '2.0' });

let fixture: IndexFixture;
let publisher: Publisher;
let client: StoreClient;
let folder: string;
let context: RegistryContext;

beforeEach(async () => {
  fixture = await IndexFixture.create();
  publisher = await fixture.startedPublisher();
  client = await StoreClient.pin(fixture);
  folder = await mkdtemp(join(tmpdir(), 'rind-import-files-'));
  const { db, store, index, clock } = fixture;
  context = { db, store, index, clock, inspections: new BoundedPool({ concurrency: 2, queueLength: 16 }) };
});

afterEach(async () => {
  await fixture.close();
  await rm(folder, { recursive: true, force: true });
});

async function put({ filename, bytes }: Distribution, place = '.'): Promise<void> {
  await mkdir(join(folder, place), { recursive: true });
  await writeFile(join(folder, place, filename), bytes);
}

async function importFolder(origin: UploadOrigin = {}): Promise<readonly ImportedFile[]> {
  const told: ImportedFile[] = [];
  const files = distributionFiles(folder);
  await importFiles(context, { kind: 'cli', name: 'admin' }, files, (file) => void told.push(file), origin);
  return told.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** What a client that verifies everything gets. */
async function read(path: string): Promise<Buffer | undefined> {
  const updater = await client.session();
  const target = await updater.getTargetInfo(path);
  return target === undefined ? undefined : Buffer.from(await updater.targetBytes(target, 1024 ** 2));
}

const pathOf = ({ name, filename }: Distribution): string => `packages/${name}/${filename}`;

describe('importing a folder of distributions', () => {
  it('makes every wheel and sdist in it and below it public, the same bytes, and passes everything else by', async () => {
    await Promise.all([put(wheel), put(sdist, 'old/2019'), put(other, 'other')]);
    await writeFile(join(folder, 'README.txt'), 'no distribution');
    await symlink(join(folder, wheel.filename), join(folder, 'linked-1.0-py3-none-any.whl'));
    expect((await importFolder()).map(({ outcome }) => outcome)).toEqual(['stored', 'stored', 'stored']);
    await publisher.publishOnce();
    expect(await read(pathOf(wheel))).toEqual(wheel.bytes);
    expect(await read(pathOf(sdist))).toEqual(sdist.bytes);
    expect(await read(pathOf(other))).toEqual(other.bytes);
    expect((await fsck(fixture)).findings).toEqual([]);
  });

  it('can be run again: what is here is no error, what is new comes in', async () => {
    await put(wheel);
    await importFolder();
    await publisher.publishOnce();
    await put(sdist);
    expect((await importFolder()).map(({ outcome }) => outcome)).toEqual(['already-stored', 'stored']);
    await publisher.publishOnce();
    expect(await read(pathOf(sdist))).toEqual(sdist.bytes);
  });

  it('refuses a damaged, a misnamed and a changed file with a sentence each, and takes the others', async () => {
    await put(wheel);
    await importFolder();
    await put({ ...wheel, bytes: makeWheel({ name: 'demo', version: '1.0', build: 'changed' }).bytes });
    await put({ ...sdist, bytes: sdist.bytes.subarray(0, -20) }, 'damaged');
    await put({ ...other, filename: 'somebody_else-2.0-py3-none-any.whl' }, 'misnamed');
    await put(other, 'z');
    const told = await importFolder();
    expect(told.map(({ outcome }) => outcome).sort()).toEqual(['refused', 'refused', 'refused', 'stored']);
    for (const file of told) if (file.outcome === 'refused') expect(file.reason).toMatch(/^[A-Z].{20,}/s);
    await publisher.publishOnce();
    expect(await read(pathOf(wheel))).toEqual(wheel.bytes);
    expect(await read(pathOf(other))).toEqual(other.bytes);
    expect(await read('simple/somebody-else/index.json')).toBeUndefined();
    expect((await fsck(fixture)).findings).toEqual([]);
  });

  const malformed: readonly (readonly [string, string])[] = [
    ['a home page that is none', 'Home-page: N/A'],
    ['a project URL without a label', 'Project-URL: https://example.org/'],
    ['a long summary', `Summary: ${'x'.repeat(600)}`],
    ['a licence of its own', 'License-Expression: ours'],
    ['a field newer than its metadata', 'Import-Name: demo'],
    ['a description in HTML', 'Description-Content-Type: text/html'],
  ];
  it.each(malformed)('takes %s from history as it is, and from nowhere else', async (_what, header) => {
    const metadata = metadataText('demo', '1.0', [header]);
    await put({ ...wheel, bytes: wheelBytes({ metadata }) });
    expect(await importFolder()).toMatchObject([{ outcome: 'refused' }]);
    expect(await importFolder({ policy: AS_IS_UPLOAD_POLICY })).toMatchObject([{ outcome: 'stored' }]);
  });

  it.each([
    ['a script in the place of a URL', 'Project-URL: docs, javascript:alert(1)'],
    ['a requirement that nobody understands', 'Requires-Dist: what is this'],
    ['control characters', 'Summary: a\u0001b'],
  ])('refuses %s even as it is', async (_what, header) => {
    await put({ ...wheel, bytes: wheelBytes({ metadata: metadataText('demo', '1.0', [header]) }) });
    expect(await importFolder({ policy: AS_IS_UPLOAD_POLICY })).toMatchObject([{ outcome: 'refused' }]);
  });
});
