import { chmodSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Verdict } from '../proxy/verdict.ts';
import { stateFolder } from '../proxy/trust-store.ts';

/** The verdict that was said last on this machine, and when. */
export interface LastVerdict {
  /** ISO 8601. */
  readonly at: string;
  readonly code: string;
  readonly subject: string;
  readonly index: string;
  readonly what: string;
  readonly meaning: string;
  readonly remedy: string;
}

/** Keeps a verdict for `rind why`, readable for this user alone. That it cannot be kept changes nothing. */
export function keepVerdict({ code, subject, index, what, meaning, remedy }: Verdict): void {
  const path = pathOf();
  const draft = `${path}.${process.pid}`;
  try {
    const last: LastVerdict = { at: new Date().toISOString(), code, subject, index, what, meaning, remedy };
    mkdirSync(join(path, '..'), { recursive: true, mode: 0o700 });
    rmSync(draft, { force: true });
    writeFileSync(draft, `${JSON.stringify(last, undefined, 2)}\n`, { flag: 'wx', mode: 0o600 });
    chmodSync(draft, 0o600);
    renameSync(draft, path);
  } catch {
    rmSync(draft, { force: true });
  }
}

/** Undefined when there was none yet, or what was kept cannot be read. */
export async function lastVerdict(): Promise<LastVerdict | undefined> {
  try {
    const text = await readFile(pathOf(), 'utf8');
    const { parseLastVerdict } = await import('./last-verdict-form.ts');
    return parseLastVerdict(text);
  } catch {
    return undefined;
  }
}

function pathOf(): string {
  return join(stateFolder(process.env, homedir()), 'last-verdict.json');
}
