import { createHash } from 'node:crypto';
import { mkdtemp, open, rename, rm, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { sha256Hex } from '../project-targets.ts';
import {
  BACKUP_HEADER,
  copyWithTimestamps,
  filesOf,
  sealOf,
  syncFolder,
  type BackupManifest,
  type BackupOptions,
  type BackupReport,
} from './backup.ts';
import { RecoveryError } from './errors.ts';
import { TAR_END, tarHeader, tarPadding } from './tar.ts';

/**
 * The same as a folder's backup, in one tar file: whole under its name or not there, an older one stays until then. Manifest and header are
 * its last files, so that everything goes through once. Throws as `backUp`.
 */
export async function backUpToFile(options: BackupOptions): Promise<BackupReport> {
  const out = resolve(options.out);
  const work = await mkdtemp(join(dirname(out), `.${basename(out)}-`));
  const part = join(work, 'backup.tar');
  try {
    const database = `rind-${options.now.getTime()}.db`;
    const { timestamps, early } = await copyWithTimestamps(options, join(work, database));
    const file = await open(part, 'wx', 0o600);
    try {
      const tar = new TarWriter(file);
      await tar.addFile(database, join(work, database));
      const files = await filesOf(options, early);
      for (const [done, { path, from }] of files.entries()) {
        options.onProgress?.({ phase: 'backup', done, total: files.length });
        await tar.addFile(path, from);
      }
      options.onProgress?.({ phase: 'backup', done: files.length, total: files.length });
      for (const [key, bytes] of timestamps) await tar.addBytes(`tree/${key}`, bytes);
      const manifest = new Map(tar.manifest);
      const { name, text, header } = sealOf(database, manifest, options.now);
      await tar.addBytes(name, new TextEncoder().encode(text));
      await tar.addBytes(BACKUP_HEADER, new TextEncoder().encode(header));
      await tar.end();
      await rename(part, out);
      await syncFolder(dirname(out));
      const bytes = [...manifest.values()].reduce((sum, { length }) => sum + length, 0);
      return { files: manifest.size, bytes, copied: manifest.size };
    } finally {
      await file.close();
    }
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

class TarWriter {
  readonly manifest: BackupManifest = new Map();
  readonly #file: FileHandle;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  async addFile(name: string, from: string): Promise<void> {
    const source = await open(from, 'r');
    try {
      const { size } = await source.stat();
      const hash = createHash('sha256');
      await this.#write(tarHeader(name, size));
      let length = 0;
      for await (const chunk of source.createReadStream({ autoClose: false }) as AsyncIterable<Uint8Array>) {
        hash.update(chunk);
        length += chunk.length;
        if (length <= size) await this.#write(chunk);
      }
      if (length !== size)
        throw new RecoveryError('CANNOT_PROCEED', `${from} was changed while it was copied; try again.`, {
          path: from,
        });
      await this.#write(tarPadding(size));
      this.manifest.set(name, { length, sha256: hash.digest('hex') });
    } finally {
      await source.close();
    }
  }

  async addBytes(name: string, bytes: Uint8Array): Promise<void> {
    for (const part of [tarHeader(name, bytes.length), bytes, tarPadding(bytes.length)])
      await this.#write(part);
    this.manifest.set(name, { length: bytes.length, sha256: sha256Hex(bytes) });
  }

  async end(): Promise<void> {
    await this.#write(TAR_END);
    await this.#file.sync();
  }

  async #write(bytes: Uint8Array): Promise<void> {
    await this.#file.appendFile(bytes);
  }
}
