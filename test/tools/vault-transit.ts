import type { ChildProcess } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cachedFolder } from './cache-folder.ts';
import { killProcess, run, startProcess } from './process.ts';
import { UnavailableError } from './unavailable-error.ts';

const source = join(import.meta.dirname, 'vault-transit');

/** The transit engine of HashiCorp Vault, built from its Go module, behind Vault's HTTP API. */
export class VaultTransit {
  readonly url: string;
  readonly token = 'hvs.test-token';
  #child: ChildProcess | undefined;

  private constructor(url: string, child: ChildProcess) {
    this.url = url;
    this.#child = child;
  }

  static async start(): Promise<VaultTransit> {
    const folder = await buildEngine();
    const child = startProcess(join(folder, 'vault-transit'), ['hvs.test-token'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (output += text));
    for (let tries = 0; tries < 600; tries += 1) {
      const url = /^(http:\S+)\n/.exec(output)?.[1];
      if (url !== undefined) return new VaultTransit(url, child);
      if (child.exitCode !== null) break;
      await sleep(50);
    }
    killProcess(child);
    throw new Error('the transit engine of Vault did not start');
  }

  /** One call of Vault's API. */
  async write(path: string, body: object): Promise<void> {
    const response = await fetch(`${this.url}/v1/transit/${path}`, {
      method: 'POST',
      headers: { 'x-vault-token': this.token },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  }

  stop(): void {
    if (this.#child !== undefined) killProcess(this.#child);
    this.#child = undefined;
  }
}

/** Two minutes and 800 MB of modules the first time, of which only the program is kept. */
async function buildEngine(): Promise<string> {
  const go = await run('go', ['version'], { env: { ...process.env } }).catch(() => undefined);
  if (go?.code !== 0) throw new UnavailableError('there is no Go to build the transit engine of Vault with');
  const pins = await Promise.all(
    ['go.mod', 'go.sum', 'main.go'].map((name) => readFile(join(source, name), 'utf8')),
  );
  return cachedFolder('vault-transit', pins, async (fresh) => {
    const modules = join(fresh, 'go');
    const built = await run('go', ['build', '-trimpath', '-o', join(fresh, 'vault-transit'), '.'], {
      cwd: source,
      env: {
        ...process.env,
        GOPATH: modules,
        GOCACHE: join(modules, 'cache'),
        GOFLAGS: '-modcacherw -mod=readonly',
      },
      timeout: 900_000,
    });
    await rm(modules, { recursive: true, force: true });
    if (built.code !== 0) {
      const reason = built.stderr.trim().split('\n').at(-1) ?? '';
      throw new UnavailableError(`the transit engine of Vault could not be built: ${reason}`);
    }
  });
}
