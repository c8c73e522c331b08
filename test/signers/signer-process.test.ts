import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFile, chmod, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { generatePrivateKey, KeySigner } from '../../src/keys/key-signer.ts';
import { openSigner } from '../../src/keys/key-uri.ts';
import type { SecretSource } from '../../src/keys/opened-signer.ts';
import { generateTokenKey } from '../../src/keys/pkcs11-keys.ts';
import { writePrivateKeyFile } from '../../src/keys/private-key-file.ts';
import { verifySignatureLog } from '../../src/keys/signature-log.ts';
import { fsck } from '../../src/repository/fsck.ts';
import { PublisherClient, type PublisherClientOptions } from '../../src/worker/publisher-client.ts';
import { IndexFixture } from '../support/index-fixture.ts';
import { cleanEnvironment, killProcess, startProcess } from '../tools/process.ts';
import { buildRind, rind, rindMain, scratchFolder } from '../tools/rind-program.ts';
import { SoftHsm } from '../tools/soft-hsm.ts';
import { whenAvailable } from '../tools/unavailable.ts';

const PIN = '1357924680';
const secret: SecretSource = () => Promise.reject(new Error('a socket asks for nothing'));
let scratch: Awaited<ReturnType<typeof scratchFolder>>;
let pinFile: string;
let keyUri: string;
let online: KeySigner;
let signer: SignerProcess | undefined;
let fixture: IndexFixture | undefined;
let publisher: PublisherClient | undefined;

