import { createHash, randomUUID } from 'node:crypto';
import { chmod, mkdir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { CliError } from './cli-error.ts';

const CHANGES = z.strictObject({
  format: z.literal(1),
  files: z.array(
    z.strictObject({
      path: z.string(),
      /** The bytes before in base64; null when there was no file. */
      before: z.string().nullable(),
      mode: z.number().int(),
      afterSha256: z.string(),
    }),
  ),
});

type FileChange = z.infer<typeof CHANGES>['files'][number];

/** How undoing the change of one file ended. */
export interface Undone {
  readonly path: string;
  readonly outcome: 'restored' | 'removed' | 'unchanged' | 'changed-since';
}

/**
 * Files of other programs that rind changed, with what stood in them before: in one file of mode 0600, since settings can hold
 * passwords. What was before is written down durably before anything is changed.
 */
export class FileChanges {
  readonly #path: string;

  /** @param folder made with mode 0700 when it is not there */
  constructor(folder: string) {
    this.#path = join(folder, 'changes.json');
  }

  /** Replaces the content of a file, which may not be there yet. */
  async replace(path: string, content: string): Promise<void> {
    const target = await realpath(path).catch(() => path);
    const known = await this.#read();
    const before = await readFile(target).catch(absent);
    const earlier = known.find((change) => change.path === target);
    if (earlier !== undefined && before !== undefined && sha256(before) !== earlier.afterSha256) {
      throw new CliError('failure', `${target} was changed since rind set it up.`, [
        'rind client setup --undo',
      ]);
    }
    const mode = earlier?.mode ?? (await stat(target).catch(() => undefined))?.mode ?? 0o600;
    const change: FileChange = {
      path: target,
      before: earlier === undefined ? (before?.toString('base64') ?? null) : earlier.before,
      mode: mode & 0o777,
      afterSha256: sha256(Buffer.from(content, 'utf8')),
    };
    await this.#write([...known.filter((each) => each.path !== target), change]);
    await mkdir(dirname(target), { recursive: true });
    // The path in the address of the proxy is a secret of this user.
    await writeWhole(target, Buffer.from(content, 'utf8'), change.mode & 0o700);
  }

  /** What stood in a file before the first change, if there was one. */
  async before(path: string): Promise<string | undefined> {
    const target = await realpath(path).catch(() => path);
    const change = (await this.#read()).find((each) => each.path === target);
    const text = await readFile(target).catch(absent);
    if (change === undefined || text === undefined || sha256(text) !== change.afterSha256) return undefined;
    return change.before === null ? '' : Buffer.from(change.before, 'base64').toString('utf8');
  }

  /** Puts back, byte for byte, whatever is still as rind left it. */
  async undo(): Promise<readonly Undone[]> {
    const undone: Undone[] = [];
    const remaining: FileChange[] = [];
    for (const change of await this.#read()) {
      const outcome = await putBack(change);
      undone.push({ path: change.path, outcome });
      if (outcome === 'changed-since') remaining.push(change);
    }
    if (remaining.length > 0) await this.#write(remaining);
    else await rm(this.#path, { force: true });
    return undone;
  }

  async #read(): Promise<readonly FileChange[]> {
    const text = await readFile(this.#path, 'utf8').catch(absent);
    if (text === undefined) return [];
    try {
      return CHANGES.parse(JSON.parse(text)).files;
    } catch (error) {
      const message = `${this.#path} is damaged, so what was changed is not known.`;
      throw new CliError('failure', message, [], { cause: error });
    }
  }

  async #write(files: readonly FileChange[]): Promise<void> {
    await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
    await chmod(dirname(this.#path), 0o700);
    const text = `${JSON.stringify({ format: 1, files }, undefined, 2)}\n`;
    await writeWhole(this.#path, Buffer.from(text, 'utf8'), 0o600);
  }
}

async function putBack({ path, before, mode, afterSha256 }: FileChange): Promise<Undone['outcome']> {
  const now = await readFile(path).catch(absent);
  const old = before === null ? undefined : Buffer.from(before, 'base64');
  if (now === undefined ? old === undefined : old !== undefined && now.equals(old)) return 'unchanged';
  if (now === undefined || sha256(now) !== afterSha256) return 'changed-since';
  if (old === undefined) {
    await rm(path);
    return 'removed';
  }
  await writeWhole(path, old, mode);
  return 'restored';
}

/** Puts a file in place of another one, whole. */
export async function writeWhole(path: string, bytes: Uint8Array, mode: number): Promise<void> {
  const draft = join(dirname(path), `.rind-${randomUUID()}`);
  try {
    await writeFile(draft, bytes, { flag: 'wx', mode, flush: true });
    await chmod(draft, mode);
    await rename(draft, path);
  } finally {
    await rm(draft, { force: true });
  }
}

function absent(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
