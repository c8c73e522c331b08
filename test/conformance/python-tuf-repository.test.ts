import { readdir, readFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { RepositorySimulator } from '../../src/testing/index.ts';
import { succeed } from '../tools/process.ts';
import { pythonTools } from '../tools/python-tools.ts';
import { buildRind, scratchFolder } from '../tools/rind-program.ts';
import { whenAvailable } from '../tools/unavailable.ts';
import { ConformanceBench } from './conformance-bench.ts';

const schemes = [
  'ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'rsassa-pss-sha256',
  'rsassa-pss-sha384',
  'rsassa-pss-sha512',
];
const layouts = ['paths', 'path_hash_prefixes', 'succinct_roles'];
const cases = schemes.map((scheme, index) => [scheme, layouts[index % layouts.length]!] as const);

describe('a repository written by python-tuf', () => {
  const tools = whenAvailable(pythonTools);
  beforeAll(buildRind);

  it.each(cases)('with %s keys and %s is read whole', async (scheme, layout) => {
    const scratch = await scratchFolder('python-tuf-repository');
    const folder = join(scratch.path, 'repository');
    const script = join(import.meta.dirname, 'python_tuf_repository.py');
    const { stdout } = await succeed(tools.value.python, [script, folder, scheme, layout]);
    const paths = stdout.trim().split('\n');
    const repository = new RepositorySimulator();
    repository.files.clear();
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      const file = join(entry.parentPath, entry.name);
      if (entry.isFile()) {
        const url = relative(folder, file).split(sep).map(encodeURIComponent).join('/');
        repository.files.set(url, await readFile(file));
      }
    }
    const bench = await ConformanceBench.create(repository);
    try {
      expect(await bench.init(await readFile(join(folder, 'root.json')))).toBe(0);
      expect(await bench.download(...paths)).toBe(0);
      // Files written within one tick of the clock come in any order.
      expect(new Set(await bench.artifacts())).toEqual(new Set(paths.map((path) => `content of ${path}`)));
      expect(await bench.trusted()).toMatchObject({ root: 2, timestamp: 1, snapshot: 1, targets: 1 });
      const requests = bench.takeRequests().filter((request) => !request.startsWith('targets/'));
      expect(new Set(requests).size).toBe(requests.length);
      expect(await bench.download('packages/p1/absent')).toBe(1);
    } finally {
      await bench.close();
      await scratch.remove();
    }
  });
});
