import { appendFile, mkdir } from 'node:fs/promises';
import { homedir, userInfo } from 'node:os';
import { basename, join } from 'node:path';
import type { UnverifiedHost } from '../proxy/intercept/unverified.ts';
import { stateFolder } from '../proxy/trust-store.ts';
import { say } from './terminal.ts';

const MOST = 20;

/** Says what was not verified in a run: what was let through, and what was turned away. */
export function reportUnverified(places: readonly UnverifiedHost[]): void {
  for (const { place, passed, refused } of places.slice(0, MOST)) {
    if (passed > 0)
      say(`warning: ${times(passed)} let through to ${place}, and nothing from there was verified`);
    if (refused > 0) say(`warning: ${times(refused)} to ${place} refused: no trusted index answers there`);
  }
  if (places.length > MOST) say(`warning: and ${places.length - MOST} more hosts`);
  const refused = places.find((each) => each.refused > 0 && new URL(each.place).origin === each.place);
  if (refused !== undefined) {
    say(`hint: rind run --allow-host ${new URL(refused.place).host} lets it through unverified, for one run`);
  }
}

/**
 * Writes one line about a run without verification into `<state>/unverified.log`. Arguments are not written: they may
 * hold secrets.
 */
export async function logUnverifiedRun(command: string, indexes: readonly string[]): Promise<void> {
  const folder = stateFolder(process.env, homedir());
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const entry = {
    at: new Date().toISOString(),
    user: userInfo().username,
    folder: process.cwd(),
    command: basename(command),
    indexes,
  };
  await appendFile(join(folder, 'unverified.log'), `${JSON.stringify(entry)}\n`, { mode: 0o600 });
}

function times(count: number): string {
  return count === 1 ? '1 connection' : `${count} connections`;
}
