import { cp, mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cleanEnvironment, type Finished, run } from '../tools/process.ts';
import { checkout, scratchFolder } from '../tools/rind-program.ts';

/** A project of one file, with the build, start and test commands of this one. */
describe('the commands of package.json', () => {
  let scratch: Awaited<ReturnType<typeof scratchFolder>>;
  let project: string;

  beforeEach(async () => {
    scratch = await scratchFolder('commands');
    project = join(scratch.path, 'project');
    await mkdir(join(project, 'src', 'cli'), { recursive: true });
    await mkdir(join(project, 'test'));
    const copied = [
      'package.json',
      'tsconfig.json',
      'tsconfig.build.json',
      'vitest.config.ts',
      'scripts',
      '.prettierrc.json',
    ];
    for (const name of copied) await cp(join(checkout, name), join(project, name), { recursive: true });
    await mkdir(join(project, 'test', 'support'));
    await writeFile(join(project, 'test', 'support', 'property-seed.ts'), 'export {};\n');
    // This project has no public API to describe.
    await writeFile(join(project, 'scripts', 'api-page.mjs'), '');
    await mkdir(join(project, 'node_modules'));
    for (const name of [
      'typescript',
      '@typescript',
      'vitest',
      'oxlint',
      'oxlint-tsgolint',
      'prettier',
      '@types',
      'vite',
      '.bin',
      'esbuild',
      '@esbuild',
    ]) {
      await symlink(join(checkout, 'node_modules', name), join(project, 'node_modules', name));
    }
    await writeFile(
      join(project, 'src', 'cli', 'main.ts'),
      "console.log(process.argv.slice(2).join(' '));\n",
    );
    // The other files that a program is started from.
    for (const thread of ['db/sqlite-thread.ts', 'worker/publisher-thread.ts']) {
      await mkdir(join(project, 'src', dirname(thread)));
      await writeFile(join(project, 'src', thread), 'export {};\n');
    }
    await writeFile(join(project, 'src', 'cli', 'page.css'), 'p {\n  color: black;\n}\n');
  });

  afterEach(async () => {
    await scratch.remove();
  });

  function node(args: readonly string[], env: Record<string, string> = {}): Promise<Finished> {
    return run(process.execPath, args, { cwd: project, env: cleanEnvironment(env) });
  }

  describe('build', () => {
    const program = (): string => join(project, 'dist', 'cli', 'main.js');

    it('makes an executable program and copies stylesheets, and does nothing when nothing changed', async () => {
      const built = await node(['scripts/build.mjs']);
      expect(built.code, built.output).toBe(0);
      const first = await stat(program());
      expect(first.mode & 0o111).toBe(0o111);
      expect(await readFile(join(project, 'dist', 'cli', 'page.css'), 'utf8')).toContain('black');
      expect(await node(['scripts/build.mjs'])).toMatchObject({ code: 0, output: '' });
      expect((await stat(program())).ino).toBe(first.ino);
      expect(await node(['scripts/build.mjs', '--force'])).toMatchObject({ code: 0 });
      expect((await stat(program())).ino).not.toBe(first.ino);
    });

    it('builds again when a source changed, and leaves the last good build when that one does not compile', async () => {
      expect(await node(['scripts/build.mjs'])).toMatchObject({ code: 0 });
      await writeFile(join(project, 'src', 'cli', 'main.ts'), "console.log('changed');\n");
      expect(await node(['scripts/build.mjs'])).toMatchObject({ code: 0 });
      expect((await node([program()])).stdout).toBe('changed\n');
      await writeFile(join(project, 'src', 'cli', 'main.ts'), 'const broken: number = "text";\n');
      const failed = await node(['scripts/build.mjs']);
      expect(failed.code).toBe(1);
      expect(failed.output).toContain('TS2322');
      expect((await node([program()])).stdout).toBe('changed\n');
    });
  });

  describe('start', () => {
    it('builds, and runs `rind serve` with the arguments it was given', async () => {
      const started = await node(['scripts/start.mjs', '--port', '0']);
      expect(started.code, started.output).toBe(0);
      expect(started.stdout).toBe('serve --port 0\n');
    });

    it('refuses a Node.js that is too old with a sentence, and warns about one past its end of life', async () => {
      const ask = (version: string): Promise<Finished> =>
        node([
          '--input-type=module',
          '--eval',
          `import { refusedNode, agedNode } from './scripts/node-version.mjs'; console.log(refusedNode('${version}'), agedNode('${version}'));`,
        ]);
      for (const version of ['18.20.8', '20.18.3', '14.0.0'])
        expect((await ask(version)).stdout).toContain(
          `Rind needs Node.js 20.19 or newer; this is ${version}.`,
        );
      expect((await ask('20.19.0')).stdout).toMatch(/^undefined Node\.js 20 gets no more security fixes/);
      for (const version of ['22.12.0', '24.0.0', '26.1.0'])
        expect((await ask(version)).stdout).toBe('undefined undefined\n');
    });
  });

  describe('test', () => {
    const passing =
      "import { expect, it } from 'vitest';\n\nit('holds', () => {\n  expect(1).toBe(1);\n});\n";
    const lonely = passing
      .replace("'holds'", "'is lonely'")
      .replace('() => {', '(context) => {')
      .replace('expect(1).toBe(1);', "context.skip('there is no moon');");

    beforeEach(async () => {
      await writeFile(join(project, 'src', 'a.test.ts'), passing);
      await writeFile(join(project, 'test', 'b.test.ts'), passing);
      await writeFile(join(project, '.gitignore'), 'node_modules\ndist\nscripts\npackage.json\n');
      await writeFile(join(project, '.oxlintrc.json'), '{ "ignorePatterns": ["node_modules", "scripts"] }\n');
    });

    it('closes with a line that sums all runs', async () => {
      const tested = await node(['scripts/test.mjs'], { RIND_TEST_NODES: '' });
      expect(tested.output).toMatch(/\n2 passed, 0 failed, 1 skipped\n$/);
      expect(tested.code).toBe(0);
    });

    it('names what could not run with its reason; RIND_NO_SKIP=1 makes that a failure', async () => {
      await writeFile(join(project, 'test', 'b.test.ts'), lonely);
      const lenient = await node(['scripts/test.mjs', '--only=build,unit,integration']);
      expect(lenient.code, lenient.output).toBe(0);
      expect(lenient.output).toContain('- integration: is lonely (test/b.test.ts): there is no moon');
      expect(lenient.output).toMatch(/\n1 passed, 0 failed, 1 skipped\n$/);
      const strict = await node(['scripts/test.mjs', '--only=build,unit,integration'], { RIND_NO_SKIP: '1' });
      expect(strict.code).toBe(1);
      expect(strict.output).toMatch(/\n1 passed, 1 failed, 0 skipped\n$/);
    });

    it.each<[string, string, string, string]>([
      ['a failing test', 'unit', 'src/a.test.ts', passing.replace('toBe(1)', 'toBe(2)')],
      [
        'a test file that cannot be loaded',
        'unit',
        'src/a.test.ts',
        `${passing}throw new Error('broken');\n`,
      ],
      [
        'an error outside of any test',
        'unit',
        'src/a.test.ts',
        `${passing}setTimeout(() => {\n  throw new Error('late');\n}, 0);\nawait new Promise((resolve) => setTimeout(resolve, 200));\n`,
      ],
      ['a type error', 'typecheck', 'src/wrong.ts', "export const wrong: number = 'text';\n"],
      ['a file that is not formatted', 'format', 'src/wrong.ts', 'export const  wrong =  1\n'],
      ['something the linter forbids', 'lint', 'src/wrong.ts', 'export const wrong = NaN === Number(1);\n'],
    ])('ends with 1 and counts a failure after %s', async (_, step, file, text) => {
      await writeFile(join(project, file), text);
      const tested = await node(['scripts/test.mjs', `--only=${step}`]);
      expect(tested.code, tested.output).toBe(1);
      expect(tested.output).toMatch(/\n\d passed, [1-9] failed, \d skipped\n$/);
    });
  });
});
