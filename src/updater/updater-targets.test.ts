import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RepositorySimulator, SimulatedClient } from '../testing/index.ts';
import type { Misbehaviour } from '../testing/index.ts';
import type { TargetFile } from '../tuf/file.ts';
import type { Updater } from './updater.ts';

let repository: RepositorySimulator;
let client: SimulatedClient;
let updater: Updater;
let target: TargetFile;
let destination: string;
let downloads: string;

const CONTENT = Buffer.from('the content of the target '.repeat(10_000));
const PATH = 'packages/foo/foo-1.0-py3-none-any.whl';

beforeEach(async () => {
  repository = new RepositorySimulator();
  repository.addTarget('targets', PATH, CONTENT);
  repository.publishAll();
  client = await SimulatedClient.create(repository);
  downloads = join(client.folder, 'downloads');
  destination = join(downloads, 'foo.whl');
  await mkdir(downloads);
  updater = client.updater();
  target = (await updater.getTargetInfo(PATH))!;
  repository.requests.length = 0;
});

afterEach(() => client.remove());

async function collect(
  stream: AsyncIterable<Uint8Array>,
): Promise<{ readonly bytes: Buffer; readonly error: unknown }> {
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of stream) {
      chunks.push(chunk);
    }
    return { bytes: Buffer.concat(chunks), error: undefined };
  } catch (error) {
    return { bytes: Buffer.concat(chunks), error };
  }
}

