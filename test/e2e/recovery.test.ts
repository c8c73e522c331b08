/** The runbooks of backup and recovery, as written, against a running server and a client that goes on. */
import { execFile } from 'node:child_process';
import { chmod, mkdir, readFile, writeFile, cp } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DownloadHttpError, Updater } from '../../src/updater/index.ts';
import { makeWheel } from '../tools/distribution.ts';
import { cleanEnvironment } from '../tools/process.ts';
import { buildRind, checkout, rindMain, RindServer, scratchFolder } from '../tools/rind-program.ts';
import { Uploader } from '../tools/upload.ts';

const runFile = promisify(execFile);
const FILES = ['demo-1.0', 'demo-2.0'].map((name) => `packages/demo/${name}-py3-none-any.whl`);

/** The commands and files of a runbook, in the order of its sections. */
async function runbook(name: string): Promise<ReadonlyMap<string, readonly string[]>> {
  const text = await readFile(join(checkout, 'docs', 'operations', name), 'utf8');
  return new Map(
    text
      .split(/^## /m)
      .slice(1)
      .map((part) => {
        const files = [...part.matchAll(/```toml\n# (\S+)\n([\s\S]*?)```/g)].map(
          ([, path = '', body = '']) =>
            `mkdir -p "$(dirname ${path})"; cat > ${path} <<END\n${body.replace('FINGERPRINT', '$FINGERPRINT')}END`,
        );
        const commands = [...part.matchAll(/```console\n([\s\S]*?)```/g)].flatMap(([, block = '']) =>
          block.split('\n').flatMap((line) => (line.startsWith('$ ') ? [line.slice(2)] : [])),
        );
        return [part.split('\n')[0] ?? '', [...files, ...commands]];
      }),
  );
}

describe('the runbooks of backup and recovery, as written,', () => {
  let scratch: Awaited<ReturnType<typeof scratchFolder>>;
  let server: RindServer | undefined;
  let environment: Record<string, string>;
  let token: string;
  let bootstrapRoot: Uint8Array;
  beforeAll(() => buildRind());
  beforeEach(async () => {
    scratch = await scratchFolder('recovery');
    const bin = join(scratch.path, 'bin');
    await mkdir(bin);
    await writeFile(join(bin, 'rind'), `#!/bin/sh\nexec "${process.execPath}" "${rindMain}" "$@"\n`);
    await chmod(join(bin, 'rind'), 0o755);
    server = await RindServer.start({ folder: join(scratch.path, 'server') });
    token = server.token;
    environment = {
      PATH: [bin, process.env['PATH'] ?? ''].join(delimiter),
      FINGERPRINT: server.fingerprint,
      ROOT_KEY: 'file2:server/offline-keys/root.json',
      ROOT_SECRET: 'file:server/offline-keys/passphrase',
    };
    bootstrapRoot = await readFile(join(scratch.path, 'server', 'tree', 'metadata', '1.root.json'));
    await writeFile(join(scratch.path, 'trusted-root.json'), bootstrapRoot);
    await upload('1.0');
  });
  afterEach(async () => {
    await server?.stop();
    server = undefined;
    await scratch.remove();
  });

  async function upload(version: string): Promise<void> {
    const uploader = new Uploader(server?.uploadUrl ?? '', token);
    expect(await uploader.upload(makeWheel({ name: 'demo', version }))).toMatchObject({ status: 200 });
  }

  async function follow(commands: readonly string[] | undefined): Promise<string> {
    if (commands === undefined || commands.length === 0) throw new Error('the runbook has no such section');
    const { stdout, stderr } = await runFile('bash', ['-c', `set -eu\n${commands.join('\n')}\n`], {
      cwd: scratch.path,
      env: cleanEnvironment(environment),
      timeout: 300_000,
    });
    return `${stdout}${stderr}`;
  }

  /** What the one client finds in a folder that is served: its trusted metadata stays from call to call. */
  async function found(data: string): Promise<readonly boolean[]> {
    await mkdir(join(scratch.path, 'client'), { recursive: true, mode: 0o700 });
    const updater = new Updater({
      metadataDir: join(scratch.path, 'client'),
      metadataBaseUrl: 'http://rind.test/metadata/',
      targetBaseUrl: 'http://rind.test/',
      bootstrapRoot,
      fetcher: {
        async *fetch(url) {
          const path = join(scratch.path, data, 'tree', decodeURIComponent(new URL(url).pathname));
          const bytes = await readFile(path).catch(() => undefined);
          if (bytes === undefined) throw new DownloadHttpError('Not Found', 404, { url });
          yield bytes;
        },
      },
    });
    await updater.refresh();
    return Promise.all(
      FILES.map(async (path) => {
        const target = await updater.getTargetInfo(path);
        if (target !== undefined) await updater.targetBytes(target, 1 << 20);
        return target !== undefined;
      }),
    );
  }

  async function stop(): Promise<void> {
    await server?.stop();
    server = undefined;
  }

  it('backup: while it serves, restored, brought up to what was published since, rebuilt from the tree', async () => {
    const sections = await runbook('backup.md');
    expect(await follow(sections.get('Every day'))).toContain('of them are new');
    await upload('2.0');
    expect(await found('server')).toEqual([true, true]);
    expect(await follow(sections.get('Restore'))).toContain('publishes nothing yet');
    const held = RindServer.start({ folder: join(scratch.path, 'restored') });
    await expect(held).rejects.toThrow(/This is the backup of .* rind recover --published/);
    await stop();
    const caughtUp = await follow(sections.get('What was published is still somewhere'));
    expect(caughtUp).toContain('1 projects with 2 files, 4 targets');
    expect(caughtUp).toContain('is clean');
    const rebuilt = await follow(sections.get('The database is lost, the tree is not'));
    expect(rebuilt).toContain('1 projects with 2 files, 4 targets');
    expect(rebuilt).toContain('is clean');
    server = await RindServer.start({ folder: join(scratch.path, 'restored') });
    expect(await found('restored')).toEqual([true, true]);
  });

  it('rotation: with both keys in between, and the client follows each step', async () => {
    const sections = await runbook('rotation.md');
    expect(await found('server')).toEqual([true, false]);
    await stop();
    await follow(sections.get('The new key'));
    await follow(sections.get('Both keys'));
    expect(await found('server')).toEqual([true, false]);
    expect(await follow(sections.get('The new key alone'))).toContain('is clean');
    expect(await found('server')).toEqual([true, false]);
    // The server runs on with the new key alone.
    server = await RindServer.start({ folder: join(scratch.path, 'server') });
    await upload('2.0');
    expect(await found('server')).toEqual([true, true]);
  });

  const mirror = () =>
    cp(join(scratch.path, 'server', 'tree'), join(scratch.path, 'mirror'), { recursive: true });
  // Hashes alone: the files are those of the store.
  const archive = () => follow(['rind archive make mirror --data server', 'rind archive verify mirror']);
  it.each([
    { from: 'a mirror', keep: mirror },
    { from: 'an archive', keep: archive },
  ])(
    'recovery ($from): held at once, compared, new keys, and the same client comes along',
    async ({ keep }) => {
      const sections = await runbook('recovery.md');
      await keep();
      await upload('2.0');
      expect(await found('server')).toEqual([true, true]);
      const begun = await follow(sections.get('Begin'));
      expect(begun).toContain(`added ${FILES[1] ?? ''}`);
      await stop();
      await follow(sections.get('New keys'));
      const completed = await follow(sections.get('Complete'));
      expect(completed).toContain('everything is signed with the new keys');
      expect(completed).toContain('is clean');
      expect(await found('server')).toEqual([true, false]);
      server = await RindServer.start({ folder: join(scratch.path, 'server') });
      const page = await fetch(`${server.url}security/`);
      expect(page.headers.get('content-type')).toContain('text/html');
      const html = await page.text();
      expect(html).toContain('The online key was stolen');
      expect(html).toContain(FILES[1] ?? '');
    },
  );
});
