import { chmod, copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { blocksUnder } from '../client/recipe-blocks.ts';
import { makeWheel } from '../tools/distribution.ts';
import { onTerminal } from '../tools/on-terminal.ts';
import { cleanEnvironment, run, type Finished } from '../tools/process.ts';
import { createVirtualEnvironment, pythonTools } from '../tools/python-tools.ts';
import { buildRind, checkout, rind, RindServer, rindMain, scratchFolder } from '../tools/rind-program.ts';
import { whenAvailable } from '../tools/unavailable.ts';

const PASSPHRASE = 'a passphrase of a developer';
const versions = ['1.0', '1.1', '1.2', '1.3', '1.4'] as const;

/** docs/sign-your-releases.md, with real twine, uv and pip. */
describe('the page for maintainers, as written', () => {
  const available = whenAvailable(pythonTools);
  let scratch: Awaited<ReturnType<typeof scratchFolder>>;
  let server: RindServer;
  let page: string;
  let alice: Developer;
  let bob: Developer;

  /** One person with a home folder of her own. */
  class Developer {
    readonly home: string;
    readonly environment: NodeJS.ProcessEnv;
    keyId = '';

    constructor(name: string) {
      this.home = join(scratch.path, name);
      this.environment = cleanEnvironment({ HOME: this.home });
    }

    async prepare(): Promise<void> {
      await mkdir(join(this.home, 'dist'), { recursive: true });
      for (const version of versions) {
        const { filename, bytes } = makeWheel({ name: 'demo', version });
        await writeFile(join(this.home, 'dist', filename), bytes);
      }
      await this.secret('passphrase', PASSPHRASE);
      await this.secret('token', await tokenFor());
    }

    async secret(name: string, text: string): Promise<void> {
      await writeFile(join(this.home, name), text, { mode: 0o600 });
      await chmod(join(this.home, name), 0o600);
    }

    async makeKey(line: string): Promise<void> {
      this.keyId = /^key ([0-9a-f]{64})$/m.exec(await this.does(line))?.[1] ?? '';
      expect(this.keyId).toHaveLength(64);
    }

    /** A command of the page: the URL and fingerprint are the real ones, and what it would ask at the terminal stands in files. */
    rind(line: string, more: readonly string[] = []): Promise<Finished> {
      const words = [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
      const args = words
        .slice(1)
        .map((word) => word.replace('https://packages.example.org/', server.url))
        .map((word) => (word === '0f3a…' ? server.fingerprint : word))
        .map((word) => (word === 'c5e1…,9b07…' ? `${alice.keyId},${bob.keyId}` : word));
      const [command = ''] = args;
      const secrets = command === 'trust' || command === 'pip' ? [] : ['--secret', 'file:passphrase'];
      const token =
        ['trust', 'pip'].includes(command) || args[1] === 'new' || args[1] === 'show'
          ? []
          : ['--token', 'file:token', '--yes'];
      return run(process.execPath, [rindMain, ...args, ...secrets, ...token, ...more], {
        cwd: this.home,
        env: this.environment,
      });
    }

    async does(line: string, more: readonly string[] = []): Promise<string> {
      const { code, stdout, stderr } = await this.rind(line, more);
      expect([line, code, stderr]).toEqual([line, 0, expect.any(String)]);
      return stdout + stderr;
    }
  }

  async function tokenFor(): Promise<string> {
    const { code, stdout } = await rind(['token', 'create', '--data', server.folder, '--verb', 'own', 'upload', '--project', 'demo', '--', 'laptop']); // prettier-ignore
    expect(code).toBe(0);
    return stdout.trim();
  }

  function lines(heading: string): string[] {
    const [block] = blocksUnder(page, heading);
    return block?.text.trim().split('\n') ?? [];
  }

  async function uploadToken(): Promise<string> {
    return (await readFile(join(server.folder, 'upload-token'), 'utf8')).trim();
  }

  async function twine(file: string): Promise<Finished> {
    const { twine: program } = await pythonTools();
    const args = ['upload', '--disable-progress-bar', '--non-interactive', '--repository-url', `${server.url}legacy/`, '-u', '__token__', '-p', await uploadToken(), file]; // prettier-ignore
    return run(program, args, { cwd: alice.home, env: alice.environment });
  }

  beforeAll(async () => {
    if (!available.present) return;
    await buildRind();
    scratch = await scratchFolder('claims');
    server = await RindServer.start({ folder: join(scratch.path, 'data') });
    page = await readFile(join(checkout, 'docs', 'sign-your-releases.md'), 'utf8');
    alice = new Developer('alice');
    bob = new Developer('bob');
    await mkdir(join(alice.home, 'dist'), { recursive: true });
    const { filename, bytes } = makeWheel({ name: 'demo', version: '1.0' });
    await writeFile(join(alice.home, 'dist', filename), bytes);
    expect((await twine(join('dist', filename))).code).toBe(0);
    await alice.prepare();
    await bob.prepare();
  });

  afterAll(async () => {
    await server?.stop();
    await scratch?.remove();
  });

  it('a file that is not the maintainer’s own is not signed', async () => {
    const [trust = '', key = ''] = lines('Claim a project');
    for (const person of [alice, bob]) await person.does(trust);
    await alice.makeKey(key);
    const other = makeWheel({ name: 'demo', version: '1.0', build: 'of somebody else' });
    await mkdir(join(alice.home, 'other'));
    await writeFile(join(alice.home, 'other', other.filename), other.bytes);
    const claimed = await alice.rind('rind claim demo --dist other');
    expect(claimed).toMatchObject({ code: 3 });
    expect(claimed.stderr).toContain('is not the file in other');
  });

  it('a project is claimed in three commands', async () => {
    const [, , claim = ''] = lines('Claim a project');
    const said = await alice.does(claim);
    expect(said).toContain('same as yours');
    expect(said).toContain('public and verified: demo is recently-claimed, project-demo version 1');
  });

  it('publishes and yanks, signed, and twine is told what to do instead', async () => {
    for (const line of lines('Publish')) expect(await alice.does(line)).toContain('public and verified');
    const refused = await twine('dist/demo-1.3-py3-none-any.whl');
    expect(refused.code).not.toBe(0);
    const said = refused.stdout.replace(/\s+/g, ' ');
    expect(said).toContain('Publish with rind publish and your key');
    const [staging = ''] = lines('Let CI upload, and sign yourself');
    expect(said).toContain(`(${staging})`);
    expect((await fetch(`${server.url}simple/demo/`)).status).toBe(200);
    expect(await (await fetch(`${server.url}simple/demo/`)).text()).not.toContain('demo-1.3');
  });

  it('what twine uploads waits, unseen, until an owner signs it', async () => {
    const [staging = '', , signing = ''] = lines('Let CI upload, and sign yourself');
    await alice.does(staging);
    expect((await twine('dist/demo-1.2-py3-none-any.whl')).code).toBe(0);
    const listed = async () => (await fetch(`${server.url}simple/demo/`)).text();
    expect(await listed()).not.toContain('demo-1.2');
    expect((await fetch(`${server.url}packages/demo/demo-1.2-py3-none-any.whl`)).status).toBe(404);
    expect(await alice.does(signing)).toContain('public and verified');
    expect(await listed()).toContain('demo-1.2');
  });

  it('another owner comes in with a signature of both', async () => {
    await bob.makeKey(`rind key new --public ${join(alice.home, 'bob.json')}`);
    const [add = '', sign = '', threshold = ''] = lines('Several people, several machines');
    expect(await alice.does(add)).toMatch(/the new key [0-9a-f]{64} has not signed yet\nkept as a proposal/);
    // On her first signature she is shown whose keys and files it covers, and says no.
    const asked = [['Do you know all of them', 'n\r']] as const;
    const secrets = ['--secret', 'file:passphrase', '--token', 'file:token'];
    const shown = await onTerminal(asked, ['sign', 'demo', ...secrets], { cwd: bob.home, env: bob.environment }); // prettier-ignore
    expect([shown.code, shown.output]).toEqual([1, expect.stringContaining('nothing was signed')]);
    expect(shown.output).toContain(`owner ${alice.keyId}`);
    expect(shown.output).toMatch(/file demo-1\.0-py3-none-any\.whl [0-9a-f]{64}/);
    // Nobody is there to compare keys, and nothing says which ones to expect.
    const refused = await bob.rind(sign);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining(`--expect-keys ${alice.keyId}`)]); // prettier-ignore
    expect(await bob.does(sign, ['--expect-keys', alice.keyId])).toMatch(
      /\(new\)[^]*public and verified: demo is recently-claimed/,
    );
    const both = JSON.parse((await bob.does('rind publish dist/demo-1.3-py3-none-any.whl', ['--json'])).split('\n').find((line) => line.startsWith('{')) ?? '') as { keys: string[] }; // prettier-ignore
    expect(both.keys).toHaveLength(2);
    expect(await alice.does(threshold)).toContain('public and verified');
  });

  it('a machine publishes with its own key until an owner revokes it', async () => {
    await alice.does('rind key new file2:laptop-key.json --public laptop.json');
    const added = lines('Several people, several machines')[3] ?? '';
    expect(await alice.does(added)).toContain('project-demo.release version 1');
    const yank = 'rind amend demo --yank demo-1.1-py3-none-any.whl --key file2:laptop-key.json';
    expect(await alice.does(yank)).toContain('project-demo.release version 2');
    const ci = new Developer('ci');
    await ci.prepare();
    await copyFile(join(alice.home, 'laptop-key.json'), join(ci.home, 'laptop-key.json'));
    await ci.does(lines('Claim a project')[0] ?? '');
    const [publish = ''] = lines('Let a machine sign');
    const untold = await ci.rind(publish.replace(/ --expect-keys \S+/, ''));
    expect([untold.code, untold.stderr]).toEqual([2, expect.stringContaining('Nothing was signed')]);
    expect(await ci.does(publish)).toContain('project-demo.release version 3');
    const { key } = JSON.parse(await readFile(join(alice.home, 'laptop.json'), 'utf8')) as { key: { keyval: { public: string } } }; // prettier-ignore
    expect(key.keyval.public).toMatch(/^[0-9a-f]{64}$/);
    const shown = await alice.does('rind key show file2:laptop-key.json');
    const keyId = /[0-9a-f]{64}/.exec(shown)?.[0] ?? '';
    expect(await alice.does(`rind key revoke demo ${keyId} --for release`)).toContain(
      'project-demo.release version 4',
    );
    const refused = await alice.rind(yank.replace('--yank', '--unyank'));
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('is not signed by this key');
  });

  it('a builder signs its wheels and nothing else, and an owner puts them on the page', async () => {
    await alice.does('rind key new file2:builder-key.json --public builder.json');
    expect(await alice.does(lines('Several people, several machines')[4] ?? '')).toContain(
      'project-demo.wheels version 1',
    );
    const { filename, bytes } = makeWheel({ name: 'demo', version: '2.0' });
    await writeFile(join(alice.home, 'dist', filename), bytes);
    const built = await alice.does(`rind publish dist/${filename} --key file2:builder-key.json`);
    expect(built).toMatch(/project-demo\.wheels version 2[^]*signed by the builder/);
    const listed = async () => (await fetch(`${server.url}simple/demo/`)).text();
    expect(await listed()).not.toContain(filename);
    const yank = 'rind amend demo --yank demo-1.2-py3-none-any.whl --key file2:builder-key.json';
    const refused = await alice.rind(yank);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('is not signed by this key')]);
    expect(await alice.does('rind sign demo')).toMatch(/uploaded by token:\d+[^]*public and verified/);
    expect(await listed()).toContain(filename);
  });

  it('pip gets it verified, and the report says whose word it was', async () => {
    const venv = await createVirtualEnvironment(join(scratch.path, 'venv'), { withPip: true });
    const [line = ''] = lines('What the people who install see');
    const environment = { ...bob.environment, PATH: `${venv}:${process.env['PATH'] ?? ''}` };
    const args = line.split(' ').slice(1);
    const { code, stdout, stderr } = await run(process.execPath, [rindMain, ...args, '-d', 'wheels'], { cwd: bob.home, env: environment }); // prettier-ignore
    expect([code, stdout + stderr]).toEqual([0, expect.any(String)]);
    expect(stderr).toMatch(/demo is signed by its developers \(recently claimed.*, seen here since/);
    expect(await readFile(join(bob.home, 'wheels', 'demo-1.2-py3-none-any.whl'))).toEqual(
      Buffer.from(makeWheel({ name: 'demo', version: '1.2' }).bytes),
    );
  });
});