/** `rind signer`, the built program in a process of its own. */
class SignerProcess {
  readonly socket = join(scratch.path, 'run', 'signer.sock');
  readonly state = join(scratch.path, 'state');
  readonly #child: ChildProcess;
  output = '';

  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const all = ['signer', '--socket', this.socket, '--state', this.state, ...args];
    this.#child = startProcess(process.execPath, [rindMain, ...all], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: cleanEnvironment(env),
    });
    this.#child.stdout?.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
    this.#child.stderr?.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
  }

  async ready(): Promise<this> {
    while (!/^ready$/m.test(this.output)) {
      if (this.#child.exitCode !== null) throw new Error(this.output);
      await sleep(20);
    }
    return this;
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const ended = new Promise((resolve) => this.#child.once('exit', resolve));
      if (signal === 'SIGKILL') killProcess(this.#child);
      else process.kill(this.#child.pid!, signal);
      await ended;
    }
    return this.#child.exitCode;
  }
}

beforeAll(async () => {
  await buildRind();
  scratch = await scratchFolder('signer-process');
  pinFile = join(scratch.path, 'pin');
  await writeFile(pinFile, `${PIN}\n`, { mode: 0o600 });
  const privateKey = await generatePrivateKey('ed25519');
  online = KeySigner.fromPrivateKey(privateKey);
  await writePrivateKeyFile(join(scratch.path, 'online.json'), privateKey, PIN);
  keyUri = `file2:${join(scratch.path, 'online.json')}`;
});
afterEach(async () => {
  await publisher?.close();
  await fixture?.close();
  await signer?.stop();
  publisher = fixture = signer = undefined;
});
afterAll(() => scratch.remove());

/** An index on disk that this key signs, and its publisher in a thread, which gets the key by its URI. */
async function startIndex(
  uri: string,
  key: { uri: string; secret?: string },
  askPin = secret,
): Promise<number[]> {
  const opened = await openSigner(uri, { secret: askPin });
  fixture = await IndexFixture.open({ onDisk: true, online: opened });
  fixture.now = new Date();
  await fixture.createRepository();
  await opened.close();
  const serials = [await fixture.upload('demo', '1.0'), await fixture.upload('other', '2.0')];
  const lines: string[] = [];
  const log = (fields: object, message: string) => void lines.push(`${message} ${JSON.stringify(fields)}`);
  const options: PublisherClientOptions = {
    databasePath: join(fixture.folder, 'rind.db'),
    storeRoot: join(fixture.folder, 'tree'),
    temporaryFolder: join(fixture.folder, 'temporary'),
    lockFolder: fixture.folder,
    indexes: [{ indexId: fixture.index.id, keys: [key] }],
    log: { info: log, warn: log, error: log },
  };
  publisher = await PublisherClient.start(options);
  publisher.wake(fixture.index.id);
  for (const serial of serials)
    expect(await publisher.published(serial, 30_000), lines.join('\n')).toBe(true);
  return serials;
}

async function findings(): Promise<readonly unknown[]> {
  const { db, store, index } = fixture!;
  return (await fsck({ db, store, index, clock: () => new Date() })).findings;
}

describe('rind signer', () => {
  it('holds the online key of a publisher, whose repository fsck finds whole, with every signature in the log', async () => {
    signer = await new SignerProcess([
      '--key',
      keyUri,
      '--secret',
      `file:${pinFile}`,
      '--bins',
      '256',
    ]).ready();
    expect(signer.output).toContain(online.key.keyId);
    expect((await stat(signer.socket)).mode & 0o777).toBe(0o600);
    const uri = `signer:${signer.socket}#${online.key.keyId}`;
    await startIndex(uri, { uri });
    expect(await findings()).toEqual([]);
    await publisher!.close();
    publisher = undefined;
    const log = await readFile(join(signer.state, 'uses-000000000001.jsonl'), 'utf8');
    const roles = log.trim().split('\n').map((line) => JSON.parse(line) as { outcome: string; role?: string; version?: number; sha256?: string }); // prettier-ignore
    for (const name of ['timestamp.json', '2.snapshot.json', '2.recently-claimed.json']) {
      const bytes = await fixture!.store.read(`metadata/${name}`);
      if (bytes === undefined) continue;
      const [, signed] = /^\{"signatures":\[.*?\],"signed":(.*)\}$/s.exec(Buffer.from(bytes).toString())!;
      const sha256 = createHash('sha256').update(signed!).digest('hex');
      expect(roles.some((entry) => entry.outcome === 'signing' && entry.sha256 === sha256)).toBe(true);
    }
    expect(roles.filter(({ role }) => role?.startsWith('bin-')).length).toBeGreaterThanOrEqual(257);
    expect(roles.filter(({ outcome }) => outcome === 'refused')).toEqual([]);
    expect(await signer.stop()).toBe(0);
    const checked = await rind(['signer', 'log', signer.state]);
    expect(checked).toMatchObject({ code: 0 });
    expect(checked.stdout).toContain((await verifySignatureLog(signer.state)).hash);
    const whole = await readFile(join(signer.state, 'uses-000000000001.jsonl'));
    await appendFile(join(signer.state, 'uses-000000000001.jsonl'), '{"number":9}\n');
    expect(await rind(['signer', 'log', signer.state])).toMatchObject({ code: 3 });
    await writeFile(join(signer.state, 'uses-000000000001.jsonl'), whole);
  });

  it('killed and started again goes on, and the publisher with it', async () => {
    const args = ['--key', keyUri, '--secret', `file:${pinFile}`, '--role', 'timestamp=7', '--role', 'snapshot=7', '--role', 'recently-claimed=7', '--role', 'bin-*=7']; // prettier-ignore
    signer = await new SignerProcess(args).ready();
    const uri = `signer:${signer.socket}`;
    await startIndex(uri, { uri });
    await signer.stop('SIGKILL');
    const serial = await fixture!.upload('demo', '3.0');
    publisher!.wake(fixture!.index.id);
    expect(await publisher!.published(serial, 3000)).toBe(false);
    signer = await new SignerProcess(args).ready();
    publisher!.wake(fixture!.index.id);
    expect(await publisher!.published(serial, 60_000)).toBe(true);
    expect(await findings()).toEqual([]);
  });

  it('says what it lacks', async () => {
    expect(await rind(['signer', '--socket', 'x'])).toMatchObject({ code: 2, stderr: expect.stringContaining('--state') as string }); // prettier-ignore
    const wrong = join(scratch.path, 'wrong');
    await writeFile(wrong, 'wrong', { mode: 0o600 });
    const args = ['signer', '--socket', join(scratch.path, 's'), '--state', join(scratch.path, 'st'), '--key', keyUri]; // prettier-ignore
    expect(await rind([...args, '--secret', `file:${wrong}`])).toMatchObject({ code: 1, stderr: expect.stringContaining('does not open') as string }); // prettier-ignore
    await chmod(wrong, 0o644);
    expect(await rind([...args, '--secret', `file:${wrong}`])).toMatchObject({ code: 1, stderr: expect.stringContaining('chmod 600') as string }); // prettier-ignore
    expect(await rind([...args, '--role', 'x'])).toMatchObject({ code: 2 });
  });
});

describe('the publisher', () => {
  const hsm = whenAvailable(async () => SoftHsm.open(scratch.path));

  it('signs with a key in a token, in its thread and behind rind signer', async () => {
    await hsm.value.createToken('online', PIN);
    const uri = hsm.value.uri('1', 'online');
    const askPin = () => Promise.resolve(PIN);
    const key = await generateTokenKey(uri, 'ed25519', { secret: askPin });
    await startIndex(uri, { uri, secret: `file:${pinFile}` }, askPin);
    expect(await findings()).toEqual([]);
    await publisher!.close();
    publisher = undefined;
    await fixture!.close();
    signer = new SignerProcess(['--key', uri, '--secret', `file:${pinFile}`], {
      SOFTHSM2_CONF: hsm.value.configuration,
    });
    await signer.ready();
    expect(signer.output).toContain(key.keyId);
    await startIndex(`signer:${signer.socket}`, { uri: `signer:${signer.socket}` });
    expect(await findings()).toEqual([]);
  });
});
