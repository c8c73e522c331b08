// The preloaded library: compiling it, and talking to it from a process that has it.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, mkdir, readFile, rename } from 'node:fs/promises';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** 'count' fails nothing. */
export type LayerKind = 'count' | 'kill' | 'eio' | 'enospc';

/** Compiles layer.c unless that was done before; undefined where there is no C compiler or no LD_PRELOAD. */
export async function compileLayer(source: string): Promise<string | undefined> {
  if (process.platform !== 'linux') return undefined;
  const hash = createHash('sha256')
    .update(await readFile(source))
    .digest('hex');
  const folder = join(tmpdir(), `rind-faults-${process.getuid?.() ?? 0}`);
  const library = join(folder, `${hash.slice(0, 16)}.so`);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const isThere = await access(library).then(
    () => true,
    () => false,
  );
  if (isThere) return library;
  for (const compiler of ['cc', 'gcc', 'clang']) {
    const temporary = `${library}.${process.pid}`;
    const compiled = await promisify(execFile)(compiler, [
      '-O2',
      '-shared',
      '-fPIC',
      '-o',
      temporary,
      source,
      '-ldl',
      '-lpthread',
    ]).then(
      () => true,
      () => false,
    );
    if (!compiled) continue;
    await rename(temporary, library);
    return library;
  }
  return undefined;
}

/** What a process needs to be seen whole: no io_uring, one thread for files, so that the calls come in the same order each time. */
export function layerEnvironment(library: string): NodeJS.ProcessEnv {
  return {
    ...process.env,
    LD_PRELOAD: library,
    UV_USE_IO_URING: '0',
    UV_THREADPOOL_SIZE: '1',
    NODE_NO_WARNINGS: '1',
  };
}

function command(text: string): void {
  try {
    closeSync(openSync(`/rind-faults:${text}`, 'r'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/** Watches a folder from now on. `at` counts from 1. */
export function watch(kind: LayerKind, k: number, folder: string): void {
  command(`watch:${kind === 'kill' ? 'kill' : kind}:${k}:${folder}`);
}

/** Writes every change down, in the order in which they happened. */
export function logTo(path: string): void {
  command(`log:${path}`);
}

/** A mark in that log. */
export function mark(text: string): void {
  command(`mark:${text}`);
}

export function endWatch(): void {
  command('off');
}

/** Calls so far, and how many of them were made to fail. */
export function counted(scratch: string): { readonly seen: number; readonly failed: number } {
  command(`count:${scratch}`);
  const [seen = 0, failed = 0] = readFileSync(scratch, 'utf8').split(' ').map(Number);
  return { seen, failed };
}
