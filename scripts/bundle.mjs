// Part of the build: the program (not the libraries) in few files. Reading 700 small modules took longer than anything else that `rind` does
// at its start (ADR 25). Our own modules and those dependencies that are many small ES modules go together; the others stay packages.
import { mkdirSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { build } from 'esbuild';
import { packagesOf, writeLicences } from './licences.mjs';

/** What is started: by people, and as threads. */
const ENTRIES = ['cli/main.js', 'db/sqlite-thread.js', 'worker/publisher-thread.js'];
/** Dependencies that are bundled: many small modules without files of their own. */
const BUNDLED = ['kysely', 'zod', 'jose', 'hono', 'smol-toml', 'undici', 'lru-cache', 'commander'];
/** For dependencies in CommonJS, which ask for Node.js's own modules with `require`. */
const REQUIRE = `import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);`;
const CHUNKS = 'program';

/** Replaces the entries in a compiled tree by bundled ones, and puts what they share into `program/`. */
async function bundle(tree, root) {
  const { metafile } = await build({
    absWorkingDir: tree,
    entryPoints: ENTRIES,
    outdir: tree,
    outbase: tree,
    allowOverwrite: true,
    bundle: true,
    splitting: true,
    chunkNames: `${CHUNKS}/[hash]`,
    format: 'esm',
    platform: 'node',
    banner: { js: REQUIRE },
    target: 'node20.19',
    // Class and function names stay as written: they are in stack traces.
    minify: false,
    legalComments: 'none',
    metafile: true,
    logLevel: 'error',
    plugins: [englishOnly, packagesStay, addressesStay(tree), dependenciesOf(tree, root)],
  });
  const inputs = Object.keys(metafile.inputs).map((input) => resolve(tree, input));
  const folder = join(tree, CHUNKS);
  mkdirSync(folder, { recursive: true });
  writeLicences(
    join(folder, 'LICENCES.txt'),
    root,
    packagesOf(inputs.filter((input) => !isWithin(tree, input))),
  );
}

const isWithin = (tree, path) => path.startsWith(`${tree}/`);

/** Every package but the bundled ones is found at run time, as it was installed. */
const packagesStay = {
  name: 'packages stay',
  setup(context) {
    context.onResolve({ filter: /^[^./]/ }, ({ path, kind }) => {
      if (kind === 'entry-point' || BUNDLED.some((name) => path === name || path.startsWith(`${name}/`)))
        return;
      return { path, external: true };
    });
  },
};

/** zod brings its sentences in fifty languages, which would be read at every start. */
const englishOnly = {
  name: 'English only',
  setup(context) {
    context.onLoad({ filter: /\/zod\/v4\/locales\/index\.js$/ }, () => ({
      contents: "export { default as en } from './en.js';",
      loader: 'js',
    }));
  },
};

/** The compiled tree may lie elsewhere than the checkout: bundled packages are looked for in the checkout. */
const dependenciesOf = (tree, root) => ({
  name: 'dependencies of the checkout',
  setup(context) {
    context.onResolve({ filter: /^[^./]/ }, ({ path, pluginData, kind, importer }) => {
      if (pluginData === 'asked' || kind === 'entry-point') return;
      const resolveDir = isWithin(tree, importer) ? root : dirname(importer);
      return context.resolve(path, { kind, resolveDir, pluginData: 'asked' });
    });
  },
});

/** `import.meta.url` goes on to mean the module that says so. Every output lies one folder below the tree. */
const addressesStay = (tree) => ({
  name: 'addresses stay',
  setup(context) {
    context.onLoad({ filter: /\.js$/ }, ({ path }) => {
      if (!isWithin(tree, path)) return;
      const text = readFileSync(path, 'utf8');
      if (!text.includes('import.meta.url')) return;
      const address = `new URL(${JSON.stringify(`../${relative(tree, path)}`)}, import.meta.url).href`;
      return { contents: text.replaceAll('import.meta.url', address), loader: 'js' };
    });
  },
});

const root = resolve(import.meta.dirname, '..');
// esbuild names what it reads by its real path.
await bundle(realpathSync(process.argv[2] ?? join(root, 'dist')), root);
