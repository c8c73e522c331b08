// `npm run build`: TypeScript into dist/, only when something changed since the last build (or with --force).
// The new tree is made beside the old one and renamed into place, so that a failed build leaves the old one whole.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, extname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const dist = join(root, 'dist');
const stampFile = join(dist, '.build-stamp');
const programs = ['cli/main.js'];
const bundler = join(root, 'scripts', 'bundle.mjs');

/** Every file the build reads, with what tells a changed one: names too, so that a removed file counts as a change. */
function inputs() {
  const files = [
    'package.json',
    'tsconfig.json',
    'tsconfig.build.json',
    'scripts/build.mjs',
    'scripts/bundle.mjs',
    'scripts/licences.mjs',
  ];
  for (const entry of readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true })) {
    if (entry.isFile() && !/\.test\.tsx?$/.test(entry.name))
      files.push(relative(root, join(entry.parentPath, entry.name)));
  }
  return files.sort();
}

function stampOf(files) {
  const hash = createHash('sha256');
  for (const file of files) {
    const { mtimeMs, size } = statSync(join(root, file));
    hash.update(`${file}\0${size}\0${mtimeMs}\n`);
  }
  return hash.digest('hex');
}

/** Stylesheets and the like stand beside the source that serves them and are copied as they are. */
function copyAssets(files, target) {
  for (const file of files) {
    if (!file.startsWith('src/') || ['.ts', '.tsx', '.md'].includes(extname(file))) continue;
    const copy = join(target, relative('src', file));
    mkdirSync(dirname(copy), { recursive: true });
    copyFileSync(join(root, file), copy);
  }
}

/** Puts the fresh tree in the place of dist/. Another build may do the same at this moment: then the later one stays. */
function swap(fresh, old) {
  for (let attempt = 1; ; attempt += 1) {
    rmSync(old, { recursive: true, force: true });
    try {
      if (existsSync(dist)) renameSync(dist, old);
      renameSync(fresh, dist);
      return;
    } catch (error) {
      if (attempt === 5 || !['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes(error.code)) throw error;
    }
  }
}

/** Builds when needed. Returns false (having printed the compiler's words) when the source does not compile. */
export function build({ force = false, quiet = false } = {}) {
  const files = inputs();
  const stamp = stampOf(files);
  if (!force && existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return true;
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  if (!existsSync(compiler)) {
    console.error('error: the compiler is not installed\nhint: run `npm ci` first');
    return false;
  }
  if (!quiet) console.error('building dist/ ...');
  // Under node_modules: on the same file system, and seen by neither git, linter nor formatter.
  const workshop = join(root, 'node_modules', '.cache', 'rind-build');
  mkdirSync(workshop, { recursive: true });
  const fresh = join(workshop, `${process.pid}.new`);
  const old = join(workshop, `${process.pid}.old`);
  try {
    const run = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.build.json', '--outDir', fresh], {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    if (run.status !== 0) return false;
    copyAssets(files, fresh);
    const bundling = spawnSync(process.execPath, [bundler, fresh], {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    if (bundling.status !== 0) return false;
    for (const program of programs) {
      if (existsSync(join(fresh, program))) chmodSync(join(fresh, program), 0o755);
    }
    writeFileSync(join(fresh, '.build-stamp'), stamp);
    swap(fresh, old);
    return true;
  } finally {
    rmSync(fresh, { recursive: true, force: true });
    rmSync(old, { recursive: true, force: true });
  }
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  process.exitCode = build({ force: process.argv.includes('--force') }) ? 0 : 1;
}
