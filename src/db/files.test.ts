import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  findFile,
  insertFile,
  listFiles,
  markFileRemoved,
  newestFiles,
  pageStates,
  setYanked,
} from './files.ts';
import { findIndex, insertIndex, listIndexes } from './indexes.ts';
import { openDatabase, type Database } from './open.ts';
import { ensureProject, ensureRelease, findProject, listReleases, setProjectStatus } from './projects.ts';
import type { Executor, FileRow, NewFile } from './schema.ts';
import { isUniqueViolation } from './sqlite-error.ts';
import { findTokenByHash, insertToken, listTokens, revokeToken, touchToken } from './tokens.ts';

const NOW = new Date('2026-11-22T12:00:00Z');
const LATER = new Date('2026-11-22T13:00:00Z');

let folder: string;
let database: Database;
let db: Executor;
let indexId: number;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rind-db-'));
  database = await openDatabase({ path: join(folder, 'rind.db') });
  ({ db } = database);
  indexId = (await insertIndex(db, { name: '', profile: 'team', now: NOW })).id;
});

afterEach(async () => {
  await database.close();
  await rm(folder, { recursive: true });
});

async function newFile(name: string, version: string): Promise<NewFile> {
  const project = await ensureProject(db, { indexId, name, displayName: name.toUpperCase(), now: NOW });
  const releaseOf = { indexId, projectId: project.id, version, coreMetadata: '{"first":1}', now: NOW };
  const release = await ensureRelease(db, releaseOf);
  return {
    index_id: indexId,
    project_id: project.id,
    release_id: release.id,
    version,
    filename: `${name}-${version}-py3-none-any.whl`,
    packagetype: 'bdist_wheel',
    python_version: 'py3',
    length: 2 ** 40,
    sha256: 'a'.repeat(64),
    blake2b_256: 'b'.repeat(64),
    requires_python: '>=3.9',
    metadata_sha256: 'c'.repeat(64),
    metadata_length: 10,
    uploaded_at: '2026-11-22T12:00:00.123456Z',
    uploaded_by: null,
    yanked_reason: null,
    removed_at: null,
  };
}

const addFile = async (name: string, version: string): Promise<FileRow> =>
  insertFile(db, await newFile(name, version));

describe('projects and releases', () => {
  it('are made once, and what is there stays', async () => {
    const first = await ensureProject(db, { indexId, name: 'foo', displayName: 'Foo', now: NOW });
    const again = await ensureProject(db, { indexId, name: 'foo', displayName: 'FOO', now: LATER });
    expect(again).toEqual(first);
    expect(again).toMatchObject({
      display_name: 'Foo',
      status: 'active',
      status_reason: null,
      last_serial: 0,
    });
    const release = { indexId, projectId: first.id, version: '1.0', coreMetadata: '{}', now: NOW };
    const made = await ensureRelease(db, release);
    expect(await ensureRelease(db, { ...release, coreMetadata: '{"x":1}' })).toEqual(made);
    expect(await listReleases(db, first.id)).toEqual([made]);
  });

  it('belong to their index', async () => {
    const other = await insertIndex(db, { name: 'other', profile: 'pypi', now: NOW });
    const here = await ensureProject(db, { indexId, name: 'foo', displayName: 'foo', now: NOW });
    const there = await ensureProject(db, { indexId: other.id, name: 'foo', displayName: 'foo', now: NOW });
    expect(there.id).not.toBe(here.id);
    expect(await findProject(db, other.id, 'foo')).toEqual(there);
    expect(await findProject(db, indexId, 'bar')).toBeUndefined();
    expect((await listIndexes(db)).map(({ name }) => name)).toEqual(['', 'other']);
    expect(await findIndex(db, 'none')).toBeUndefined();
  });

  it('carry a status', async () => {
    const { id } = await ensureProject(db, { indexId, name: 'foo', displayName: 'foo', now: NOW });
    await setProjectStatus(db, id, 'archived', 'moved');
    expect(await findProject(db, indexId, 'foo')).toMatchObject({
      status: 'archived',
      status_reason: 'moved',
    });
    await setProjectStatus(db, id, 'active', undefined);
    expect(await findProject(db, indexId, 'foo')).toMatchObject({ status: 'active', status_reason: null });
  });
});

