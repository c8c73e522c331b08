import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addFileOnce, readFolder, writeFolderOnce } from './durable-folder.ts';

const bytesOf = (text: string) => new TextEncoder().encode(text);
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rind-folder-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('the folder of a ceremony', () => {
  it('is written whole and never again', async () => {
    const path = join(folder, 'event');
    await writeFolderOnce(path, new Map([['a.json', bytesOf('a')], ['sub/b.json', bytesOf('b')]])); // prettier-ignore
    expect(
      [...(await readFolder(path))].map(([name, bytes]) => [name, new TextDecoder().decode(bytes)]),
    ).toEqual([
      ['a.json', 'a'],
      ['sub/b.json', 'b'],
    ]);
    await expect(writeFolderOnce(path, new Map())).rejects.toMatchObject({ code: 'FOLDER_EXISTS' });
    expect(await addFileOnce(join(path, 'a.json'), bytesOf('other'))).toBe('exists');
    expect(await readFile(join(path, 'a.json'), 'utf8')).toBe('a');
    expect(await readdir(folder)).toEqual(['event']);
  });

  it('is not there at all when the medium takes no more in the middle, and a sentence says so', async () => {
    const module = pathToFileURL(join(import.meta.dirname, 'durable-folder.ts')).href;
    const path = join(folder, 'event');
    const script = `import { writeFolderOnce } from ${JSON.stringify(module)};
      const files = new Map([['small.json', new Uint8Array(10)], ['large.json', new Uint8Array(1 << 20)]]);
      await writeFolderOnce(${JSON.stringify(path)}, files).catch((error) => console.log(error.code, error.message));`;
    // A limit on the length of files stands for a medium that is full.
    const limited = [
      '-c',
      'trap "" XFSZ; ulimit -f 64; exec "$@"',
      'bash',
      process.execPath,
      '--import',
      'tsx',
      '--input-type=module',
      '-e',
      script,
    ];
    const { stdout } = await promisify(execFile)('bash', limited, {
      cwd: join(import.meta.dirname, '..', '..'),
    });
    expect(stdout).toMatch(/^FOLDER_UNUSABLE .*event cannot be written: /);
    expect(await readdir(folder)).toEqual([]);
  });

  it('refuses names that no ceremony writes', async () => {
    const path = join(folder, 'event');
    await writeFolderOnce(path, new Map([['a.json', bytesOf('a')]])); // prettier-ignore
    await addFileOnce(join(path, '-rf'), bytesOf('x'));
    await expect(readFolder(path)).rejects.toMatchObject({ code: 'TAMPERED' });
  });
});
