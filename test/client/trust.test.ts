import { createHash } from 'node:crypto';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { readSelfSignedRoot } from '../../src/proxy/trusted-root.ts';
import { SimulatedIndex } from '../support/simulated-index.ts';
import { makeWheel } from '../tools/distribution.ts';
import { cleanEnvironment, run, succeed, type Finished } from '../tools/process.ts';
import { createVirtualEnvironment, pythonTools } from '../tools/python-tools.ts';
import { buildRind, scratchFolder } from '../tools/rind-program.ts';
import { whenAvailable } from '../tools/unavailable.ts';
import { CleanClient, fingerprintOf, served } from './clean-client.ts';

const tools = whenAvailable(pythonTools);
let scratch: Awaited<ReturnType<typeof scratchFolder>>;
let index: SimulatedIndex;
/** Another index, by other people. */
let other: SimulatedIndex;
let counter = 0;

beforeAll(async () => {
  await buildRind();
  scratch = await scratchFolder('trust');
  [index, other] = await Promise.all([SimulatedIndex.start(), SimulatedIndex.start()]);
  const young = new Date(Date.now() - 3_600_000).toISOString().replace('Z', '000Z');
  const old = '2020-01-01T00:00:00.000000Z';
  index.addProject('demo', [
    { ...wheel('demo', '1.0'), uploadTime: old },
    { ...wheel('demo', '2.0'), uploadTime: young },
  ]);
  index.addProject('acme-core', [wheel('acme-core', '1.0')]);
  index.addClaimedProject('claimed', [wheel('claimed', '1.0')]);
  other.addProject('acme-core', [wheel('acme-core', '9.0')]);
  other.addProject('acme-stolen', [wheel('acme-stolen', '9.0')]);
  other.addProject('public', [wheel('public', '1.0')]);
  for (const each of [index, other]) each.addProject('agreed', [wheel('agreed', '1.0')]);
  index.addProject('disputed', [wheel('disputed', '1.0')]);
  other.addProject('disputed', [served(makeWheel({ name: 'disputed', version: '1.0', build: 'evil' }))]);
});

afterAll(async () => {
  await index?.close();
  await other?.close();
  await scratch?.remove();
});

afterEach(() => {
  index.behave();
  other.behave();
});

function wheel(name: string, version: string): ReturnType<typeof served> {
  return served(makeWheel({ name, version }));
}

/** A project in a folder of its own, cloned by somebody whose machine knows nothing. */
class Checkout {
  readonly client: CleanClient;
  readonly folder: string;
  #python = '';

  private constructor(client: CleanClient) {
    this.client = client;
    this.folder = join(client.home, 'checkout', 'deep');
  }

  static async create(settings: string): Promise<Checkout> {
    counter += 1;
    const client = await CleanClient.create(join(scratch.path, `home-${counter}`), tools.value.bin);
    const checkout = new Checkout(client);
    await mkdir(checkout.folder, { recursive: true });
    await checkout.commit(settings);
    const bin = await createVirtualEnvironment(join(client.home, 'venv'), { withPip: false });
    checkout.#python = join(bin, 'python');
    return checkout;
  }

  /** pyproject.toml stands one folder above the working folder. */
  commit(settings: string): Promise<void> {
    return writeFile(join(dirname(this.folder), 'pyproject.toml'), `[project]\nname = "x"\n${settings}`);
  }

