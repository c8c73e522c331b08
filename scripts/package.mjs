// `npm run package`: rind as a wheel, as one executable, and as an npm tarball, in dist-packages/ (or --output FOLDER).
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { writeExecutable } from './package/executable.mjs';
import { readPackage, writeProgram } from './package/program.mjs';
import { readRuntime } from './package/runtime.mjs';
import { writeWheel } from './package/wheel.mjs';

const { values: options } = parseArgs({
  options: {
    output: { type: 'string', default: 'dist-packages' },
    /** Of wheel, executable, npm; all without it. */
    only: { type: 'string', multiple: true, default: ['wheel', 'executable', 'npm'] },
    /** The unpacked npm package of Node.js, if it is here already. */
    runtime: { type: 'string' },
  },
});
const root = resolve(import.meta.dirname, '..');
const output = resolve(options.output);

const makers = {
  wheel: writeWheel,
  executable: ({ workshop, output: folder, ...parts }) => {
    const target = join(folder, `rind-${readPackage(root).version}-linux-x86_64`);
    writeExecutable({ ...parts, workshop, target });
    return target;
  },
  npm: ({ output: folder }) => {
    const { status, stdout, stderr } = spawnSync(
      'npm',
      ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder],
      { cwd: root, encoding: 'utf8' },
    );
    if (status !== 0) throw new Error(`npm pack failed: ${stderr}`);
    return join(folder, stdout.trim().split('\n').at(-1));
  },
};

if (!build({ quiet: true })) process.exit(1);
const unknown = options.only.find((name) => !Object.hasOwn(makers, name));
if (unknown !== undefined) throw new Error(`--only ${unknown}: there are ${Object.keys(makers).join(', ')}`);
mkdirSync(output, { recursive: true });
const scratch = mkdtempSync(join(tmpdir(), 'rind-package-'));
try {
  const program = join(scratch, 'program');
  const workshop = join(scratch, 'workshop');
  mkdirSync(program);
  mkdirSync(workshop);
  const withNode = options.only.some((name) => name !== 'npm');
  if (withNode) await writeProgram(root, program);
  const { program: node, licence: nodeLicence } = withNode ? readRuntime(options.runtime) : {};
  for (const name of options.only) {
    const path = await makers[name]({ root, program, node, nodeLicence, workshop, output });
    console.log(`${path} ${(statSync(path).size / 1e6).toFixed(1)} MB`);
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
