import { randomUUID } from 'node:crypto';
import { link, open, readFile, readlink, rename, unlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { LocalFileError } from './errors.ts';

export interface LockPatience {
  /** Milliseconds. The lock is held for a few file operations only: an owner seen for so long is gone or stopped. */
  readonly staleAfter: number;
  /** Milliseconds. */
  readonly waitAtMost: number;
}

const DEFAULT_PATIENCE: LockPatience = { staleAfter: 30_000, waitAtMost: 90_000 };

/**
 * Runs `action` while no other process (that uses this function) does so for the same folder.
 * The lock of a process that died is taken over.
 * @throws {LocalFileError} `LOCKED` when other processes do not leave it to us.
 */
export async function withFolderLock<T>(
  folder: string,
  action: () => Promise<T>,
  patience: LockPatience = DEFAULT_PATIENCE,
): Promise<T> {
  const path = join(folder, '.lock');
  const owner = JSON.stringify({ machine: await machineName(), pid: process.pid, id: randomUUID() });
  const started = performance.now();
  let seen: { readonly owner: string; readonly since: number } | undefined;
  while (!(await acquire(path, owner))) {
    const now = performance.now();
    if (now - started > patience.waitAtMost) {
      const reason = `other processes have held this lock for ${patience.waitAtMost / 1000} s; delete it if there are none`;
      throw new LocalFileError('LOCKED', path, reason);
    }
    const current = await contentOf(path);
    if (current !== undefined && seen?.owner !== current) {
      seen = { owner: current, since: now };
    }
    if (seen !== undefined && (now - seen.since > patience.staleAfter || (await hasDied(seen.owner)))) {
      await takeAway(path, seen.owner);
    }
    await delay(2 + Math.random() * 10);
  }
  try {
    return await action();
  } finally {
    await release(path, owner);
  }
}

/** Creates the lock with its content in one step, so that nobody ever reads half an owner. */
async function acquire(path: string, owner: string): Promise<boolean> {
  const draft = `${path}-${randomUUID()}`;
  const file = await open(draft, 'wx', 0o600);
  try {
    await file.writeFile(owner);
  } finally {
    await file.close();
  }
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') {
      return false;
    }
    throw error;
  } finally {
    await unlink(draft);
  }
}

async function release(path: string, owner: string): Promise<void> {
  if ((await contentOf(path)) === owner) {
    await unlink(path);
  }
}

/**
 * Removes the lock of this owner. The rename decides which of several waiting processes does so; the lock of another,
 * taken in between, is put back.
 */
export async function takeAway(path: string, owner: string): Promise<void> {
  const taken = `${path}-${randomUUID()}`;
  try {
    await rename(path, taken);
  } catch {
    return;
  }
  if ((await contentOf(taken)) !== owner) {
    await link(taken, path).catch(() => undefined);
  }
  await unlink(taken).catch(() => undefined);
}

async function hasDied(owner: string): Promise<boolean> {
  try {
    const { machine, pid } = JSON.parse(owner) as { readonly machine?: unknown; readonly pid?: unknown };
    return machine === (await machineName()) && typeof pid === 'number' && !isRunning(pid);
  } catch {
    return false;
  }
}

/** Process numbers mean something only within one host and, on Linux, one process namespace. */
async function machineName(): Promise<string> {
  const namespace = await readlink('/proc/self/ns/pid').catch(() => '');
  return `${hostname()} ${namespace}`;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function contentOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return undefined;
  }
}
