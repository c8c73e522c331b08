import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IndexFixture, sha256 } from '../../test/support/index-fixture.ts';
import { findOpenImport } from '../db/imports.ts';
import { countTargets, findTargets } from '../db/targets.ts';
import { abandonImport, beginImport, runImport, type ImportContext } from './import-targets.ts';
import { Publisher } from './publisher.ts';

let fixture: IndexFixture;
let publisher: Publisher;
let folder: string;
beforeEach(async () => {
  fixture = await IndexFixture.create();
  publisher = await fixture.startedPublisher();
  folder = await mkdtemp(join(tmpdir(), 'rind-import-'));
});
afterEach(async () => {
  await publisher.close();
  await fixture.close();
  await rm(folder, { recursive: true, force: true });
});

const path = (number: number): string =>
  `packages/project-${number % 7}/project_${number % 7}-${number}.0.tar.gz`;
const csv = (number: number, content = `file ${number}`): string =>
  `${path(number)},${number + 10},${sha256(content)}`;
const json = (number: number): string =>
  JSON.stringify({ path: path(number), size: number + 10, hashes: { sha256: sha256(`file ${number}`) } });
const numbers = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, index) => from + index);

async function source(lines: readonly string[], name = 'targets.csv'): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, `${lines.join('\n')}\n`);
  return file;
}

function context(options: Partial<ImportContext> = {}): ImportContext {
  const { db, index, clock } = fixture;
  return {
    db,
    indexId: index.id,
    publisher,
    folder: join(folder, 'imports'),
    clock,
    progress: () => undefined,
    ...options,
  };
}

async function run(file: string, options: Partial<ImportContext> = {}) {
  return runImport(context(options), await beginImport(context(), [file]));
}

describe('an import of targets', () => {
  it('signs every line of CSV and of JSON, few publications for many targets', async () => {
    const file = await source([
      'path,size,sha256',
      ...numbers(0, 500).map((n) => csv(n)),
      '',
      ...numbers(500, 1000).map(json),
    ]);
    const summary = await run(file);
    expect(summary).toMatchObject({ targets: 1000, added: 1000, known: 0, publications: 1 });
    expect(await countTargets(fixture.db, fixture.index.id)).toBe(1000);
    const found = await findTargets(fixture.db, fixture.index.id, [path(700)]);
    expect(found.get(path(700))).toMatchObject({ length: 710, sha256: sha256('file 700') });
    expect(await readdir(join(folder, 'imports'))).toEqual([]);
  });

  it('knows what is there already, and the same line twice', async () => {
    await run(await source(numbers(0, 20).map((n) => csv(n))));
    const summary = await run(await source([...numbers(10, 30).map((n) => csv(n)), csv(25)]));
    expect(summary).toMatchObject({ targets: 21, added: 10, known: 11 });
  });

  it.each([
    ['no target at all', 'nonsense', /Line 13 of .* has not three fields/],
    ['a path that climbs out', `packages/../evil,1,${sha256('x')}`, /Line 13 of .* has no path of an index/],
    ['a hash-named path', `packages/a/${sha256('x')}.a-1.0.tar.gz,1,${sha256('x')}`, /Line 13 of .* no path/],
    [
      'a project name that is not normalized',
      `packages/A/A-1.0.tar.gz,1,${sha256('x')}`,
      /no path of an index/,
    ],
    ['a negative size', `${path(900)},-1,${sha256('x')}`, /Line 13 of .* whole number as its size/],
    ['a short hash', `${path(900)},1,abc`, /Line 13 of .* no sha256 of 64/],
    ['broken JSON', '{"path":', /Line 13 of .* is no JSON/],
    [
      'a line that contradicts another one',
      csv(3, 'other'),
      /Line 13 of .* another size or hash than line 4 of /,
    ],
    [
      'a line that contradicts the index',
      csv(1000, 'other'),
      /Line 13 of .* another size or hash than the target of the index/,
    ],
  ])('imports nothing of a file with %s, and says where', async (_what, line, message) => {
    await run(await source([csv(1000)]));
    const file = await source([
      ...numbers(0, 12).map((n) => csv(n)),
      line,
      ...numbers(12, 40).map((n) => csv(n)),
    ]);
    await expect(run(file, { targetsTogether: 1 })).rejects.toThrow(message);
    expect(await countTargets(fixture.db, fixture.index.id)).toBe(1);
  });

  it('goes on after it was ended while it read, and counts no line twice', async () => {
    const file = await source(numbers(0, 60_000).map((n) => csv(n)));
    const row = await beginImport(context(), [file]);
    let steps = 0;
    const dying = context({
      progress: () => {
        steps += 1;
        if (steps === 22) throw new Error('killed');
      },
    });
    await expect(runImport(dying, row)).rejects.toThrow('killed');
    const again = await findOpenImport(fixture.db, fixture.index.id);
    if (again === undefined) throw new Error('the import is not open');
    expect(JSON.parse(again.position)).toMatchObject({ source: 0, bucketLengths: expect.any(Array) });
    expect(JSON.parse(again.position).line).toBeGreaterThan(10_000);
    expect(await runImport(context(), again)).toMatchObject({ targets: 60_000, added: 60_000, known: 0 });
    expect(await countTargets(fixture.db, fixture.index.id)).toBe(60_000);
  });

  it('goes on after it was ended between two publications', async () => {
    const file = await source(numbers(0, 300).map((n) => csv(n)));
    const row = await beginImport(context(), [file]);
    const dying = context({
      targetsTogether: 50,
      progress: ({ phase, done }) => {
        if (phase === 'signing' && done > 100) throw new Error('killed');
      },
    });
    await expect(runImport(dying, row)).rejects.toThrow('killed');
    const half = await countTargets(fixture.db, fixture.index.id);
    expect(half).toBeGreaterThan(100);
    expect(half).toBeLessThan(300);
    await publisher.close();
    publisher = await fixture.startedPublisher();
    const again = await findOpenImport(fixture.db, fixture.index.id);
    if (again === undefined) throw new Error('the import is not open');
    expect(await runImport(context(), again)).toMatchObject({ targets: 300, added: 300 });
    expect(await countTargets(fixture.db, fixture.index.id)).toBe(300);
  });

  it('says so when the file has changed since, and when what it had read is damaged', async () => {
    const file = await source(numbers(0, 10).map((n) => csv(n)));
    const row = await beginImport(context(), [file]);
    await writeFile(file, 'something else\n');
    await expect(runImport(context(), row)).rejects.toThrow(/has changed since the import began/);
    await abandonImport(context(), row);
    expect(await findOpenImport(fixture.db, fixture.index.id)).toBeUndefined();

    const second = await beginImport(context(), [await source(numbers(0, 300).map((n) => csv(n)))]);
    const dying = context({
      targetsTogether: 50,
      progress: ({ phase }) => {
        if (phase === 'signing') throw new Error('killed');
      },
    });
    await expect(runImport(dying, second)).rejects.toThrow('killed');
    const buckets = join(folder, 'imports', String(second.id));
    const again = await findOpenImport(fixture.db, fixture.index.id);
    if (again === undefined) throw new Error('the import is not open');
    // A power cut leaves the length without the content, or less.
    for (const part of ['\0', '']) {
      for (const name of await readdir(buckets)) {
        const text = await readFile(join(buckets, name), 'utf8');
        const tab = text.indexOf('\t');
        await writeFile(
          join(buckets, name),
          part === '' ? '' : text.slice(0, tab + 9) + part + text.slice(tab + 10),
        );
      }
      await expect(runImport(context(), again)).rejects.toThrow(/is damaged .* --abandon/);
    }
  });
});
