import { createHash } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SimulatedIndex } from '../support/simulated-index.ts';
import { corpus } from '../tools/corpus.ts';
import { makeWheel } from '../tools/distribution.ts';
import {
  cleanEnvironment,
  type Finished,
  killProcess,
  run,
  startProcess,
  succeed,
} from '../tools/process.ts';
import { createVirtualEnvironment, pythonTools } from '../tools/python-tools.ts';
import { buildRind, checkout, rindMain, scratchFolder } from '../tools/rind-program.ts';
import { starters } from '../tools/starters.ts';
import { whenAvailable } from '../tools/unavailable.ts';
import { fingerprintOf, served } from './clean-client.ts';
import { blocksUnder, shellLines } from './recipe-blocks.ts';

const available = whenAvailable(async () => ({
  tools: await pythonTools(),
  starters: await starters(),
  files: await corpus(),
}));
const page = await readFile(join(checkout, 'docs', 'recipes.md'), 'utf8');
let scratch: Awaited<ReturnType<typeof scratchFolder>>;
let index: SimulatedIndex;
/** Holds nothing but `rind`. */
let programs: string;
/** The Python of all machines, in which demo is not installed; making one with pip takes seconds. */
let python: string;
let demoSha256 = '';
let counter = 0;

beforeAll(async () => {
  if (!available.present) return;
  await buildRind();
  scratch = await scratchFolder('recipes');
  index = await SimulatedIndex.start();
  const demo = served(makeWheel({ name: 'demo', version: '1.0' }));
  index.addProject('demo', [demo]);
  demoSha256 = createHash('sha256').update(demo.bytes).digest('hex');
  // What pip builds pre-commit's placeholder package with.
  for (const name of ['setuptools', 'wheel', 'packaging']) {
    const file = available.value.files.find(
      ({ filename, list }) => list === 'wheels' && filename.startsWith(`${name}-`),
    );
    if (file !== undefined)
      index.addProject(name, [{ filename: file.filename, bytes: await readFile(file.path) }]);
  }
  python = await createVirtualEnvironment(join(scratch.path, 'venv'), { withPip: true });
  programs = join(scratch.path, 'programs');
  await mkdir(programs);
  await writeFile(join(programs, 'rind'), `#!/bin/sh\nexec '${process.execPath}' '${rindMain}' "$@"\n`);
  await chmod(join(programs, 'rind'), 0o755);
});

afterAll(async () => {
  await index?.close();
  await scratch?.remove();
});

/** A clean machine with a checkout of a project that commits its trust. */
class Machine {
  readonly home: string;
  readonly project: string;
  readonly environment: NodeJS.ProcessEnv;

  private constructor(home: string, bin: string) {
    this.home = home;
    this.project = join(home, 'project');
    this.environment = cleanEnvironment({
      HOME: home,
      XDG_CONFIG_HOME: join(home, 'config'),
      XDG_CACHE_HOME: join(home, 'cache'),
      XDG_STATE_HOME: join(home, 'state'),
      PIP_CONFIG_FILE: join(home, 'pip.conf'),
      PRE_COMMIT_HOME: join(home, 'pre-commit'),
      GIT_CONFIG_GLOBAL: '/dev/null',
      PATH: [bin, programs, available.value.starters, process.env['PATH'] ?? ''].join(delimiter),
    });
  }

  static async create(): Promise<Machine> {
    counter += 1;
    const home = join(scratch.path, `machine-${counter}`);
    await mkdir(home);
    const machine = new Machine(home, python);
    await succeed('python', ['-m', 'pip', '--quiet', 'uninstall', '--yes', 'demo'], {
      env: machine.environment,
    });
    await mkdir(machine.project);
    const fingerprint = await fingerprintOf(index);
    await machine.write(
      'pyproject.toml',
      `[[tool.rind.index]]\nname = "here"\nurl = "${index.url}"\nroot-sha256 = "${fingerprint}"\n`,
    );
    await machine.write('requirements.txt', `demo==1.0 --hash=sha256:${demoSha256}\n`);
    return machine;
  }

