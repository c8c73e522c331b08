import type { FileHandle } from 'node:fs/promises';
import { Writable } from 'node:stream';
import { StorageError } from './errors.ts';
import type { CreateOutcome, RandomAccessReader, TemporaryObject } from './object-store.ts';
import { checkObjectKey } from './object-key.ts';
import { toStorageError } from './posix-error.ts';
import { unlinkQuietly, type PosixWriter, type TemporaryFile } from './posix-writer.ts';

/** Smaller ones are read whole: the way to the disk and back costs more than the bytes. Some are open at a time. */
const READ_AT_ONCE = 1024 * 1024;

/** A temporary object of a posix store: an open file in the temporary folder. */
export class PosixTemporaryObject implements TemporaryObject {
  readonly path: string;
  readonly writable: Writable;
  readonly #handle: FileHandle;
  readonly #writer: PosixWriter;
  #gone = false;

  constructor(writer: PosixWriter, { path, handle }: TemporaryFile) {
    this.path = path;
    this.#handle = handle;
    this.#writer = writer;
    this.writable = new FileWritable(handle);
  }

  async reader(): Promise<RandomAccessReader> {
    this.#requireWritten();
    const { size } = await this.#handle.stat();
    const whole = size <= READ_AT_ONCE ? await this.#read(0, size) : undefined;
    return {
      size,
      read: async (position, length) =>
        whole === undefined
          ? this.#read(position, length)
          : Buffer.from(whole.subarray(position, position + length)),
      close: async () => undefined,
    };
  }

  async #read(position: number, length: number): Promise<Uint8Array> {
    const { buffer, bytesRead } = await this.#handle.read(Buffer.allocUnsafe(length), 0, length, position);
    return buffer.subarray(0, bytesRead);
  }

  async commit(key: string): Promise<CreateOutcome> {
    checkObjectKey(key);
    this.#requireWritten();
    this.#gone = true;
    try {
      await this.#writer.syncFile(this.#handle);
      const outcome = await this.#writer.linkTemporary(this.path, key);
      await this.#writer.syncFolders([key]);
      return outcome;
    } catch (error) {
      await unlinkQuietly(this.path);
      throw toStorageError(error, `store ${key}`, key);
    } finally {
      await this.#handle.close();
    }
  }

  async discard(): Promise<void> {
    if (this.#gone) return;
    this.#gone = true;
    this.writable.destroy();
    await this.#handle.close();
    await unlinkQuietly(this.path);
  }

  #requireWritten(): void {
    if (this.#gone) throw new StorageError('INPUT_OUTPUT', 'The temporary object is committed or discarded.');
    if (!this.writable.writableFinished) {
      throw new StorageError('INPUT_OUTPUT', 'The temporary object is not written to its end yet.');
    }
  }
}

/** Appends to an open file that stays open; its errors are StorageErrors. */
class FileWritable extends Writable {
  readonly #handle: FileHandle;

  constructor(handle: FileHandle) {
    super({ highWaterMark: 256 * 1024 });
    this.#handle = handle;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.#append([chunk], callback);
  }

  override _writev(chunks: { readonly chunk: Buffer }[], callback: (error?: Error | null) => void): void {
    this.#append(
      chunks.map(({ chunk }) => chunk),
      callback,
    );
  }

  #append(chunks: Buffer[], callback: (error?: Error | null) => void): void {
    const bytes = chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
    this.#handle.writeFile(bytes).then(
      () => callback(),
      (error: unknown) => callback(toStorageError(error, 'write a temporary file')),
    );
  }
}
