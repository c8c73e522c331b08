import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileLayer } from '../faults/layer.ts';
import { makeSdist } from '../tools/distribution.ts';
import { sha256 } from '../support/index-fixture.ts';
import { buildRind, rind, RindServer, scratchFolder } from '../tools/rind-program.ts';
import { UnavailableError } from '../tools/unavailable-error.ts';
import { whenAvailable } from '../tools/unavailable.ts';
import { Uploader } from '../tools/upload.ts';

const faults = join(import.meta.dirname, '..', 'faults');

describe('troubles of a publisher', () => {
  const layer = whenAvailable(async () => {
    const library = await compileLayer(join(faults, 'layer.c'));
    if (library === undefined) throw new UnavailableError('no C compiler, or no Linux');
    return library;
  });
  let scratch: Awaited<ReturnType<typeof scratchFolder>>;
  let folder: string;

  beforeAll(async () => {
    await buildRind();
    scratch = await scratchFolder('troubles');
    folder = join(scratch.path, 'data');
  });
  afterAll(() => scratch.remove());

  async function upload(server: RindServer, name: string, version: string): Promise<number | undefined> {
    const uploader = new Uploader(server.uploadUrl, server.token);
    try {
      return (await uploader.upload(makeSdist({ name, version })).catch(() => undefined))?.status;
    } finally {
      uploader.close();
    }
  }

  it('an I/O error of SQLite ends the process with a sentence, so that it is started again, and nothing is lost', async () => {
    const server = await RindServer.start({
      folder,
      env: {
        LD_PRELOAD: layer.value,
        NODE_OPTIONS: `--import=${pathToFileURL(join(faults, 'fail-on-signal.mjs')).href}`,
        RIND_TEST_FAILS: join(folder, 'rind.db-wal'),
      },
    });
    expect(await upload(server, 'before', '1.0')).toBe(200);
    process.kill(server.pid, 'SIGUSR2');
    for (let version = 1; server.isRunning; version++) await upload(server, 'during', `1.${version}`);
    // Not 0, and by itself: what `Restart=on-failure` of the unit waits for.
    expect(await server.ended()).toEqual({ code: 1, signal: null });
    expect(server.output).toMatch(
      /^error: The database .* could not be written, .* mend the disk and start again/m,
    );
    const again = await RindServer.start({ folder });
    expect(await upload(again, 'after', '1.0')).toBe(200);
    expect((await fetch(`${again.url}simple/before/`)).status).toBe(200);
    await again.stop();
    const checked = await rind(['fsck', '--data', folder]);
    expect(checked.code, checked.output).toBe(0);
  });

  it('a change of a project that cannot be published, made without a server, ends with a sentence', async () => {
    const server = await RindServer.start({ folder });
    expect(await upload(server, 'whole', '1.0')).toBe(200);
    expect(await upload(server, 'torn', '1.0')).toBe(200);
    const sdist = makeSdist({ name: 'torn', version: '1.0' });
    await server.stop();
    const quarantined = await rind(['project', 'quarantine', 'torn', '--data', folder]);
    expect(quarantined.code, quarantined.output).toBe(0);
    const hashed = join(folder, 'tree', 'packages', 'torn', `${sha256(sdist.bytes)}.${sdist.filename}`);
    await rm(hashed);
    const released = await rind(['project', 'activate', 'torn', '--data', folder]);
    expect(released.code).toBe(1);
    expect(released.output).toMatch(/stored, but not signed: torn cannot be published\..* is absent/);
    const other = await rind(['project', 'archive', 'whole', '--data', folder]);
    expect(other.code, other.output).toBe(0);
  });
});
