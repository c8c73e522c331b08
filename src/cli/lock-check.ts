import { explain } from '../proxy/explain.ts';
import { LockCheck, type CheckedFile, type LockStatus } from '../proxy/lock-check.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { openTrust, type OpenedTrust } from './open-trust.ts';
import { readLocks, type NamedLock } from './read-locks.ts';
import { RefusalError } from './refusal-error.ts';
import { resolveTrust } from './resolve-trust.ts';
import { print, say } from './terminal.ts';

export interface LockCheckOptions {
  readonly index?: string;
  readonly json?: boolean;
  readonly verbose?: boolean;
}

export interface CheckedLock {
  readonly lock: NamedLock;
  readonly files: readonly CheckedFile[];
}

/** A lock is good when everything that it lets an installer fetch is signed. */
const GOOD: ReadonlySet<LockStatus> = new Set(['verified', 'local']);
const PARALLEL = 8;

/** `rind lock check`: 0 when all is signed, 3 when something is not. */
export async function checkLocks(paths: readonly string[], options: LockCheckOptions): Promise<ExitCode> {
  const locks = await readLocks(paths);
  const trust = await resolveTrust(process.cwd(), { index: options.index });
  const opened = await openTrust(trust);
  try {
    const checked = await checkAll(locks, opened);
    if (options.json === true) print(JSON.stringify(asJson(checked), null, 2));
    else for (const each of checked) report(each, options.verbose === true);
    return checked.every(isGood) ? EXIT.ok : EXIT.verification;
  } finally {
    await opened.close();
  }
}

/** @throws RefusalError when the index itself does not verify or cannot be asked */
export async function checkAll(
  locks: readonly NamedLock[],
  { index, byUrl }: OpenedTrust,
): Promise<readonly CheckedLock[]> {
  const check = new LockCheck(index, [...byUrl.keys()]);
  const checked: CheckedLock[] = [];
  for (const lock of locks) {
    const files: CheckedFile[] = [];
    // In order, some at once.
    for (let at = 0; at < lock.files.length; at += PARALLEL) {
      const slice = lock.files.slice(at, at + PARALLEL);
      files.push(
        ...(await Promise.all(
          slice.map((file) =>
            check.check(file).catch((error: unknown) => {
              const subject = file.filename ?? file.project;
              throw new RefusalError(explain(error, { subject, index: index.url, now: new Date() }), {
                cause: error,
              });
            }),
          ),
        )),
      );
    }
    checked.push({ lock, files });
  }
  return checked;
}

export function isGood({ files }: CheckedLock): boolean {
  return files.every(({ status }) => GOOD.has(status));
}

const WORDS: Readonly<Record<LockStatus, string>> = {
  verified: 'verified',
  'missing-hash': 'missing hash',
  'not-signed': 'not signed',
  differing: 'differing',
  'other-index': 'from another index',
  refused: 'refused by a rule',
  local: 'local',
};

/** What is not good, a line for each file, and the counts. */
export function report({ lock, files }: CheckedLock, isVerbose: boolean): void {
  for (const { locked, status, reason } of files) {
    if (!isVerbose && GOOD.has(status)) continue;
    const name = locked.filename ?? [locked.project, locked.version].filter(Boolean).join(' ');
    print(`${lock.path}: ${WORDS[status]}: ${name}${reason === undefined ? '' : `: ${reason}`}`);
  }
  const counts = countsOf(files).map(([status, count]) => `${count} ${WORDS[status]}`);
  say(`${lock.path}: ${counts.length === 0 ? 'it names no files' : counts.join(', ')}`);
}

function countsOf(files: readonly CheckedFile[]): (readonly [LockStatus, number])[] {
  return (Object.keys(WORDS) as LockStatus[])
    .map((status) => [status, files.filter((file) => file.status === status).length] as const)
    .filter(([, count]) => count > 0);
}

function asJson(checked: readonly CheckedLock[]): unknown {
  return {
    verified: checked.every(isGood),
    locks: checked.map(({ lock, files }) => ({
      path: lock.path,
      format: lock.format,
      counts: Object.fromEntries(countsOf(files)),
      files: files.map(({ locked, status, reason, signed }) => ({
        project: locked.project,
        version: locked.version,
        filename: signed?.filename ?? locked.filename,
        hashes: Object.fromEntries(locked.hashes),
        status,
        reason,
        signedBy: signed?.file.signedBy,
      })),
    })),
  };
}
