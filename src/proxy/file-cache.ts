import { createHash, randomUUID } from 'node:crypto';
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  linkSync,
  mkdirSync,
  openSync,
  readFile,
  readFileSync,
  renameSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import {
  chmod,
  copyFile,
  mkdir,
  open,
  readdir,
  rename,
  stat,
  unlink,
  writeFile,
  type FileHandle,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const DEFAULT_MAX_TOTAL_LENGTH = 4 * 2 ** 30;
/** Bytes. */
const SMALL_FILE = 65_536;
/** Bytes of notes after which they begin anew. */
const MAX_NOTES_LENGTH = 4 * 2 ** 20;

/**
 * Bytes that were verified once, named by their sha256, kept from one process to the next and shared by all that run at the same time:
 * folders of mode 0700, files of 0600. Nothing in it is believed: every read is hashed again, and what does not match is removed.
 * What was used longest ago goes when it becomes too much; whoever reads it meanwhile keeps it.
 *
 * Calls that the file system answers from memory, and those for small files, are synchronous: they take microseconds, and ten times as
 * long by way of other threads.
 */
export class FileCache {
  readonly #folder: string;
  readonly #maxTotalLength: number;
  /** What is being written while nobody waits for it. */
  readonly #pending = new Set<Promise<void>>();
  /** Of what was verified, not written down yet. */
  readonly #notes: string[] = [];
  /** Folders that are there. */
  readonly #made = new Set<string>();
  /** Bytes added by this process since the last look at all of them. */
  #added = 0;

  private constructor(folder: string, maxTotalLength: number) {
    this.#folder = folder;
    this.#maxTotalLength = maxTotalLength;
  }

  /** @param folder made when it is not there */
  static async open(folder: string, maxTotalLength = DEFAULT_MAX_TOTAL_LENGTH): Promise<FileCache> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await chmod(folder, 0o700);
    return new FileCache(folder, maxTotalLength);
  }

  /** Puts the file with this hash to `path`, where nothing may be; false when the cache does not have it. */
  async take(sha256: string, length: number, path: string): Promise<boolean> {
    const kept = this.#pathOf(sha256);
    if (!existsSync(kept)) return false;
    try {
      await linkOrCopy(kept, path);
    } catch {
      return false;
    }
    touch(kept);
    if (await hasContent(path, sha256, length)) return true;
    await unlink(path).catch(() => undefined);
    await unlink(kept).catch(() => undefined);
    return false;
  }

  /** Keeps a verified file. That it cannot be kept, say on a full disk, is no matter. */
  async keep(sha256: string, path: string): Promise<void> {
    await this.#add(sha256, async (draft, kept) => {
      const { size } = statSync(path);
      try {
        linkSync(path, kept);
      } catch (error) {
        if (codeOf(error) === 'EEXIST') return 0;
        // A copy, unlike a second name, is not there at once and whole.
        await copyFile(path, draft, constants.COPYFILE_EXCL);
        await rename(draft, kept);
      }
      return size;
    });
  }

  /** The bytes with this hash, if there are at most `maxLength` of them. */
  async read(sha256: string, maxLength: number): Promise<Uint8Array | undefined> {
    const path = this.#pathOf(sha256);
    const bytes = await readRegular(path, maxLength);
    if (bytes === undefined) return undefined;
    touch(path);
    if (createHash('sha256').update(bytes).digest('hex') === sha256) return bytes;
    await unlink(path).catch(() => undefined);
    return undefined;
  }

  /** Keeps verified bytes; they are written while the caller goes on. */
  write(sha256: string, bytes: Uint8Array): void {
    const write = async (): Promise<void> => {
      await new Promise(setImmediate);
      await this.#add(sha256, async (draft, kept) => {
        const options = { flag: 'wx', mode: 0o600 };
        if (bytes.length > SMALL_FILE) await writeFile(draft, bytes, options);
        else writeFileSync(draft, bytes, options);
        renameSync(draft, kept);
        return bytes.length;
      });
    };
    this.#later(write());
  }

  /** Writes down that something was verified under this name, so that its absence can be explained later. */
  remember(name: string): void {
    this.#notes.push(digestOf(name));
    if (this.#notes.length > 1) return;
    const write = async (): Promise<void> => {
      await new Promise(setImmediate);
      const notes = this.#notes.splice(0);
      const path = this.#notesPath;
      const isFull = existsSync(path) && statSync(path).size > MAX_NOTES_LENGTH;
      writeFileSync(path, `${notes.join('\n')}\n`, { flag: isFull ? 'w' : 'a', mode: 0o600 });
    };
    this.#later(write());
  }

  /** A hint, nothing that is believed. */
  async remembers(name: string): Promise<boolean> {
    await this.settled();
    const notes = await readRegular(this.#notesPath, 2 * MAX_NOTES_LENGTH);
    return notes !== undefined && Buffer.from(notes).includes(digestOf(name));
  }

  /** Removes what was used longest ago until a tenth of the allowed length is free, if too much is there. */
  async evict(): Promise<void> {
    this.#added = 0;
    const files = await this.#all();
    let total = files.reduce((sum, { length }) => sum + length, 0);
    if (total <= this.#maxTotalLength) return;
    files.sort((a, b) => a.usedAt - b.usedAt);
    for (const { path, length } of files) {
      if (total <= this.#maxTotalLength * 0.9) return;
      await unlink(path).catch(() => undefined);
      total -= length;
    }
  }

  /** Ends when everything that was to be written is there, or could not be. */
  async settled(): Promise<void> {
    await Promise.all(this.#pending);
  }

  /** Evicts if this process added anything. */
  async close(): Promise<void> {
    await this.settled();
    if (this.#added > 0) await this.evict();
  }

  #later(work: Promise<void>): void {
    const settled = work.catch(() => undefined).finally(() => this.#pending.delete(settled));
    this.#pending.add(settled);
  }

  /** @param write gives the bytes that it added */
  async #add(sha256: string, write: (draft: string, kept: string) => Promise<number>): Promise<void> {
    const path = this.#pathOf(sha256);
    const draft = join(this.#folder, `.draft-${randomUUID()}`);
    try {
      this.#make(dirname(path));
      this.#added += await write(draft, path);
    } catch {
      // The folder may have been taken away.
      this.#made.clear();
      await unlink(draft).catch(() => undefined);
    }
    if (this.#added > this.#maxTotalLength / 10) await this.evict();
  }

  /** Drafts of processes that died are among them, as the oldest files. */
  async #all(): Promise<{ path: string; length: number; usedAt: number }[]> {
    const files: { path: string; length: number; usedAt: number }[] = [];
    const entries = await readdir(this.#folder, { recursive: true, withFileTypes: true });
    for (const entry of entries) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      const status = await stat(path).catch(() => undefined);
      if (status !== undefined) files.push({ path, length: status.size, usedAt: status.mtimeMs });
    }
    return files;
  }

  /** Once for each folder: most of what is kept is small, and each look at the disk counts. */
  #make(folder: string): void {
    if (this.#made.has(folder)) return;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#made.add(folder);
  }

  get #notesPath(): string {
    return join(this.#folder, 'seen.txt');
  }

  #pathOf(sha256: string): string {
    if (!/^[0-9a-f]{64}$/.test(sha256))
      throw new TypeError('A verified file is named by a lower-case sha256.');
    return join(this.#folder, sha256.slice(0, 1), sha256);
  }
}

/** Whether a path is a regular file (no symbolic link) of this length and hash. */
export async function hasContent(path: string, sha256: string, length: number): Promise<boolean> {
  if (length <= SMALL_FILE) {
    const bytes = await readRegular(path, length);
    return bytes?.length === length && createHash('sha256').update(bytes).digest('hex') === sha256;
  }
  const file = await openRegular(path);
  if (file === undefined) return false;
  try {
    if ((await file.stat()).size !== length) return false;
    const hash = createHash('sha256');
    for await (const chunk of file.createReadStream({ autoClose: false })) hash.update(chunk as Uint8Array);
    return hash.digest('hex') === sha256;
  } finally {
    await file.close();
  }
}

async function readRegular(path: string, maxLength: number): Promise<Uint8Array | undefined> {
  if (!existsSync(path)) return undefined;
  const file = openIfPossible(path);
  if (file === undefined) return undefined;
  try {
    const status = fstatSync(file);
    if (!status.isFile() || status.size > maxLength) return undefined;
    return status.size > SMALL_FILE ? await promisify(readFile)(file) : readFileSync(file);
  } finally {
    closeSync(file);
  }
}

/** Opening a pipe would wait for its other end. */
const READING = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

function openIfPossible(path: string): number | undefined {
  try {
    return openSync(path, READING);
  } catch {
    return undefined;
  }
}

async function openRegular(path: string): Promise<FileHandle | undefined> {
  const file = await open(path, READING).catch(() => undefined);
  if (file === undefined || (await file.stat()).isFile()) return file;
  await file.close();
  return undefined;
}

/** Notes that a file was used. */
function touch(path: string): void {
  const now = new Date();
  try {
    utimesSync(path, now, now);
  } catch {
    // Somebody removed it.
  }
}

function digestOf(name: string): string {
  return createHash('sha256').update(name).digest('hex');
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}

/** A second name for the same bytes, or where there are none a copy. */
async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    linkSync(from, to);
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT' || code === 'EEXIST') throw error;
    await copyFile(from, to, constants.COPYFILE_EXCL);
  }
}