describe('files', () => {
  it('keep every field, and a name once used is used for ever', async () => {
    const wanted = await newFile('foo', '1.0');
    const row = await insertFile(db, wanted);
    expect(row).toEqual({ ...wanted, id: row.id, yanked: 0, collected_at: null, provenance_url: null });
    expect({ ...(await findFile(db, indexId, row.filename)) }).toEqual(row);
    await markFileRemoved(db, row.id, LATER);
    const taken: unknown = await insertFile(db, wanted).catch((error: unknown) => error);
    expect(isUniqueViolation(taken)).toBe(true);
    expect(await findFile(db, indexId, row.filename)).toMatchObject({ removed_at: LATER.toISOString() });
    expect(await findFile(db, indexId + 1, row.filename)).toBeUndefined();
  });

  it('make up the page of their project, without the removed ones', async () => {
    const old = await addFile('foo', '1.0');
    const yanked = await addFile('foo', '1.1');
    const removed = await addFile('foo', '1.2');
    const bar = await addFile('bar', '3');
    await ensureProject(db, { indexId, name: 'empty', displayName: 'empty', now: NOW });
    await setYanked(db, yanked.id, true, 'broken');
    await markFileRemoved(db, removed.id, LATER);
    const empty = await findProject(db, indexId, 'empty');
    const states = await pageStates(db, [
      bar.project_id,
      old.project_id,
      empty?.id ?? 0,
      old.project_id,
      999,
    ]);
    expect(states.map(({ project, files }) => [project.name, files.map(({ version }) => version)])).toEqual([
      ['foo', ['1.0', '1.1']],
      ['bar', ['3']],
      ['empty', []],
    ]);
    expect(states[0]?.files[1]).toMatchObject({ yanked: 1, yanked_reason: 'broken' });
    await setYanked(db, yanked.id, false, undefined);
    expect((await pageStates(db, [old.project_id]))[0]?.files[1]).toMatchObject({
      yanked: 0,
      yanked_reason: null,
    });
    expect(await pageStates(db, [])).toEqual([]);
  });

  it('make up the pages of more projects than one statement takes', async () => {
    const ids: number[] = [];
    for (let number = 0; number < 1100; number += 1) ids.push((await addFile(`p${number}`, '1')).project_id);
    const states = await pageStates(db, ids);
    expect(states).toHaveLength(1100);
    expect(states.every(({ files }) => files.length === 1)).toBe(true);
  });

  it('are listed in pages and by age', async () => {
    for (const version of ['3', '1', '2']) await addFile('foo', version);
    const versions = async (after: string): Promise<string[]> =>
      (await listFiles(db, indexId, after, 2)).map((file) => file.version);
    expect(await versions('')).toEqual(['1', '2']);
    expect(await versions('foo-2-py3-none-any.whl')).toEqual(['3']);
    expect((await newestFiles(db, indexId, 2)).map(({ version }) => version)).toEqual(['2', '1']);
  });
});

describe('tokens', () => {
  it('are found by hash, revoked once, and used', async () => {
    const token = await insertToken(db, {
      index_id: indexId,
      name: 'ci',
      hash: 'f'.repeat(64),
      verbs: 'upload',
      project_id: null,
      created_at: NOW.toISOString(),
      expires_at: null,
      last_used_at: null,
      revoked_at: null,
    });
    expect(await findTokenByHash(db, 'f'.repeat(64))).toEqual(token);
    expect(await findTokenByHash(db, 'e'.repeat(64))).toBeUndefined();
    await touchToken(db, token.id, LATER);
    expect(await revokeToken(db, token.id, LATER)).toBe(true);
    expect(await revokeToken(db, token.id, NOW)).toBe(false);
    expect(await revokeToken(db, 999, NOW)).toBe(false);
    expect(await listTokens(db)).toMatchObject([
      { last_used_at: LATER.toISOString(), revoked_at: LATER.toISOString() },
    ]);
  });
});
