import { createHash, randomUUID } from 'node:crypto';
import { constants, existsSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { open, rename, unlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isDigestAlgorithm } from '../tuf/crypto.ts';
import { LengthOrHashMismatchError } from '../tuf/errors.ts';
import type { TargetFile } from '../tuf/file.ts';
import { withLocalFile } from './errors.ts';

/**
 * Passes `source` on while checking it against the target. At least one byte is held back until everything has been
 * verified, so that whoever knows the length never has a whole file that is wrong; the rest goes out unverified.
 * @throws {LengthOrHashMismatchError}
 */
export async function* verifiedStream(
  target: TargetFile,
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const check = new TargetCheck(target);
  let held: Uint8Array | undefined;
  for await (const chunk of source) {
    if (chunk.length === 0) {
      continue;
    }
    check.update(chunk);
    if (held !== undefined) {
      yield held;
    }
    held = chunk;
  }
  check.finish();
  if (held !== undefined) {
    yield held;
  }
}

/** Bytes. */
const SMALL_FILE = 65_536;

/**
 * Writes `source` to `path`: whole and verified, or not at all. Mode 0600.
 * @param isDurable whether that holds after a power cut too
 */
export async function saveVerified(
  target: TargetFile,
  source: AsyncIterable<Uint8Array>,
  path: string,
  isDurable: boolean,
): Promise<void> {
  const temporary = join(dirname(path), `.${randomUUID()}.part`);
  if (!isDurable && target.length <= SMALL_FILE) {
    const chunks: Uint8Array[] = [];
    for await (const chunk of verifiedStream(target, source)) chunks.push(chunk);
    return saveSmall(Buffer.concat(chunks), temporary, path);
  }
  await withLocalFile(path, async () => {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await writeAll(file, verifiedStream(target, source), isDurable);
      await rename(temporary, path);
    } catch (error) {
      await unlink(temporary).catch(() => undefined);
      throw error;
    }
  });
}

/** Synchronous: it takes microseconds, and ten times as long by way of other threads. */
async function saveSmall(bytes: Uint8Array, temporary: string, path: string): Promise<void> {
  await withLocalFile(path, () => {
    try {
      writeFileSync(temporary, bytes, { flag: 'wx', mode: 0o600 });
      renameSync(temporary, path);
    } catch (error) {
      if (existsSync(temporary)) unlinkSync(temporary);
      throw error;
    }
  });
}

async function writeAll(
  file: FileHandle,
  chunks: AsyncIterable<Uint8Array>,
  isDurable: boolean,
): Promise<void> {
  try {
    for await (const chunk of chunks) {
      await file.writeFile(chunk);
    }
    if (isDurable) await file.sync();
  } finally {
    await file.close();
  }
}

/** Whether `path` is a regular file (no symbolic link) with exactly the target's content. */
export async function isCopyOf(target: TargetFile, path: string): Promise<boolean> {
  if (!existsSync(path)) return false;
  let file: FileHandle;
  try {
    // Opening a pipe would wait for its other end.
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return false;
  }
  try {
    const status = await file.stat();
    if (!status.isFile() || status.size !== target.length) {
      return false;
    }
    const check = new TargetCheck(target);
    for await (const chunk of file.createReadStream({ autoClose: false })) {
      check.update(chunk as Uint8Array);
    }
    check.finish();
    return true;
  } catch (error) {
    if (error instanceof LengthOrHashMismatchError) {
      return false;
    }
    throw error;
  } finally {
    await file.close();
  }
}

/** Length and every listed hash, piece by piece. */
class TargetCheck {
  readonly #target: TargetFile;
  readonly #hashes: readonly {
    readonly algorithm: string;
    readonly expected: string;
    readonly hash: ReturnType<typeof createHash>;
  }[];
  #length = 0;

  constructor(target: TargetFile) {
    this.#target = target;
    this.#hashes = Array.from(target.hashes, ([algorithm, expected]) => {
      if (!isDigestAlgorithm(algorithm)) {
        throw this.#mismatch(`the listed hash ${JSON.stringify(algorithm)} is not supported`);
      }
      return { algorithm, expected, hash: createHash(algorithm) };
    });
  }

  update(bytes: Uint8Array): void {
    this.#length += bytes.length;
    if (this.#length > this.#target.length) {
      throw this.#mismatch(`has more than the ${this.#target.length} bytes that are listed`);
    }
    for (const { hash } of this.#hashes) {
      hash.update(bytes);
    }
  }

  finish(): void {
    if (this.#length !== this.#target.length) {
      throw this.#mismatch(`has ${this.#length} bytes, ${this.#target.length} are listed`);
    }
    for (const { algorithm, expected, hash } of this.#hashes) {
      const found = hash.digest('hex');
      if (found !== expected) {
        throw this.#mismatch(`has the ${algorithm} ${found}, ${expected} is listed`);
      }
    }
  }

  #mismatch(reason: string): LengthOrHashMismatchError {
    return new LengthOrHashMismatchError(reason, { path: this.#target.path });
  }
}
