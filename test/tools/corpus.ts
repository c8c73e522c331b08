import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cachedFolder } from './cache-folder.ts';
import { run } from './process.ts';
import { pythonTools, registryEnvironment } from './python-tools.ts';
import { UnavailableError } from './unavailable-error.ts';

/** A distribution file that lies on PyPI, byte for byte. */
export interface CorpusFile {
  readonly list: CorpusList;
  readonly filename: string;
  readonly path: string;
  readonly length: number;
  readonly sha256: string;
}

export type CorpusList = 'wheels' | 'older' | 'sdists';

const corpusLists: readonly CorpusList[] = ['wheels', 'older', 'sdists'];
const parallelDownloads = 4;

export function corpusListFile(list: CorpusList): string {
  return join(import.meta.dirname, '..', 'corpus', `${list}.txt`);
}

/** The requirements of a list, one per pin, in pip's form `name==version --hash=sha256:… …`. */
export function parseCorpusList(text: string): string[] {
  return text
    .replaceAll('\\\n', ' ')
    .split('\n')
    .map((line) => line.replace(/\s+/g, ' ').trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}

/** What makes `pip download` take wheels, or sdists without fetching their build backends (requirements.txt has them). */
export function formatArguments(list: CorpusList): string[] {
  return list === 'sdists' ? ['--no-binary=:all:', '--no-build-isolation'] : ['--only-binary=:all:'];
}

async function download(
  list: CorpusList,
  requirements: readonly string[],
  folder: string,
  part: number,
): Promise<void> {
  const { python } = await pythonTools();
  const requirementsFile = join(folder, `${list}-${part}.requirements.txt`);
  await writeFile(requirementsFile, requirements.join('\n'));
  const args = [
    '-m',
    'pip',
    '--quiet',
    'download',
    '--no-deps',
    '--require-hashes',
    '--dest',
    join(folder, list),
  ];
  const finished = await run(python, [...args, ...formatArguments(list), '-r', requirementsFile], {
    env: registryEnvironment(),
    timeout: 900_000,
  });
  if (finished.code !== 0) {
    const reason = /ERROR:.*/.exec(finished.stderr)?.[0] ?? finished.stderr.trim();
    throw new UnavailableError(`the corpus (${list}) could not be downloaded from PyPI: ${reason}`);
  }
}

/** Downloads what is missing, several pip processes at a time, each of which checks the hashes of the committed lists. */
async function fillCorpus(folder: string, lists: ReadonlyMap<CorpusList, readonly string[]>): Promise<void> {
  const jobs: (() => Promise<void>)[] = [];
  for (const [list, requirements] of lists) {
    await mkdir(join(folder, list), { recursive: true });
    const parts = list === 'older' ? 1 : parallelDownloads;
    for (let part = 0; part < parts; part += 1) {
      jobs.push(() =>
        download(
          list,
          requirements.filter((_, index) => index % parts === part),
          folder,
          part,
        ),
      );
    }
  }
  const workers = Array.from({ length: parallelDownloads }, async () => {
    for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) await job();
  });
  await Promise.all(workers);
}

/**
 * The real distributions of test/corpus: downloaded once, then checked by their sha256 each time, so that a damaged
 * cache is never blamed on Rind.
 */
export async function corpus(): Promise<readonly CorpusFile[]> {
  const { basePython } = await pythonTools();
  const lists = new Map<CorpusList, readonly string[]>();
  for (const list of corpusLists)
    lists.set(list, parseCorpusList(await readFile(corpusListFile(list), 'utf8')));
  const pins = [basePython, ...[...lists.values()].flat()];
  const folder = await cachedFolder('corpus', pins, (fresh) => fillCorpus(fresh, lists));
  const files: CorpusFile[] = [];
  for (const [list, requirements] of lists) {
    const known = new Set(
      requirements.flatMap((line) => [...line.matchAll(/sha256:([0-9a-f]{64})/g)].map((hash) => hash[1])),
    );
    for (const filename of (await readdir(join(folder, list))).sort()) {
      const path = join(folder, list, filename);
      const bytes = await readFile(path);
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      if (!known.has(sha256)) {
        await rename(join(folder, '.complete'), join(folder, '.damaged')).catch(() => undefined);
        throw new UnavailableError(
          `${path} is not the file whose sha256 is committed; run the tests again to download it anew`,
        );
      }
      files.push({ list, filename, path, length: bytes.length, sha256 });
    }
  }
  return files;
}