  write(name: string, text: string): Promise<void> {
    return writeFile(join(this.project, name), text);
  }

  shell(script: string): Promise<Finished> {
    return run('bash', ['-ec', script], { cwd: this.project, env: this.environment });
  }
}

/** rind is here already, and the project has no tests of its own. */
function withoutSetUp(lines: readonly string[]): string {
  return lines
    .filter((line) => !/install rind==/.test(line))
    .map((line) => line.replace('python -m pytest', 'python -c "import demo"'))
    .join('\n');
}

describe('docs/recipes.md, as written', () => {
  it.each(['GitHub Actions', 'GitLab CI'])('%s', async (heading) => {
    const [block] = blocksUnder(page, heading);
    const lines = shellLines(block ?? { language: '', text: '' });
    expect(lines.length).toBeGreaterThan(3);
    const machine = await Machine.create();
    const done = await machine.shell(withoutSetUp(lines));
    expect(done.code, done.output).toBe(0);
  });

  it('Dockerfile, its lines one after the other', async () => {
    const [block] = blocksUnder(page, 'Dockerfile');
    const lines = shellLines(block ?? { language: '', text: '' });
    expect(lines).toHaveLength(3);
    const machine = await Machine.create();
    const wheelhouse = join(machine.home, 'wheelhouse');
    const done = await machine.shell(withoutSetUp(lines).replaceAll('/wheelhouse', wheelhouse));
    expect(done.code, done.output).toBe(0);
    expect(await readdir(wheelhouse)).toEqual(['demo-1.0-py3-none-any.whl']);
    await succeed('python', ['-c', 'import demo'], { env: machine.environment });
  });

  it('tox', async () => {
    const [settings, command] = blocksUnder(page, 'tox');
    const machine = await Machine.create();
    await machine.write('tox.ini', settings?.text ?? '');
    index.tamper(/demo-1\.0-py3-none-any\.whl$/);
    const refused = await machine.shell(command?.text ?? '');
    index.behave();
    expect(refused.code, refused.output).toBe(3);
    const done = await machine.shell(command?.text ?? '');
    expect(done.code, done.output).toBe(0);
  });

  it('pre-commit', async () => {
    const [settings, command] = blocksUnder(page, 'pre-commit');
    const machine = await Machine.create();
    await machine.write('.pre-commit-config.yaml', settings?.text ?? '');
    await machine.shell('git init -q . && git add .');
    const done = await machine.shell(command?.text ?? '');
    expect(done.code, done.output).toBe(0);
    // The hooks run without rind.
    const hooked = await machine.shell('pre-commit run --all-files');
    expect(hooked.code, hooked.output).toBe(0);
  });

  it('Jupyter: the pip of a notebook through the proxy', async () => {
    const [commands, notebook] = blocksUnder(page, 'Jupyter');
    const machine = await Machine.create();
    await machine.shell(`rind trust add ${index.url} --fingerprint ${await fingerprintOf(index)}`);
    // There is no systemd here: the service is started by hand.
    const setUp = await machine.shell((commands?.text ?? '').replace('--user', '--user --no-start'));
    expect(setUp.code, setUp.output).toBe(0);
    const service = startProcess('rind', ['proxy', '--service'], {
      cwd: machine.home,
      env: machine.environment,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await new Promise((resolve) => service.stdout?.once('data', resolve));
      // A kernel with the IPython of the pinned list and the pip of its own environment.
      const [version = ''] = await readdir(join(available.value.starters, '..', 'lib'));
      machine.environment['PYTHONPATH'] = join(
        available.value.starters,
        '..',
        'lib',
        version,
        'site-packages',
      );
      const cell = (notebook?.text ?? '').trim();
      const done = await run('python', ['-m', 'IPython', '--colors=NoColor', '-c', cell], {
        cwd: machine.project,
        env: machine.environment,
      });
      expect(done.output).toContain('Successfully installed demo-1.0');
    } finally {
      killProcess(service, 'SIGTERM');
    }
  });
});
