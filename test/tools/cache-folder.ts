import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** What tests fetch from package registries is kept here from run to run: $RIND_TEST_CACHE, or under the user's cache folder. */
export const cacheRoot =
  process.env['RIND_TEST_CACHE'] ??
  join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'rind-test');

async function isOwnerAlive(lock: string): Promise<boolean> {
  const pid = Number(await readFile(join(lock, 'pid'), 'utf8').catch(() => '0'));
  if (pid === 0) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/**
 * A folder that `fill` makes once for the given pins. Whatever changes the pins gets a new folder; one that was left
 * half made is made again; a second process waits for the first.
 */
export async function cachedFolder(
  name: string,
  pins: readonly string[],
  fill: (folder: string) => Promise<void>,
): Promise<string> {
  const key = createHash('sha256').update(pins.join('\0')).digest('hex').slice(0, 16);
  const folder = join(cacheRoot, `${name}-${key}`);
  const complete = join(folder, '.complete');
  const lock = `${folder}.lock`;
  await mkdir(cacheRoot, { recursive: true });
  while (!existsSync(complete)) {
    try {
      await mkdir(lock);
    } catch {
      if (!(await isOwnerAlive(lock))) await rm(lock, { recursive: true, force: true });
      await sleep(250);
      continue;
    }
    try {
      await writeFile(join(lock, 'pid'), String(process.pid));
      if (existsSync(complete)) break;
      await rm(folder, { recursive: true, force: true });
      await mkdir(folder, { recursive: true });
      await fill(folder);
      await writeFile(complete, '');
    } finally {
      await rm(lock, { recursive: true, force: true });
    }
  }
  return folder;
}