  install(tool: 'pip' | 'uv', ...args: string[]): Promise<Finished> {
    return this.client.run(
      tool === 'pip'
        ? ['pip', '--python', this.#python, 'install', '--no-cache-dir', ...args]
        : ['run', '--', 'uv', 'pip', 'install', '--no-cache', '--python', this.#python, ...args],
      {},
      this.folder,
    );
  }

  async installed(): Promise<string[]> {
    const libraries = join(dirname(dirname(this.#python)), 'lib');
    const [version = ''] = await readdir(libraries);
    const names = await readdir(join(libraries, version, 'site-packages'));
    return names.filter((name) => name.endsWith('.dist-info')).toSorted();
  }
}

interface Entry {
  readonly from: SimulatedIndex;
  readonly name: string;
  readonly projects?: readonly string[];
  readonly sha256?: string;
}

function tableOf({ from, name, projects, sha256 = rootSha256(from, 1) }: Entry): string {
  const names = projects === undefined ? '' : `projects = ${JSON.stringify(projects)}\n`;
  return `[[tool.rind.index]]\nname = "${name}"\nurl = "${from.url}"\nroot-sha256 = "${sha256}"\n${names}`;
}

/** Of the file as it is fetched. */
function rootSha256(from: SimulatedIndex, version: number): string {
  const bytes = from.repository.files.get(`metadata/${version}.root.json`) ?? Buffer.alloc(0);
  return createHash('sha256').update(bytes).digest('hex');
}

async function signedSha256(from: SimulatedIndex, version: number): Promise<string> {
  const bytes = from.repository.files.get(`metadata/${version}.root.json`) ?? Buffer.alloc(0);
  return (await readSelfSignedRoot(bytes)).fingerprint;
}

describe('[tool.rind] in a checkout', () => {
  it.each(['pip', 'uv'] as const)('is all that a clean machine needs to install with %s', async (tool) => {
    const checkout = await Checkout.create(tableOf({ from: index, name: 'acme' }));
    for (const expected of ['demo-1.0.dist-info', 'demo-2.0.dist-info']) {
      const version = expected.slice(5, 8);
      const finished = await checkout.install(tool, `demo==${version}`);
      expect(finished.code, finished.output).toBe(0);
      expect(await checkout.installed()).toEqual([expected]);
    }
    // What a project says is not what the user trusts elsewhere.
    expect((await checkout.client.run(['trust', 'list', '--json'])).stdout).toBe('[]\n');
  });

  it('names any root of a history that has gone on, by its file or by what is signed in it', async () => {
    const rotating = await SimulatedIndex.start();
    rotating.addProject('demo', [wheel('demo', '1.0')]);
    for (let version = 2; version <= 6; version += 1) {
      rotating.repository.addKey('root');
      rotating.repository.rotateKeys('timestamp');
      rotating.repository.publish(['root', 'timestamp']);
    }
    for (const sha256 of [
      rootSha256(rotating, 1),
      rootSha256(rotating, 4),
      await signedSha256(rotating, 6),
    ]) {
      const checkout = await Checkout.create(tableOf({ from: rotating, name: 'acme', sha256 }));
      const finished = await checkout.install('pip', 'demo');
      expect(finished.code, finished.output).toBe(0);
    }
    await rotating.close();
  });

  it('lets nothing be installed when no root of the index is the committed one', async () => {
    const checkout = await Checkout.create(tableOf({ from: index, name: 'acme', sha256: '0'.repeat(64) }));
    const finished = await checkout.install('pip', 'demo');
    expect(finished.code, finished.output).toBe(3);
    expect(finished.stderr).toMatch(
      /^error: .* has 1 root versions, and none of them has the sha256 0{64}\.$/m,
    );
    expect(await checkout.installed()).toEqual([]);
  });

  it('is refused with a sentence when a key in it is not known', async () => {
    const settings = '[[tool.rind.rule]]\nprojects = ["demo"]\nmust-be-claimd = true\n';
    const checkout = await Checkout.create(tableOf({ from: index, name: 'acme' }) + settings);
    const finished = await checkout.install('pip', 'demo');
    expect(finished.code, finished.output).toBe(1);
    expect(finished.stderr).toMatch(/pyproject\.toml: \[tool\.rind\]\.rule\[0\]: .*must-be-claimd/);
  });
});

describe('what the user trusts and what a project commits', () => {
  it('are one trust when both roots are of one history', async () => {
    const rotating = await SimulatedIndex.start();
    rotating.addProject('demo', [wheel('demo', '1.0')]);
    const checkout = await Checkout.create('');
    expect(await checkout.client.trust(rotating)).toMatchObject({ code: 0 });
    rotating.repository.addKey('root');
    rotating.repository.publish(['root']);
    await checkout.commit(tableOf({ from: rotating, name: 'acme', sha256: rootSha256(rotating, 2) }));
    const finished = await checkout.install('pip', 'demo');
    expect(finished.code, finished.output).toBe(0);
    expect(await readdir(join(checkout.client.home, 'rind'))).not.toContain('committed');
    await rotating.close();
  });

  it('contradict each other in a sentence, and nothing is installed', async () => {
    const checkout = await Checkout.create('');
    const known = await SimulatedIndex.start();
    expect(await checkout.client.trust(known)).toMatchObject({ code: 0 });
    await known.close();
    // Somebody else answers at this URL now, and has the project's file name what is served there.
    const stranger = await SimulatedIndex.start(Number(new URL(known.url).port));
    stranger.addProject('demo', [wheel('demo', '1.0')]);
    await checkout.commit(tableOf({ from: stranger, name: 'acme', sha256: rootSha256(stranger, 1) }));
    const finished = await checkout.install('pip', 'demo');
    expect(finished.code, finished.output).toBe(3);
    expect(finished.stderr).toContain('is not of the history of the root that this user trusts');
    expect(await checkout.installed()).toEqual([]);
    await stranger.close();
  });
});

describe('names that are routed', () => {
  it.each(['pip', 'uv'] as const)('come from their own index and no other (%s)', async (tool) => {
    const checkout = await Checkout.create(
      tableOf({ from: index, name: 'acme', projects: ['acme-*'] }) + tableOf({ from: other, name: 'public' }),
    );
    const finished = await checkout.install(tool, 'acme-core', 'public');
    expect(finished.code, finished.output).toBe(0);
    expect(await checkout.installed()).toEqual(['acme_core-1.0.dist-info', 'public-1.0.dist-info']);
    const confused = await checkout.install(tool, 'acme-stolen');
    expect(confused.code, confused.output).toBe(1);
    expect(await checkout.installed()).not.toContain('acme_stolen-9.0.dist-info');
  });

  it('are refused when no index is named for them', async () => {
    const checkout = await Checkout.create(tableOf({ from: index, name: 'acme', projects: ['acme-*'] }));
    const finished = await checkout.install('pip', 'demo');
    expect(finished.code, finished.output).toBe(3);
    expect(finished.stderr).toContain('No index is named for demo');
  });
});

describe('rules', () => {
  const rule = (text: string): string => `[[tool.rind.rule]]\nprojects = ["*"]\n${text}\n`;

  it.each(['pip', 'uv'] as const)('leave out files that are too young (%s)', async (tool) => {
    const checkout = await Checkout.create(
      tableOf({ from: index, name: 'acme' }) + rule('minimum-age-days = 3'),
    );
    const exact = await checkout.install(tool, 'demo==2.0');
    expect(exact.code, exact.output).not.toBe(0);
    expect(await checkout.installed()).toEqual([]);
    const finished = await checkout.install(tool, 'demo');
    expect(finished.code, finished.output).toBe(0);
    expect(finished.stderr).toContain('note: of demo, 1 of 2 files are not 3 days old; they are left out');
    expect(await checkout.installed()).toEqual(['demo-1.0.dist-info']);
  });

  it('refuse what only the index signed where the developers must have', async () => {
    const checkout = await Checkout.create(
      tableOf({ from: index, name: 'acme' }) + rule('must-be-claimed = true'),
    );
    const refused = await checkout.install('pip', 'demo');
    expect(refused.code, refused.output).toBe(3);
    expect(refused.stderr).toMatch(/must be signed by the developers of demo, .*\(role bin-[0-9a-f]\)/);
    const finished = await checkout.install('pip', 'claimed');
    expect(finished.code, finished.output).toBe(0);
    expect(await checkout.installed()).toEqual(['claimed-1.0.dist-info']);
  });
});

describe('a map of indexes that have to agree', () => {
  it('gives what they all sign, and nothing they sign differently', async () => {
    const checkout = await Checkout.create(
      tableOf({ from: index, name: 'a', projects: [] }) +
        tableOf({ from: other, name: 'b', projects: [] }) +
        '[[tool.rind.map]]\nprojects = ["*"]\nindexes = ["a", "b"]\nthreshold = 2\n',
    );
    const agreed = await checkout.install('pip', 'agreed');
    expect(agreed.code, agreed.output).toBe(0);
    const disputed = await checkout.install('pip', 'disputed');
    expect(disputed.code, disputed.output).toBe(3);
    expect(disputed.stderr).toContain('did not verify (no-agreement)');
    const single = await checkout.install('pip', 'demo');
    expect(single.code, single.output).toBe(1);
    expect(await checkout.installed()).toEqual(['agreed-1.0.dist-info']);
  });
});

describe('mirrors of a trusted index', () => {
  it('are stored with the trust, used when the index is away, committed with it, and replaced', async () => {
    const gone = 'http://127.0.0.1:9/';
    const stranger = `${other.url}copy/`;
    const user = await Checkout.create('');
    const { client } = user;
    const add = ['trust', 'add', gone, '--fingerprint', await fingerprintOf(index)];
    const added = await client.run([...add, '--mirror', stranger, '--mirror', `${index.url}simple/`]);
    expect(added.code, added.output).toBe(0);
    expect(added.stderr).toContain(`warning: ${stranger} is no mirror of it so far`);
    const listed = await client.run(['trust', 'list']);
    expect(listed.stdout).toContain(`  mirror ${stranger}\n  mirror ${index.url}\n`);
    expect((await client.run(['trust', 'pin', '--print'])).stdout).toContain(
      `mirrors = ["${stranger}", "${index.url}"]\n`,
    );
    const finished = await user.install('pip', 'acme-core');
    expect(finished.code, finished.output).toBe(0);
    expect(await user.installed()).toEqual(['acme_core-1.0.dist-info']);

    const set = await client.run(['trust', 'set', gone, '--mirror', other.url, '--json']);
    expect(JSON.parse(set.stdout)).toMatchObject({ url: gone, mirrors: [other.url] });
    expect(set.stderr).toContain(`warning: ${other.url} is a mirror of another index`);
    expect(await client.run(['trust', 'set', gone, '--no-mirrors'])).toMatchObject({ code: 0 });
    expect((await client.run(['trust', 'show'])).stdout).not.toMatch(/mirror/);
    // Said again with mirrors, the same trust has them.
    const again = await client.run([...add, '--mirror', index.url]);
    expect(again).toMatchObject({
      code: 0,
      stderr: expect.stringContaining(`has the mirrors ${index.url}\n`),
    });
  });
});

describe('rind trust pin', () => {
  it('commits what the user trusts, so that others need nothing else', async () => {
    const author = await Checkout.create('');
    expect(await author.client.trust(index)).toMatchObject({ code: 0 });
    const file = join(dirname(author.folder), 'pyproject.toml');
    const pin = ['trust', 'pin', '--name', 'acme', '--projects', 'Acme_*', 'demo', '--file', file];
    expect(await author.client.run(pin)).toMatchObject({ code: 0 });
    const text = await readFile(file, 'utf8');
    expect(text).toContain('projects = ["acme-*", "demo"]');
    expect((await author.client.run(pin)).stderr).toContain('commits ' + index.url + ' already');
    expect(await readFile(file, 'utf8')).toBe(text);

    const colleague = await Checkout.create(text.replace(/^\[project\]\nname = "x"\n/, ''));
    const finished = await colleague.install('uv', 'demo');
    expect(finished.code, finished.output).toBe(0);
  });
});

describe('rind client bundle', () => {
  it('carries the trust of an organisation into an environment', async () => {
    const admin = await Checkout.create('');
    expect(await admin.client.trust(index)).toMatchObject({ code: 0 });
    const made = await admin.client.run(['client', 'bundle', '--name', 'Acme.Trust', '--output', 'out']);
    expect(made).toMatchObject({ code: 0 });
    expect(made.stdout).toMatch(/\/out\/acme_trust-1\.0-py3-none-any\.whl\n$/);

    const user = await Checkout.create('');
    const none = await user.install('uv', 'demo');
    expect(none.stderr).toContain('No index is trusted on this machine yet');
    const wheelPath = made.stdout.trim();
    const python = join(user.client.home, 'venv', 'bin', 'python');
    await succeed('uv', ['pip', 'install', '--offline', '--no-cache', '--python', python, wheelPath], {
      env: cleanEnvironment(user.client.environment),
    });
    const venv = { VIRTUAL_ENV: join(user.client.home, 'venv') };
    const finished = await user.client.run(
      ['run', '--', 'uv', 'pip', 'install', '--no-cache', '--python', python, 'demo'],
      venv,
      user.folder,
    );
    expect(finished.code, finished.output).toBe(0);
    expect(await user.installed()).toEqual(['acme_trust-1.0.dist-info', 'demo-2.0.dist-info']);
  });
});

describe('rind proxy as a service', () => {
  /** What systemd does: the socket is there first, and the program is given it as descriptor 3. */
  const activate = `
import os, socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.argv[2], sys.argv[2:])
`;

  it('keeps one address, is started with the socket of its unit, and serves pip as it is set up', async () => {
    const checkout = await Checkout.create(tableOf({ from: index, name: 'acme' }));
    const { client, folder } = checkout;
    const own = { PIP_CONFIG_FILE: join(client.home, '.config', 'pip', 'pip.conf') };
    const environment = cleanEnvironment({ ...client.environment, ...own });
    const written = await client.run(['proxy', 'install', '--user', '--no-start', '--project', folder]);
    expect(written.code, written.output).toBe(0);
    const url = written.stdout.trim();
    const units = join(client.home, '.config', 'systemd', 'user');
    expect(await readFile(join(units, 'rind-proxy.socket'), 'utf8')).toContain(
      `127.0.0.1:${new URL(url).port}\n`,
    );
    const service = await readFile(join(units, 'rind-proxy.service'), 'utf8');
    expect(service).toMatch(/^ExecStart="[^"]+" "[^"]+main\.js" proxy --service$/m);
    expect(service).toContain(`WorkingDirectory=${folder}\n`);

    await mkdir(join(client.home, '.config', 'pip'), { recursive: true });
    const pipConf = own.PIP_CONFIG_FILE;
    await writeFile(pipConf, '[global]\r\nextra-index-url = https://evil.example/simple/\r\n');
    const before = await readFile(pipConf);
    expect(await client.run(['client', 'setup'], own)).toMatchObject({ code: 2 });
    expect(await readFile(pipConf)).toEqual(before);
    const setUp = await client.run(['client', 'setup', '--yes'], own);
    expect(setUp.code, setUp.output).toBe(0);
    expect(setUp.stderr).toContain(`+ index-url = ${url}`);

    const words = [...service.matchAll(/"([^"]+)"/g)].map(([, word = '']) => word);
    const child = spawn(
      tools.value.python,
      ['-c', activate, new URL(url).port, ...words, 'proxy', '--service'],
      { env: environment, cwd: folder, stdio: ['ignore', 'pipe', 'ignore'] },
    );
    const ended = new Promise((resolve) => child.once('exit', resolve));
    try {
      const [printed] = (await once(child.stdout, 'data')) as [Buffer];
      expect(printed.toString('utf8').trim()).toBe(url);
      const python = join(client.home, 'venv', 'bin', 'python');
      const pip = ['--python', python, 'install', '--no-cache-dir', '--disable-pip-version-check'];
      await succeed('pip', [...pip, 'demo'], { env: environment });
      expect(await checkout.installed()).toEqual(['demo-2.0.dist-info']);
      // A second index that the command names has a higher version of it: pip asks it through its proxy, which is this one.
      await succeed('pip', [...pip, '--extra-index-url', `${other.url}simple/`, 'acme-core'], {
        env: environment,
      });
      expect(await checkout.installed()).toEqual(['acme_core-1.0.dist-info', 'demo-2.0.dist-info']);
      const refused = await run('pip', [...pip, 'acme-nothing'], { env: environment });
      expect(refused.code).not.toBe(0);

      index.tamper(/^packages\/claimed\/.*whl$/);
      const tampered = await run('pip', [...pip, 'claimed'], { env: environment });
      expect(tampered.code).not.toBe(0);
      const home = new URL('../', url);
      const page = await (await fetch(home)).text();
      expect(page).toContain('packages/claimed/');
      expect(page).toContain('<b>tampered</b>');
      expect(page).toContain(index.url);
      expect((await fetch(home, { headers: { origin: 'https://evil.example' } })).status).toBe(403);
      expect((await fetch(new URL('/', url))).status).toBe(404);
    } finally {
      child.kill('SIGTERM');
      expect(await ended).toBe(0);
    }
    expect(await client.run(['client', 'setup', '--undo'], own)).toMatchObject({ code: 0 });
    expect(await readFile(pipConf)).toEqual(before);
    expect(await readdir(join(client.home, '.config', 'uv'))).toEqual([]);
    expect(await client.run(['proxy', 'uninstall', '--user', '--no-start'])).toMatchObject({ code: 0 });
    expect(await readdir(units)).toEqual([]);
  });
});
