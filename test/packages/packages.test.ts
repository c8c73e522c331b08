import { createHash } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { corpus } from '../tools/corpus.ts';
import { cleanEnvironment, type Finished, run, succeed } from '../tools/process.ts';
import { createVirtualEnvironment, pythonTools } from '../tools/python-tools.ts';
import { checkout, RindServer, scratchFolder } from '../tools/rind-program.ts';
import { starters } from '../tools/starters.ts';
import { copyFlask, transcriptOf } from '../tools/transcript.ts';
import { whenAvailable } from '../tools/unavailable.ts';
import { type BuiltPackages, buildPackages, pathWithoutNode } from './built-packages.ts';

const { version } = JSON.parse(await readFile(join(checkout, 'package.json'), 'utf8')) as { version: string };

describe('rind as a wheel, as one executable and from npm', () => {
  const available = whenAvailable(async () => {
    const scratch = await scratchFolder('packages');
    const [wheel = '', executable = '', tarball = ''] = await buildPackages(join(scratch.path, 'built'));
    const built: BuiltPackages = { wheel, executable, tarball };
    return { scratch, built, tools: await pythonTools(), files: await corpus(), starters: await starters() };
  });
  let folder: string;
  /** No Node.js is found on it. */
  let path: string;
  let commands: string[];

  beforeAll(async () => {
    if (!available.present) return;
    folder = available.value.scratch.path;
    path = await pathWithoutNode(join(folder, 'path'));
    await copyFlask(available.value.files, join(folder, 'wheels'));
    commands = transcriptOf(await readFile(join(checkout, 'README.md'), 'utf8'));
  });

  afterAll(async () => {
    if (available.present) await available.value.scratch.remove();
  });

  const environmentOf = (home: string, ...folders: string[]): NodeJS.ProcessEnv =>
    cleanEnvironment({
      HOME: home,
      XDG_STATE_HOME: join(home, 'state'),
      XDG_CACHE_HOME: join(home, 'cache'),
      XDG_CONFIG_HOME: join(home, 'config'),
      XDG_DATA_HOME: join(home, 'data'),
      npm_config_cache: join(home, 'npm'),
      npm_config_update_notifier: 'false',
      PATH: [...folders, path].join(delimiter),
    });

  /** A virtual environment with its own pip, twine beside it. */
  async function pythonPlace(name: string): Promise<{ home: string; bin: string }> {
    const home = join(folder, name);
    await mkdir(home, { recursive: true });
    const bin = await createVirtualEnvironment(join(home, 'venv'), { withPip: true });
    await symlink(available.value.tools.twine, join(bin, 'twine'));
    return { home, bin };
  }

  /** Follows the README's transcript with `rind` said in one way instead of `npx rind`. */
  async function followTranscript(
    rind: readonly string[],
    home: string,
    env: NodeJS.ProcessEnv,
  ): Promise<void> {
    const [command = '', ...args] = rind;
    const server = await RindServer.startProgram(
      command,
      [...args, 'serve', '--data', join(home, 'rind-data'), '--port', '0'],
      { folder: join(home, 'rind-data'), cwd: home, env: env as Record<string, string>, patience: 120_000 },
    );
    try {
      const shell = (line: string, extra: NodeJS.ProcessEnv = {}): Promise<Finished> => {
        const said = line
          .replaceAll('npx rind', rind.join(' '))
          .replaceAll('http://127.0.0.1:8458/', server.url);
        return run('bash', ['-c', said], { cwd: home, env: { ...env, ...extra } });
      };
      const [, upload = '', trust = '', install = '', tamper = ''] = commands;
      const wheels = join(folder, 'wheels', '*');
      const uploaded = await shell(upload.replace('dist/*', wheels).replace('rind_…', server.token));
      expect(uploaded.code, uploaded.output).toBe(0);
      const trusted = await shell(trust.replace(/--fingerprint \S+/, `--fingerprint ${server.fingerprint}`));
      expect(trusted.code, trusted.output).toBe(0);
      const installed = await shell(install);
      expect(installed.code, installed.output).toBe(0);
      await succeed('python', ['-c', 'import flask'], { env });
      const flask =
        available.value.files.find(({ filename }) => filename.startsWith('flask-'))?.filename ?? '';
      // With none of the files that were verified here before: those would be taken, and rightly so.
      const refused = await shell(tamper.replace(/flask-[0-9.]+-py3-none-any\.whl/, flask), {
        RIND_CACHE_DIR: join(home, 'no-files-yet'),
      });
      expect(refused.code, refused.output).toBe(3);
      expect(refused.stderr).toMatch(/^error: packages\/flask\/flask-/m);
    } finally {
      await server.stop();
      // npx ends without what it started.
      await server.kill();
    }
  }

  it('builds the same bytes twice', async () => {
    const again = await buildPackages(join(folder, 'again'), ['wheel', 'executable']);
    const { wheel, executable } = available.value.built;
    const sums = (paths: readonly string[]) =>
      Promise.all(
        paths.map(async (file) =>
          createHash('sha256')
            .update(await readFile(file))
            .digest('hex'),
        ),
      );
    expect(await sums(again)).toEqual(await sums([wheel, executable]));
  });

  it('has a wheel whose RECORD, metadata and tag the Python tools accept', async () => {
    const { tools, built } = available.value;
    const unpacked = join(folder, 'unpacked');
    // `wheel unpack` compares every file with RECORD.
    await succeed(join(tools.bin, 'wheel'), ['unpack', '--dest', unpacked, built.wheel]);
    const checked = await succeed(tools.twine, ['check', '--strict', built.wheel]);
    expect(checked.output).toContain('PASSED');
    const metadata = await readFile(
      join(unpacked, `rind-${version}`, `rind-${version}.dist-info`, 'METADATA'),
      'utf8',
    );
    expect(metadata).toContain(`\nVersion: ${version}\n`);
  });

  it('runs the transcript from the wheel, where there is no Node.js', async () => {
    const { home, bin } = await pythonPlace('wheel');
    const env = environmentOf(home, bin);
    const node = await run('bash', ['-c', 'command -v node npm npx nodejs'], { env });
    expect(node.stdout).toBe('');
    await succeed('pip', ['install', '--quiet', '--no-index', available.value.built.wheel], { env });
    expect((await succeed('rind', ['--version'], { env })).stdout).toBe(`${version}\n`);
    await followTranscript(['rind'], home, env);
    // The trust that an organisation's package put beside it is found without an active environment.
    const bundled = await succeed('rind', ['client', 'bundle', '--name', 'acme-trust', '--output', home], {
      env,
    });
    await succeed('pip', ['install', '--quiet', '--no-index', bundled.stdout.trim()], { env });
    const newcomer = {
      ...env,
      XDG_STATE_HOME: join(home, 'newcomer'),
      XDG_CACHE_HOME: join(home, 'newcomer'),
    };
    // Nothing of flask is missing, so that pip names the index and asks it for nothing.
    const found = await succeed('rind', ['pip', 'install', 'flask'], { env: newcomer });
    expect(found.stdout).toMatch(/^Looking in indexes: http:\/\/127\.0\.0\.1:\d+\/simple\/$/m);
    // It takes everything with it.
    await succeed('pip', ['uninstall', '--quiet', '--yes', 'rind'], { env });
    await expect(stat(join(bin, '..', 'lib', 'rind', 'node'))).rejects.toThrow('ENOENT');
  });

  it('runs the transcript from one executable, where there is no Node.js', async () => {
    const { home, bin } = await pythonPlace('executable');
    const { executable } = available.value.built;
    const env = environmentOf(home, bin);
    await followTranscript([executable], home, env);
    // Without its compiled addon, keys in hardware are refused.
    const hardware = await run(executable, ['key', 'show', 'hsm:?label=a&module=/lib/none.so'], { env });
    expect([hardware.code, hardware.stderr]).toEqual([1, expect.stringContaining('come without it')]);
    // A program that others could change is not run.
    const [laidOut = ''] = await readdir(join(home, 'cache', 'rind')).then((names) =>
      names.filter((name) => name.startsWith('program-')),
    );
    await chmod(join(home, 'cache', 'rind', laidOut), 0o777);
    const opened = await run(executable, ['--version'], { env });
    expect([opened.code, opened.stdout, opened.stderr]).toEqual([
      1,
      '',
      expect.stringContaining('open to other users'),
    ]);
  });

  it('runs the transcript by npx from the tarball', async () => {
    const { home, bin } = await pythonPlace('npx');
    const env = environmentOf(home, bin, dirname(process.execPath));
    for (const [name, value] of Object.entries(process.env))
      if (/^npm_config_registry$|^npm_config_userconfig$|^https?_proxy$/i.test(name)) env[name] = value;
    await writeFile(
      join(home, '.npmrc'),
      await readFile(join(process.env['HOME'] ?? '', '.npmrc'), 'utf8').catch(() => ''),
    );
    const npx = ['npx', '--yes', `--package=${available.value.built.tarball}`, 'rind'];
    expect((await succeed('npx', [...npx.slice(1), '--version'], { env, cwd: home })).stdout).toBe(
      `${version}\n`,
    );
    await followTranscript(npx, home, env);
  });

  it('has no script that runs while npm installs it', async () => {
    const { tarball } = available.value.built;
    const listed = await succeed('tar', ['-xzOf', tarball, 'package/package.json']);
    const { scripts } = JSON.parse(listed.stdout) as { scripts: Record<string, string> };
    for (const name of ['preinstall', 'install', 'postinstall', 'prepare'])
      expect(scripts[name]).toBeUndefined();
  });

  it('installs with pipx, through whose link it finds its own environment', async () => {
    const home = join(folder, 'pipx');
    await mkdir(home);
    const { starters: bin, tools, built } = available.value;
    const env = environmentOf(home, bin, join(home, '.local', 'bin'), tools.bin);
    env['PIPX_HOME'] = join(home, 'pipx-home');
    env['UV_OFFLINE'] = '1';
    await succeed('pipx', ['install', '--quiet', '--backend', 'uv', built.wheel], { env });
    const seen = await succeed('rind', ['--version'], { env });
    expect(seen.stdout).toBe(`${version}\n`);
  });

  it('starts with uvx', async () => {
    const home = join(folder, 'uvx');
    await mkdir(home);
    const env = environmentOf(home);
    const args = [
      'tool',
      'run',
      '--no-index',
      '--offline',
      '--from',
      available.value.built.wheel,
      'rind',
      '--version',
    ];
    expect((await succeed(available.value.tools.uv, args, { env })).stdout).toBe(`${version}\n`);
  });
});