describe('a target', () => {
  it('is fetched by its hash and saved whole, readable by its owner only', async () => {
    await updater.downloadTarget(target, destination);
    expect(await readFile(destination)).toEqual(CONTENT);
    expect((await stat(destination)).mode & 0o777).toBe(0o600);
    expect(repository.requests).toEqual([
      `targets/packages/foo/${target.hashes.get('sha256')}.foo-1.0-py3-none-any.whl`,
    ]);
    expect(await readdir(downloads)).toEqual(['foo.whl']);
  });

  it('is fetched by its plain name where hash prefixes are not used', async () => {
    await client.updater({ prefixTargetsWithHash: false }).downloadTarget(target, destination);
    expect(repository.requests.at(-1)).toBe(`targets/${PATH}`);
  });

  it('can be streamed and read into memory', async () => {
    expect((await collect(updater.streamTarget(target))).bytes).toEqual(CONTENT);
    expect(Buffer.from(await updater.targetBytes(target, CONTENT.length))).toEqual(CONTENT);
  });

  it('that is already there is not fetched again, and not touched', async () => {
    await updater.downloadTarget(target, destination);
    const past = new Date(1_000_000_000_000);
    await utimes(destination, past, past);
    repository.requests.length = 0;
    await updater.downloadTarget(target, destination);
    expect(repository.requests).toEqual([]);
    expect((await stat(destination)).mtime).toEqual(past);
  });

  it('of the right length and other content on disk is fetched again', async () => {
    await writeFile(destination, Buffer.alloc(CONTENT.length));
    await updater.downloadTarget(target, destination);
    expect(await readFile(destination)).toEqual(CONTENT);
  });

  it('replaces a symbolic link instead of writing through it', async () => {
    const outside = join(client.folder, 'outside');
    await writeFile(outside, CONTENT);
    await symlink(outside, destination);
    await updater.downloadTarget(target, destination);
    expect((await readdir(downloads, { withFileTypes: true }))[0]?.isSymbolicLink()).toBe(false);
    expect(await readFile(outside)).toEqual(CONTENT);
  });

  it('does not wait for a pipe that lies in its place, and replaces it', async () => {
    execFileSync('mkfifo', [destination]);
    await updater.downloadTarget(target, destination);
    expect(await readFile(destination)).toEqual(CONTENT);
  });

  it('of length 0 is verified like any other', async () => {
    repository.addTarget('targets', 'empty', Buffer.alloc(0));
    repository.publishAll();
    const session = client.updater();
    const empty = (await session.getTargetInfo('empty'))!;
    await session.downloadTarget(empty, destination);
    expect((await stat(destination)).size).toBe(0);
    repository.misbehave(/empty/, { kind: 'bytes', bytes: Buffer.from('x') });
    expect(await collect(session.streamTarget(empty))).toMatchObject({
      bytes: Buffer.alloc(0),
      error: { code: 'DOWNLOAD_LENGTH_MISMATCH' },
    });
  });

  it('longer than the caller wants in memory is refused before it is asked for', async () => {
    await expect(updater.targetBytes(target, CONTENT.length - 1)).rejects.toMatchObject({
      code: 'DOWNLOAD_LENGTH_MISMATCH',
    });
    expect(repository.requests).toEqual([]);
  });

  it('has its path quoted in the URL', async () => {
    repository.addTarget('targets', 'a b/ü+?#%!.txt', Buffer.from('odd'));
    repository.publishAll();
    const session = client.updater();
    const odd = (await session.getTargetInfo('a b/ü+?#%!.txt'))!;
    expect(Buffer.from(await session.targetBytes(odd, 3)).toString()).toBe('odd');
    expect(repository.requests.at(-1)).toMatch(/^targets\/a%20b\/[0-9a-f]{64}\.%C3%BC%2B%3F%23%25%21\.txt$/);
  });

  it.each(['../../evil', 'a/../../evil', './x', '..', 'a/.'])(
    '%s is never asked for: its URL would leave the folder',
    async (path) => {
      repository.addTarget('targets', path, Buffer.from('x'));
      repository.publishAll();
      const session = client.updater({ prefixTargetsWithHash: false });
      const found = (await session.getTargetInfo(path))!;
      repository.requests.length = 0;
      await expect(session.targetBytes(found, 10)).rejects.toMatchObject({ code: 'INVALID_URL' });
      expect(repository.requests).toEqual([]);
    },
  );

  it('can be given up by the caller', async () => {
    repository.misbehave(/targets\//, { kind: 'stalled' });
    const controller = new AbortController();
    const download = updater.downloadTarget(target, destination, controller.signal);
    setTimeout(() => controller.abort(new Error('enough')), 20);
    await expect(download).rejects.toThrow('enough');
    expect(await readdir(downloads)).toEqual([]);
  });

  it('leaves the disk as it was when the folder cannot be written', async () => {
    await expect(updater.downloadTarget(target, join(client.folder, 'absent', 'x'))).rejects.toMatchObject({
      code: 'INPUT_OUTPUT',
    });
    expect(await readdir(client.folder)).not.toContain('absent');
  });

  it.each([
    ['an empty hash list', {}],
    ['no string', { sha256: 7 }],
  ])('with %s is malformed', async (_name, hashes) => {
    repository.addTarget('targets', 'x', Buffer.from('x')).hashes = hashes as Record<string, string>;
    repository.publishAll();
    await expect(client.refresh()).rejects.toMatchObject({ code: 'MALFORMED_METADATA' });
  });

  it('listed with a hash that cannot be checked is refused', async () => {
    repository.addTarget('targets', 'x', Buffer.from('x')).hashes = {
      md5: '9dd4e461268c8034f5c8564e155c67a6',
    };
    repository.publishAll();
    const session = client.updater({ prefixTargetsWithHash: false });
    const found = (await session.getTargetInfo('x'))!;
    await expect(session.targetBytes(found, 1)).rejects.toMatchObject({ code: 'LENGTH_OR_HASH_MISMATCH' });
  });

  it('is refused unless every listed hash is right', async () => {
    repository.addTarget('targets', 'x', Buffer.from('x')).hashes['sha512'] = '00'.repeat(64);
    repository.publishAll();
    const session = client.updater();
    await expect(session.targetBytes((await session.getTargetInfo('x'))!, 1)).rejects.toMatchObject({
      code: 'LENGTH_OR_HASH_MISMATCH',
    });
  });
});

describe('a repository that sends wrong data for a target', () => {
  const attacks: readonly (readonly [string, Misbehaviour, string])[] = [
    ['endless data', { kind: 'endless' }, 'DOWNLOAD_LENGTH_MISMATCH'],
    [
      'other bytes of the same length',
      { kind: 'bytes', bytes: Buffer.alloc(CONTENT.length) },
      'LENGTH_OR_HASH_MISMATCH',
    ],
    [
      'one flipped bit at the end',
      { kind: 'flipped-bit', position: CONTENT.length - 1 },
      'LENGTH_OR_HASH_MISMATCH',
    ],
    ['one flipped bit at the start', { kind: 'flipped-bit', position: 0 }, 'LENGTH_OR_HASH_MISMATCH'],
    ['too few bytes', { kind: 'bytes', bytes: CONTENT.subarray(0, 1000) }, 'LENGTH_OR_HASH_MISMATCH'],
    [
      'one byte too many',
      { kind: 'bytes', bytes: Buffer.concat([CONTENT, Buffer.from('x')]) },
      'DOWNLOAD_LENGTH_MISMATCH',
    ],
    ['nothing', { kind: 'bytes', bytes: Buffer.alloc(0) }, 'LENGTH_OR_HASH_MISMATCH'],
    ['a dropped connection', { kind: 'dropped', after: 5000 }, 'CONNECTION_FAILED'],
    ['no file', { kind: 'status', status: 404 }, 'DOWNLOAD_HTTP'],
  ];

  it.each(attacks)('(%s) leaves no file', async (_name, behaviour, code) => {
    repository.misbehave(/targets\//, behaviour);
    await expect(updater.downloadTarget(target, destination)).rejects.toMatchObject({ code });
    expect(await readdir(downloads)).toEqual([]);
  });

  it.each(attacks)('(%s) leaves an existing file as it is', async (_name, behaviour, code) => {
    await writeFile(destination, 'an older version');
    repository.misbehave(/targets\//, behaviour);
    await expect(updater.downloadTarget(target, destination)).rejects.toMatchObject({ code });
    expect(await readFile(destination, 'utf8')).toBe('an older version');
  });

  it.each(attacks)('(%s) never hands out all bytes of the target', async (_name, behaviour, code) => {
    repository.misbehave(/targets\//, behaviour);
    const { bytes, error } = await collect(updater.streamTarget(target));
    expect(error).toMatchObject({ code });
    expect(bytes.length).toBeLessThan(target.length);
  });
});
