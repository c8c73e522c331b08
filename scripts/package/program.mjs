// The program as the wheel and the executable carry it: everything it needs but Node.js itself, in few files.
import { copyFileSync, cpSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { extname, join, relative, resolve } from 'node:path';
import { build } from 'esbuild';
import { packagesOf, writeLicences } from '../licences.mjs';

const ENTRIES = ['cli/main.js', 'db/sqlite-thread.js', 'worker/publisher-thread.js'];
/** Compiled for one machine. The first is not needed by the Node.js that goes along; without the second, keys in hardware are refused. */
const LEFT_OUT = ['@photostructure/sqlite', 'pkcs11js'];

/**
 * Writes the program into a folder: `package.json`, `packaging/`, `dist/` with all dependencies in it.
 * `npm run build` must have run.
 */
export async function writeProgram(root, folder) {
  const source = join(root, 'dist');
  const target = join(folder, 'dist');
  const { metafile } = await build({
    absWorkingDir: source,
    entryPoints: ENTRIES,
    outdir: target,
    outbase: source,
    bundle: true,
    splitting: true,
    chunkNames: 'program/[hash]',
    format: 'esm',
    platform: 'node',
    target: 'node24',
    external: LEFT_OUT,
    // Class and function names stay as written: they are in stack traces.
    minify: false,
    legalComments: 'none',
    metafile: true,
    logLevel: 'error',
    // Dependencies that are CommonJS ask for modules of Node.js.
    banner: {
      js: "import { createRequire as createRequireOf } from 'node:module';\nconst require = createRequireOf(import.meta.url);",
    },
    plugins: [addressesStay(source)],
  });
  copyAssets(source, target);
  mkdirSync(join(target, 'program'), { recursive: true });
  const inputs = Object.keys(metafile.inputs).map((input) => resolve(source, input));
  const licences = join(target, 'program', 'LICENCES.txt');
  // What was bundled by the build already does not show here.
  const earlier = readFileSync(join(source, 'program', 'LICENCES.txt'), 'utf8');
  const names = [...earlier.matchAll(/^(\S+) [0-9]\S* \(/gm)].map(([, name]) => name);
  writeLicences(licences, root, [...names, ...packagesOf(inputs)]);
  const { name, version, description, license } = readPackage(root);
  const described = { name, version, description, license, type: 'module' };
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(described, null, 2)}\n`);
  cpSync(join(root, 'packaging'), join(folder, 'packaging'), { recursive: true });
  copyFileSync(join(root, 'LICENSE'), join(folder, 'LICENSE'));
}

export function readPackage(root) {
  return JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
}

/** Every file below a folder, by its path in it, in one order on every machine. */
export function filesBelow(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}

function copyAssets(source, target) {
  for (const file of filesBelow(source)) {
    if (['.js', '.ts', '.txt'].includes(extname(file)) || file.startsWith('.')) continue;
    mkdirSync(join(target, file, '..'), { recursive: true });
    copyFileSync(join(source, file), join(target, file));
  }
}

/** As in bundle.mjs: `import.meta.url` goes on to mean the module that says so. */
const addressesStay = (source) => ({
  name: 'addresses stay',
  setup(context) {
    context.onLoad({ filter: /\.js$/ }, ({ path }) => {
      if (!path.startsWith(`${source}/`)) return;
      const text = readFileSync(path, 'utf8');
      if (!text.includes('import.meta.url')) return;
      const address = `new URL(${JSON.stringify(`../${relative(source, path)}`)}, import.meta.url).href`;
      return { contents: text.replaceAll('import.meta.url', address), loader: 'js' };
    });
  },
});
