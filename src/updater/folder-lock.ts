import { randomUUID } from 'node:crypto';
import { linkSync, readFileSync, readlinkSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
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
  const owner = JSON.stringify({ machine: MACHINE_NAME, pid: process.pid, id: randomUUID() });
  const started = performance.now();
  let seen: { readonly owner: string; readonly since: number } | undefined;
  while (!acquire(path, owner)) {
    const now = performance.now();
    if (now - started > patience.waitAtMost) {
      const reason = `other processes have held this lock for ${patience.waitAtMost / 1000} s; delete it if there are none`;
      throw new LocalFileError('LOCKED', path, reason);
    }
    const current = contentOf(path);
    if (current !== undefined && seen?.owner !== current) {
      seen = { owner: current, since: now };
    }
    if (seen !== undefined && (now - seen.since > patience.staleAfter || hasDied(seen.owner))) {
      takeAway(path, seen.owner);
    }
    await delay(2 + Math.random() * 10);
  }
  try {
    return await action();
  } finally {
    release(path, owner);
  }
}

/**
 * Creates the lock with its content in one step, so that nobody ever reads half an owner. These calls are synchronous:
 * they take microseconds, and ten times as long by way of other threads.
 */
function acquire(path: string, owner: string): boolean {
  const draft = `${path}-${randomUUID()}`;
  writeFileSync(draft, owner, { flag: 'wx', mode: 0o600 });
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') {
      return false;
    }
    throw error;
  } finally {
    unlinkSync(draft);
  }
}

function release(path: string, owner: string): void {
  if (contentOf(path) === owner) {
    unlinkSync(path);
  }
}

/**
 * Removes the lock of this owner. The rename decides which of several waiting processes does so; the lock of another,
 * taken in between, is put back.
 */
export function takeAway(path: string, owner: string): void {
  const taken = `${path}-${randomUUID()}`;
  try {
    renameSync(path, taken);
    if (contentOf(taken) !== owner) {
      linkSync(taken, path);
    }
  } catch {
    // Somebody else was faster; what they did holds.
  }
  rmSync(taken, { force: true });
}

function hasDied(owner: string): boolean {
  try {
    const { machine, pid } = JSON.parse(owner) as { readonly machine?: unknown; readonly pid?: unknown };
    return machine === MACHINE_NAME && typeof pid === 'number' && !isRunning(pid);
  } catch {
    return false;
  }
}

/** Process numbers mean something only within one host and, on Linux, one process namespace. */
const MACHINE_NAME = machineName();

function machineName(): string {
  try {
    return `${hostname()} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return `${hostname()} `;
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function contentOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
