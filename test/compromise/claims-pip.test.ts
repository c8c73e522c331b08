import { createServer, type Server } from 'node:http';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readSelfSignedRoot } from '../../src/proxy/trusted-root.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import { sha256 } from '../support/index-fixture.ts';
import { makeSdist } from '../tools/distribution.ts';
import { createVirtualEnvironment, pythonTools } from '../tools/python-tools.ts';
import { buildRind, RindClient, scratchFolder } from '../tools/rind-program.ts';
import { whenAvailable } from '../tools/unavailable.ts';
import { copyOf } from './attacker.ts';
import { ClaimsWorld } from './claims-world.ts';
import { EVIL, Thief } from './thief.ts';
import { WAYS } from './ways.ts';

const sdist = (name: string, version: string, build = '') => makeSdist({ name, version, build }).bytes;

/** PEP 480, table 1, with real pip behind `rind`: whoever holds all online keys serves what he likes. */
describe('pip behind rind, all online keys stolen', () => {
  const tools = whenAvailable(pythonTools);
  let world: ClaimsWorld;
  let scratch: Awaited<ReturnType<typeof scratchFolder>>;
  let server: Server;
  let served: ObjectStore;
  let url: string;
  let bin: string;

  beforeAll(async () => {
    if (!tools.present) return;
    await buildRind();
    scratch = await scratchFolder('stolen');
    world = await ClaimsWorld.open((project, version) => sdist(project, version), new Date());
    served = world.fixture.store;
    server = createServer((request, response) => {
      void served.read(decodeURIComponent((request.url ?? '/').slice(1))).then((bytes) => {
        response.writeHead(bytes === undefined ? 404 : 200).end(bytes);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    bin = await createVirtualEnvironment(join(scratch.path, 'venv'), { withPip: true });
  });

  afterAll(async () => {
    server?.closeAllConnections();
    server?.close();
    await world?.close();
    await scratch?.remove();
  });

  /** Somebody with nothing cached, who trusts the index by the fingerprint of its root. */
  async function newClient(name: string): Promise<RindClient> {
    const home = join(scratch.path, name);
    await mkdir(home);
    const client = new RindClient(home, bin);
    const root = (await served.read('metadata/1.root.json')) ?? new Uint8Array();
    const { fingerprint } = await readSelfSignedRoot(root);
    const trusted = await client.trust({ url, fingerprint });
    expect(trusted.code, trusted.output).toBe(0);
    return client;
  }

  /** What pip downloads of a project, or the exit code with which it does not. */
  async function download(client: RindClient, project: string): Promise<Buffer | number | null> {
    const args = ['download', '--no-deps', '--no-build-isolation', '--no-cache-dir', '-d', project, project];
    const { code, output } = await client.run(['run', '--', join(bin, 'pip'), ...args]);
    const [file] = await readdir(join(client.state, project)).catch(() => []);
    if (code !== 0) {
      expect(file).toBeUndefined();
      return code;
    }
    expect(file, output).toBeDefined();
    return readFile(join(client.state, project, file ?? ''));
  }

  it('gives the thief’s release of an unclaimed project, and none of a claimed one', async () => {
    const client = await newClient('before');
    const keys = ['timestamp', 'snapshot', 'recently-claimed', 'bin-n'] as const;
    const thief = new Thief(await copyOf(served), world.keys, keys, world.fixture.clock);
    const forged = await thief.forgeries((project, version) => sdist(project, version, EVIL));
    await WAYS['files in the bins']?.(thief, forged);
    await WAYS['projects given to another key in recently-claimed']?.(thief, forged);
    await thief.publish();
    served = thief.store;
    expect(await download(client, 'six')).toEqual(sdist('six', '1.0', EVIL));
    expect(await download(client, 'flask')).toEqual(sdist('flask', '1.0'));
    // His file under the name of the honest one.
    const name = `packages/flask/${sha256(sdist('flask', '1.0'))}.flask-1.0.tar.gz`;
    await thief.store.put(name, sdist('flask', '1.0', EVIL));
    expect(await download(await newClient('later'), 'flask')).toBe(3);
  });
});
