import { mkdir, readFile, symlink } from 'node:fs/promises';
import { basename, delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildPackages, pathWithoutNode } from '../packages/built-packages.ts';
import { corpus } from '../tools/corpus.ts';
import { cleanEnvironment, type Finished, run } from '../tools/process.ts';
import { pythonTools } from '../tools/python-tools.ts';
import { checkout, RindServer, scratchFolder } from '../tools/rind-program.ts';
import { copyFlask } from '../tools/transcript.ts';
import { whenAvailable } from '../tools/unavailable.ts';

interface Command {
  readonly line: string;
  /** What the page says about it behind `#`. */
  readonly remark: string;
  readonly isServer: boolean;
}

/** Every command of the page, in order. */
function commandsOf(page: string): Command[] {
  return [...page.matchAll(/```console( server)?\n([\s\S]*?)```/g)].flatMap(([, server, block = '']) =>
    block
      .split('\n')
      .filter((line) => line.startsWith('$ '))
      .map((line) => {
        const [, command = '', remark = ''] = /^\$ (.*?)(?:\s+# (.*))?$/.exec(line) ?? [];
        return { line: command, remark, isServer: server !== undefined };
      }),
  );
}

describe('docs/getting-started.md, followed by somebody who has pip and no Node.js', () => {
  const available = whenAvailable(async () => {
    const scratch = await scratchFolder('getting-started');
    const [wheel = ''] = await buildPackages(scratch.path, ['wheel']);
    return { scratch, wheel, tools: await pythonTools(), files: await corpus() };
  });
  let home: string;
  let environment: NodeJS.ProcessEnv;
  let server: RindServer | undefined;

  beforeAll(async () => {
    if (!available.present) return;
    home = available.value.scratch.path;
    const bin = join(home, 'bin');
    await mkdir(bin);
    // From PyPI on the page: twine and the wheels are those that all tests have.
    await symlink(available.value.tools.twine, join(bin, 'twine'));
    await copyFlask(available.value.files, join(home, 'wheels'));
    environment = cleanEnvironment({
      HOME: home,
      XDG_STATE_HOME: join(home, 'state'),
      XDG_CACHE_HOME: join(home, 'cache'),
      PATH: [bin, await pathWithoutNode(join(home, 'path'))].join(delimiter),
    });
  });

  afterAll(async () => {
    await server?.stop();
    if (available.present) await available.value.scratch.remove();
  });

  function shell(line: string): Promise<Finished> {
    const activate = line.includes('venv try') ? '' : '. try/bin/activate && ';
    const said = line
      .replace('./rind-*.whl twine', `--no-index ./${basename(available.value.wheel)}`)
      .replaceAll('http://127.0.0.1:8458/', server?.url ?? '')
      .replace('0f3a…', server?.fingerprint ?? '');
    return run('bash', ['-c', `${activate}${said}`], { cwd: home, env: environment });
  }

  async function serve(line: string): Promise<RindServer> {
    const said = line.replace('--port 8458', '--port 0');
    const folder = join(home, 'rind-data');
    const env = environment as Record<string, string>;
    return RindServer.startProgram('bash', ['-c', `. try/bin/activate && exec ${said}`], {
      folder,
      cwd: home,
      env,
    });
  }

  it('goes from nothing to a verified install, to a refused one, and on', async () => {
    const commands = commandsOf(await readFile(join(checkout, 'docs', 'getting-started.md'), 'utf8'));
    expect(commands.length).toBeGreaterThan(10);
    const codes: number[] = [];
    for (const { line, remark, isServer } of commands) {
      if (isServer) {
        server = await serve(line);
        continue;
      }
      if (line.startsWith('pip download')) continue;
      const finished = await shell(line);
      const expected = remark === 'refused' ? 3 : remark === 'not there' ? 1 : 0;
      expect([line, finished.code], finished.output).toEqual([line, expected]);
      if (remark === 'refused') {
        expect(finished.stderr).toMatch(
          /^error: packages\/flask\/flask-\S+\.whl from http\S+ did not verify \(tampered\)$/m,
        );
        expect(finished.stderr).toMatch(/what it may mean: .*\n {2}what to do: /);
      }
      codes.push(expected);
    }
    expect(codes).toEqual(expect.arrayContaining([0, 1, 3]));
  });
});
