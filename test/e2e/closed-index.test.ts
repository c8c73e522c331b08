import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeWheel } from '../tools/distribution.ts';
import { installers, type Installers } from '../tools/installers.ts';
import { cleanEnvironment, type Finished, run } from '../tools/process.ts';
import { createVirtualEnvironment } from '../tools/python-tools.ts';
import { buildRind, rind, RindServer, scratchFolder } from '../tools/rind-program.ts';
import { whenAvailable } from '../tools/unavailable.ts';
import { Uploader } from '../tools/upload.ts';

describe('a closed index, with the tools as they come from PyPI', () => {
  const available = whenAvailable(installers);
  let scratch: Awaited<ReturnType<typeof scratchFolder>>;
  let installed: Installers;
  let server: RindServer;
  let reader: string;
  let stranger: string;
  let environments = 0;

  beforeAll(async () => {
    await buildRind();
    if (!available.present) return;
    installed = available.value;
    scratch = await scratchFolder('closed');
    server = await RindServer.start({ folder: join(scratch.path, 'data') });
    const uploader = new Uploader(server.uploadUrl, server.token);
    const wheel = makeWheel({ name: 'private-cheese', version: '1.0' });
    expect(await uploader.upload(wheel)).toMatchObject({ status: 200 });
    uploader.close();
    await administer('index', 'create', 'team');
    await administer('access', 'set', '--read', 'token');
    reader = await administer('token', 'create', 'reader', '--verb', 'read');
    stranger = await administer('token', 'create', 'stranger', '--verb', 'read', '--index', 'team');
    for (let tries = 0; (await fetch(`${server.url}simple/`)).status !== 401; tries += 1)
      expect(tries).toBeLessThan(1000);
  });

  afterAll(async () => {
    await server?.stop();
    await scratch?.remove();
  });

  async function administer(...args: string[]): Promise<string> {
    const done = await rind([...args, '--data', join(scratch.path, 'data')]);
    expect(done.code, done.output).toBe(0);
    return done.stdout.trim();
  }

  interface Home {
    readonly netrc?: string;
    /** What the `keyring` command on the PATH answers. */
    readonly keyring?: string;
    readonly url?: string;
  }

  /** Installs with pip or uv as a user with this home. */
  async function install(tool: 'pip' | 'uv', home: Home): Promise<Finished> {
    environments += 1;
    const folder = join(scratch.path, `home-${environments}`);
    const bin = join(folder, 'bin');
    await mkdir(bin, { recursive: true });
    if (home.netrc !== undefined) {
      const text = `machine 127.0.0.1 login __token__ password ${home.netrc}\n`;
      await writeFile(join(folder, '.netrc'), text, { mode: 0o600 });
    }
    if (home.keyring !== undefined) {
      // As a real keyring command: `get SERVICE USER` prints the password, `--mode creds` both, for pip as JSON.
      const json = JSON.stringify({ username: '__token__', password: home.keyring });
      const plain = `case "$*" in *creds*) echo __token__;; esac; echo ${home.keyring}`;
      const script = `#!/bin/sh\ncase "$*" in *json*) echo '${json}'; exit;; esac\n${plain}\n`;
      await writeFile(join(bin, 'keyring'), script);
      await chmod(join(bin, 'keyring'), 0o755);
    }
    const python = join(await createVirtualEnvironment(join(folder, 'venv'), { withPip: false }), 'python');
    const simple = home.url ?? `${server.url}simple/`;
    const env = cleanEnvironment({
      HOME: folder,
      PATH: [bin, process.env['PATH'] ?? ''].join(delimiter),
      PIP_NO_INPUT: '1',
      NO_COLOR: '1',
    });
    const { pip, uv } = installed.tools;
    const keyring = home.keyring === undefined ? [] : ['--keyring-provider', 'subprocess'];
    return tool === 'pip'
      ? run(pip, ['--python', python, 'install', ...keyring, '-i', simple, 'private-cheese'], { env })
      : run(
          uv,
          [
            'pip',
            'install',
            '--no-cache',
            '--python',
            python,
            ...keyring,
            '--default-index',
            simple,
            'private-cheese',
          ],
          { env },
        );
  }

  function withUser(user: string): string {
    return `${server.url}simple/`.replace('://', `://${user}@`);
  }

  describe.each(['pip', 'uv'] as const)('%s', (tool) => {
    it('installs with the credentials of netrc', async () => {
      const done = await install(tool, { netrc: reader });
      expect(done.code, done.output).toBe(0);
      expect(done.output).not.toContain(reader);
    });

    it('installs with credentials in the URL of the index', async () => {
      const done = await install(tool, { url: withUser(`__token__:${reader}`) });
      expect(done.code, done.output).toBe(0);
      expect(done.output).not.toContain(reader);
    });

    it('installs with the credentials of a keyring', async () => {
      const done = await install(tool, { keyring: reader, url: withUser('__token__') });
      expect(done.code, done.output).toBe(0);
      expect(done.output).not.toContain(reader);
    });

    it.each<[string, () => Home]>([
      ['no credentials', () => ({})],
      ['wrong ones', () => ({ netrc: `rind_${'x'.repeat(49)}` })],
      ['a token of another index', () => ({ netrc: stranger })],
    ])('installs nothing with %s, and says something', async (_what, home) => {
      const done = await install(tool, home());
      expect(done.code, done.output).not.toBe(0);
      expect(done.output).toMatch(
        /No matching distribution|not found|credentials|401|403|[Aa]uthenticat|Unauthorized/,
      );
      expect(done.output).not.toContain('Successfully installed');
      expect(done.output).not.toContain('Traceback');
      expect(done.output).not.toContain(stranger);
    });
  });

  it('answers with a sentence whoever asks it directly', async () => {
    const basic = (token: string) => `Basic ${Buffer.from(`__token__:${token}`).toString('base64')}`;
    for (const path of [
      'simple/',
      'simple/private-cheese/',
      'packages/private-cheese/private_cheese-1.0-py3-none-any.whl',
    ]) {
      const answer = await fetch(server.url + path);
      expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([
        401,
        expect.stringMatching(/^Basic/),
      ]);
      expect(await answer.text()).toMatch(/[a-z]+ .*\./);
      const strange = await fetch(server.url + path, { headers: { authorization: basic(stranger) } });
      expect([401, 403]).toContain(strange.status);
      const known = await fetch(server.url + path, { headers: { authorization: basic(reader) } });
      expect(known.status).toBe(200);
    }
  });
});
