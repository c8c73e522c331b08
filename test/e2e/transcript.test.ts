import { cp, mkdir, readFile, symlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { corpus } from '../tools/corpus.ts';
import { cleanEnvironment, type Finished, run, succeed } from '../tools/process.ts';
import { createVirtualEnvironment, pythonTools } from '../tools/python-tools.ts';
import { checkout, RindServer, scratchFolder } from '../tools/rind-program.ts';
import { copyFlask, transcriptOf } from '../tools/transcript.ts';
import { UnavailableError } from '../tools/unavailable-error.ts';
import { whenAvailable } from '../tools/unavailable.ts';

const port = 8458;

/** The README names this port, so that its commands can only be tested as written where it is free. */
async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once('error', () =>
      reject(new UnavailableError(`port ${port}, which the README names, is in use here`)),
    );
    probe.listen(port, '127.0.0.1', resolve);
  });
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

function isGroupAlive(leader: number): boolean {
  try {
    process.kill(-leader, 0);
    return true;
  } catch {
    return false;
  }
}

/** What must be there for `npm ci && npm start` besides node_modules, which is linked. */
const sources = [
  'package.json',
  'package-lock.json',
  '.npmrc',
  'tsconfig.json',
  'tsconfig.build.json',
  'scripts',
  'src',
];

describe(`the README, as written, on Node ${process.version}`, () => {
  const available = whenAvailable(async () => {
    const [tools, files] = [await pythonTools(), await corpus()];
    await freePort();
    return { tools, files };
  });
  let scratch: Awaited<ReturnType<typeof scratchFolder>>;
  let server: RindServer | undefined;
  let home: string;
  let commands: string[];
  let environment: NodeJS.ProcessEnv;

  beforeAll(async () => {
    if (!available.present) return;
    const { tools, files } = available.value;
    scratch = await scratchFolder('transcript');
    home = join(scratch.path, 'rind');
    await mkdir(home);
    for (const source of sources) await cp(join(checkout, source), join(home, source), { recursive: true });
    await symlink(join(checkout, 'node_modules'), join(home, 'node_modules'));
    await copyFlask(files, join(scratch.path, 'wheels'));
    // An activated virtual environment whose pip is unmodified, twine, and the Node.js that runs this test.
    const venv = await createVirtualEnvironment(join(scratch.path, 'venv'), { withPip: true });
    await symlink(tools.twine, join(venv, 'twine'));
    environment = cleanEnvironment({
      HOME: scratch.path,
      XDG_STATE_HOME: join(scratch.path, 'state'),
      XDG_CACHE_HOME: join(scratch.path, 'cache'),
      npm_config_cache: join(scratch.path, 'npm'),
      npm_config_update_notifier: 'false',
      PATH: [venv, dirname(process.execPath), process.env['PATH'] ?? ''].join(delimiter),
    });
    commands = transcriptOf(await readFile(join(checkout, 'README.md'), 'utf8'));
  });

  afterAll(async () => {
    await server?.stop();
    await scratch?.remove();
  });

  function shell(command: string): Promise<Finished> {
    return run('bash', ['-c', command], { cwd: home, env: environment, timeout: 300_000 });
  }

  it('has a transcript of start, upload, trust, install and a refused install', () => {
    expect(commands).toHaveLength(5);
    expect(commands[0]).toBe('npm ci && npm start');
  });

  it('starts an index with one command, uploads, trusts and installs as the transcript says', async () => {
    // `npm ci` ran already: node_modules is that of the checkout.
    const path = environment['PATH'] ?? '';
    server = await RindServer.startProgram('npm', ['start'], {
      folder: join(home, 'rind-data'),
      cwd: home,
      path,
      env: { HOME: scratch.path, npm_config_cache: join(scratch.path, 'npm') },
      patience: 120_000,
    });
    expect(server.url).toBe(`http://127.0.0.1:${port}/`);
    const [, upload = '', trust = '', install = '', tamper = ''] = commands;

    const uploaded = await shell(
      upload.replace('dist/*', join(scratch.path, 'wheels', '*')).replace('rind_…', server.token),
    );
    expect(uploaded.code, uploaded.output).toBe(0);
    const trusted = await shell(trust.replace(/--fingerprint \S+/, `--fingerprint ${server.fingerprint}`));
    expect(trusted.code, trusted.output).toBe(0);
    const installed = await shell(install);
    expect(installed.code, installed.output).toBe(0);
    expect((await succeed('python', ['-c', 'import flask'], { env: environment })).code).toBe(0);

    const flask = available.value.files.find(({ filename }) => filename.startsWith('flask-'))!.filename;
    const refused = await shell(tamper.replace(/flask-[0-9.]+-py3-none-any\.whl/, flask));
    expect(refused.code, refused.output).toBe(3);
    expect(refused.stderr).toMatch(/^error: packages\/flask\/flask-/m);
  });

  it('shows the set-up lines and the state as a page', async () => {
    const answer = await fetch(server!.url, { headers: { accept: 'text/html' } });
    expect(answer.status).toBe(200);
    const html = await answer.text();
    for (const word of [server!.fingerprint, 'twine', 'uv publish', 'rind pip', 'legacy/'])
      expect(html).toContain(word);
    expect(html).not.toContain(server!.token);
  });

  it('ends in order when asked to, and leaves no process behind', async () => {
    const pid = server!.pid;
    // npm itself ends by the signal it was sent, once the server has ended.
    await server!.stop();
    for (let waited = 0; waited < 5_000 && isGroupAlive(pid); waited += 50) await sleep(50);
    expect(isGroupAlive(pid)).toBe(false);
    expect(server!.output).toContain('stopping');
    await expect(fetch(server!.url)).rejects.toThrow();
  });
});
