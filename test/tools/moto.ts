import { createServer } from 'node:net';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ChildProcess } from 'node:child_process';
import { cachedFolder } from './cache-folder.ts';
import { cleanEnvironment, killProcess, run, startProcess, succeed } from './process.ts';
import { findPython, registryEnvironment } from './python-tools.ts';
import { UnavailableError } from './unavailable-error.ts';

const REQUIREMENT = 'moto[server]==5.2.1';

/** moto, which answers as AWS does, in a process of its own. */
export class Moto {
  readonly url: string;
  readonly #child: ChildProcess;

  private constructor(url: string, child: ChildProcess) {
    this.url = url;
    this.#child = child;
  }

  static async start(): Promise<Moto> {
    const { executable, version } = await findPython();
    const folder = await cachedFolder('moto', [REQUIREMENT, executable, version], async (fresh) => {
      await succeed(executable, ['-m', 'venv', fresh], { env: cleanEnvironment() });
      const install = ['-m', 'pip', '--quiet', 'install', '--no-input', REQUIREMENT];
      const installed = await run(join(fresh, 'bin', 'python'), install, {
        env: registryEnvironment(),
        timeout: 600_000,
      });
      if (installed.code !== 0) {
        const reason = installed.stderr.trim().split('\n').at(-1) ?? '';
        throw new UnavailableError(`moto could not be installed from PyPI: ${reason}`);
      }
    });
    const port = await freePort();
    const program = join(import.meta.dirname, '..', 'signers', 'moto_with_digests.py');
    const args = [program, '-H', '127.0.0.1', '-p', String(port)];
    const child = startProcess(join(folder, 'bin', 'python'), args, {
      stdio: 'ignore',
      env: cleanEnvironment(),
    });
    const url = `http://127.0.0.1:${port}/`;
    for (let tries = 0; tries < 600; tries += 1) {
      if (await fetch(url).catch(() => undefined)) return new Moto(url, child);
      if (child.exitCode !== null) break;
      await sleep(100);
    }
    killProcess(child);
    throw new Error('moto did not start');
  }

  stop(): void {
    killProcess(this.#child);
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
