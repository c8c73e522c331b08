import { once } from 'node:events';
import { appendFile, chmod, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeCanonicalJson } from '../tuf/canonical-json.ts';
import { defaultCrypto } from '../tuf/default-crypto.ts';
import { MetaFile, TargetFile } from '../tuf/file.ts';
import type { Key } from '../tuf/key.ts';
import { binForPathHash, binName } from '../tuf/layout.ts';
import { targetPathHash } from '../tuf/sha256.ts';
import type { Signed } from '../tuf/signed.ts';
import { Snapshot } from '../tuf/snapshot.ts';
import { ROLE_NAME_FIELD, Targets } from '../tuf/targets.ts';
import { Timestamp } from '../tuf/timestamp.ts';
import { generatePrivateKey, KeySigner } from './key-signer.ts';
import { openSigner } from './key-uri.ts';
import { CheckedSigner, type OpenedSigner } from './opened-signer.ts';
import { SignatureLog, verifySignatureLog } from './signature-log.ts';
import { encodeFrame, readFrames } from './signer-frames.ts';
import { SignerServer, type SignerServerOptions } from './signer-server.ts';
import { listSocketKeys } from './socket-signer.ts';

const DAY = 86_400_000;
const NOW = new Date('2026-11-22T12:00:00Z');
const secret = () => Promise.reject(new Error('a socket has no passphrase'));
let folder: string;
let socket: string;
let state: string;
let local: KeySigner;
let server: SignerServer;
let opened: OpenedSigner[];

const backend = (signer: KeySigner) => ({
  key: signer.key,
  sign: (bytes: Uint8Array) => signer.signBytes(bytes),
});
const encode = (signed: Signed) => encodeCanonicalJson(signed.toJson());
const timestamp = (version: number, days = 7, snapshot = 1) =>
  new Timestamp({
    version,
    expires: new Date(NOW.getTime() + days * DAY),
    snapshotMeta: new MetaFile({ version: snapshot }),
  });
const bin = (role: string, paths: readonly string[] = [], name: string | null = role, version = 1) =>
  new Targets({
    version,
    expires: new Date(NOW.getTime() + DAY),
    targets: new Map(
      paths.map((path) => [
        path,
        new TargetFile({ path, length: 1, hashes: new Map([['sha256', 'ab'.repeat(32)]]) }),
      ]),
    ),
    ...(name === null ? {} : { unrecognizedFields: new Map([[ROLE_NAME_FIELD, name]]) }),
  });

async function start(changes: Partial<SignerServerOptions> = {}): Promise<void> {
  server = await SignerServer.start({
    socket,
    state,
    signers: [new CheckedSigner('test:', backend(local))],
    policy: {
      lifetimes: new Map([
        ['timestamp', 7 * DAY],
        ['snapshot', 7 * DAY],
        ['bin-*', 7 * DAY],
      ]),
      bins: 256,
    },
    clock: () => NOW,
    ...changes,
  });
}

async function client(publicKey?: Key): Promise<OpenedSigner> {
  const signer = await openSigner(`signer:${socket}`, {
    secret,
    ...(publicKey === undefined ? {} : { publicKey }),
  });
  opened.push(signer);
  return signer;
}

async function logLines(): Promise<Record<string, unknown>[]> {
  const names = (await readdir(state)).filter((name) => name.startsWith('uses-')).sort();
  const texts = await Promise.all(names.map((name) => readFile(join(state, name), 'utf8')));
  return texts
    .join('')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rind-signer-'));
  socket = join(folder, 'run', 'signer.sock');
  state = join(folder, 'state');
  local = KeySigner.fromPrivateKey(await generatePrivateKey('ed25519'));
  opened = [];
  await start();
});
afterEach(async () => {
  await Promise.all(opened.map((signer) => signer.close()));
  await server.close();
  await rm(folder, { recursive: true });
});

describe('a signer process', () => {
  it('signs metadata of its roles, many at once, and writes every use down before the answer', async () => {
    const signer = await client();
    expect(signer.key.equals(local.key)).toBe(true);
    const roles = Array.from({ length: 100 }, (_, index) => binName('bin', index, 256));
    const messages = roles.map((role) => [role, encode(bin(role))] as const);
    const signatures = await Promise.all(messages.map(([role, bytes]) => signer.sign(bytes, { role })));
    for (const [index, { bytes, keyId }] of signatures.entries()) {
      expect(keyId).toBe(local.key.keyId);
      expect(await defaultCrypto.verify(local.key, bytes!, messages[index]![1])).toBe(true);
    }
    const lines = await logLines();
    expect(lines.map(({ outcome }) => outcome)).toEqual(['started', ...roles.map(() => 'signing')]);
    expect(lines.at(-1)).toMatchObject({
      keyid: local.key.keyId,
      role: roles.at(-1),
      version: 1,
      number: 101,
    });
    expect((await verifySignatureLog(state)).number).toBe(101);
  });

  it('has its socket and its state closed to other users', async () => {
    const modes = await Promise.all(
      [join(folder, 'run'), socket, state, join(state, 'versions.json')].map((path) => stat(path)),
    );
    expect(modes.map(({ mode }) => mode & 0o777)).toEqual([0o700, 0o600, 0o700, 0o600]);
  });

  it('refuses a version that goes back, one that was used for other content, and one far ahead', async () => {
    const signer = await client();
    const sign = (version: number, snapshot = 1) =>
      signer.sign(encode(timestamp(version, 7, snapshot)), { role: 'timestamp' });
    const first = await sign(5);
    expect(await sign(5)).toEqual(first);
    await expect(sign(4)).rejects.toMatchObject({
      code: 'REFUSED_BY_SIGNER',
      message: expect.stringMatching(/VERSION_WENT_BACK.*version 5 was signed before/) as string,
    });
    await expect(sign(5, 2)).rejects.toThrow('VERSION_USED');
    await expect(sign(1006)).rejects.toThrow('VERSION_JUMPED');
    await sign(1005);
    expect(await signer.signedVersions!()).toEqual(new Map([['timestamp', 1005]]));
  });

  it('remembers versions when it was stopped, and when it was killed', async () => {
    const signer = await client();
    await signer.sign(encode(timestamp(7)), { role: 'timestamp' });
    await server.close();
    await start();
    const again = await client();
    await expect(again.sign(encode(timestamp(6)), { role: 'timestamp' })).rejects.toThrow('WENT_BACK');
    await again.sign(encode(timestamp(9)), { role: 'timestamp' });
    // What a kill leaves: the old checkpoint, the log, half a line.
    const checkpoint = await readFile(join(state, 'versions.json'));
    await server.close();
    await writeFile(join(state, 'versions.json'), checkpoint);
    const [log] = (await readdir(state)).filter((name) => name.startsWith('uses-'));
    await appendFile(join(state, log!), '{"number":99,"half');
    await start();
    const third = await client();
    await expect(third.sign(encode(timestamp(8)), { role: 'timestamp' })).rejects.toThrow('WENT_BACK');
    await rm(join(state, 'versions.json'));
    await server.close();
    await rm(join(state, 'versions.json'));
    await start();
    await expect((await client()).sign(encode(timestamp(8)), { role: 'timestamp' })).rejects.toThrow(
      'WENT_BACK',
    );
    await verifySignatureLog(state);
  });

  it.each([
    ['an expiry beyond policy', 'timestamp', () => encode(timestamp(1, 7.1)), 'EXPIRY_BEYOND_POLICY'],
    ['an expiry that is past', 'timestamp', () => encode(timestamp(1, -1)), 'ALREADY_EXPIRED'],
    ['the role root', 'root', () => encode(timestamp(1)), 'FOREIGN_ROLE'],
    ['the role targets', 'targets', () => encode(bin('targets')), 'FOREIGN_ROLE'],
    ['a role of a project', 'project-demo', () => encode(bin('project-demo')), 'FOREIGN_ROLE'],
    ['a role named like a pattern', 'bin-*', () => encode(bin('bin-*')), 'NOT_METADATA|FOREIGN'],
    ['metadata of another type', 'snapshot', () => encode(timestamp(1)), 'NOT_METADATA'],
    ['a bin signed as another bin', 'bin-01', () => encode(bin('bin-02')), 'FOREIGN_CONTENT'],
    ['a bin without its name', 'bin-01', () => encode(bin('bin-01', [], null)), 'FOREIGN_CONTENT'],
    [
      'a target of another bin',
      'bin-00',
      () => encode(bin('bin-00', ['simple/demo/index.json'])),
      'FOREIGN_CONTENT',
    ],
    ['no JSON', 'timestamp', () => new Uint8Array([1, 2, 3]), 'NOT_METADATA'],
    ['nothing', 'timestamp', () => new Uint8Array(0), 'NOT_METADATA'],
    ['an envelope around it', 'timestamp', () => Buffer.from(`{"signatures":[],"signed":${Buffer.from(encode(timestamp(1))).toString()}}`), 'NOT_METADATA'], // prettier-ignore
    ['white space behind it', 'timestamp', () => Buffer.concat([encode(timestamp(1)), Buffer.from(' ')]), 'NOT_METADATA'], // prettier-ignore
    ['a second document behind it', 'timestamp', () => Buffer.concat([encode(timestamp(1)), Buffer.from(',"x":1')]), 'NOT_METADATA'], // prettier-ignore
    ['text that is no UTF-8', 'timestamp', () => Buffer.concat([encode(timestamp(1)).subarray(0, -1), Buffer.from(',"z":"\xff"}', 'latin1')]), 'NOT_METADATA'], // prettier-ignore
  ])('refuses %s, and writes that down', async (_name, role, bytes, code) => {
    const signer = await client();
    const error: unknown = await signer.sign(bytes(), { role }).catch((e: unknown) => e);
    expect(error).toMatchObject({
      code: 'REFUSED_BY_SIGNER',
      message: expect.stringMatching(code) as string,
    });
    expect((await logLines()).at(-1)).toMatchObject({ outcome: 'refused', role, reason: expect.stringMatching(code) as string }); // prettier-ignore
    expect(await signer.signedVersions!()).toEqual(new Map());
  });

  it('signs a target in the bin that it belongs to', async () => {
    const path = 'simple/demo/index.json';
    const role = binName('bin', binForPathHash(targetPathHash(path), 256), 256);
    await (await client()).sign(encode(bin(role, [path])), { role });
  });

  it('goes by the type where a caller does not say the role', async () => {
    const signer = await client();
    await signer.sign(encode(timestamp(3)));
    const snapshot = new Snapshot({ version: 2, expires: new Date(NOW.getTime() + DAY), meta: new Map() });
    await signer.sign(encode(snapshot));
    await expect(signer.sign(encode(bin('bin-01')))).rejects.toThrow('FOREIGN_ROLE');
    expect(await signer.signedVersions!()).toEqual(new Map([['timestamp', 3], ['snapshot', 2]])); // prettier-ignore
  });

  it('signs nothing that it cannot write down', async () => {
    const full = await SignatureLog.open(await mkdtemp(join(folder, 'log-')));
    await full.close();
    for (let tries = 0; tries < 2; tries += 1) {
      await expect(full.append({ outcome: 'signing' })).rejects.toMatchObject({ code: 'LOG_UNUSABLE' });
    }
  });

  it('takes the number even when the key then fails, so that no other content gets it', async () => {
    await server.close();
    const failing = { key: local.key, sign: () => Promise.reject(new Error('the token burned')) };
    await start({ signers: [new CheckedSigner('test:', failing)] });
    const signer = await client();
    await expect(signer.sign(encode(timestamp(4)))).rejects.toThrow('SIGNER_FAILED');
    expect(await signer.signedVersions!()).toEqual(new Map([['timestamp', 4]]));
    expect((await logLines()).at(-1)).toMatchObject({ outcome: 'failed', reason: 'SIGNER_FAILED' });
  });

  it('holds several keys, each with its own versions', async () => {
    await server.close();
    const other = KeySigner.fromPrivateKey(await generatePrivateKey('ecdsa-sha2-nistp256'));
    await start({ signers: [local, other].map((signer) => new CheckedSigner('test:', backend(signer))) });
    await expect(client()).rejects.toMatchObject({ code: 'KEY_MISSING' });
    expect((await listSocketKeys(`signer:${socket}`)).map(({ keyId }) => keyId)).toEqual([local.key.keyId, other.key.keyId]); // prettier-ignore
    const [first, second] = [await client(local.key), await client(other.key)];
    await first.sign(encode(timestamp(9)));
    await second.sign(encode(timestamp(2)));
    const uri = `signer:${socket}#${'0'.repeat(64)}`;
    await expect(openSigner(uri, { secret })).rejects.toMatchObject({ code: 'KEY_MISSING' });
  });

  it('lets one signer alone use a socket, takes over a dead one, and leaves a file alone', async () => {
    await expect(start()).rejects.toThrow('Another signer uses');
    await expect(start({ socket: join(folder, 'run', 'second.sock') })).rejects.toThrow(
      'Another signer uses',
    );
    await expect(start({ state: join(folder, 'second') })).rejects.toThrow('Another signer uses');
    await (await client()).sign(encode(timestamp(1)));
    await verifySignatureLog(state);
    await server.close();
    const dead = createServer().listen(socket);
    await once(dead, 'listening');
    await writeFile(join(folder, 'run', 'file'), 'x');
    await new Promise((resolve) => dead.close(resolve));
    await writeFile(socket, 'no socket');
    await expect(start()).rejects.toThrow('is no socket');
    await rm(socket);
    await start();
  });

  it('refuses a folder that others can reach', async () => {
    await server.close();
    await chmod(join(folder, 'run'), 0o755);
    await expect(start()).rejects.toThrow('open to others');
    await chmod(join(folder, 'run'), 0o700);
    await start();
  });

  it.each([
    ['no request', encodeFrame({ id: 1, op: 'export' })],
    ['no JSON', Buffer.from([0, 0, 0, 3, 1, 2, 3])],
    ['an endless frame', Buffer.from([0xff, 0xff, 0xff, 0xff])],
    ['an array', Buffer.concat([Buffer.from([0, 0, 0, 2]), Buffer.from('[]')])],
  ])('cuts off a client that sends %s, and serves the others', async (_name, bytes) => {
    const rude = createConnection(socket);
    rude.write(bytes);
    rude.on('error', () => undefined);
    await once(rude, 'close');
    await (await client()).sign(encode(timestamp(1)));
  });

  it('serves on over a new connection when a client lost its own', async () => {
    const signer = await client();
    await server.close();
    await expect(signer.sign(encode(timestamp(1)))).rejects.toMatchObject({ code: 'SERVICE_UNREACHABLE' });
    await start();
    await signer.sign(encode(timestamp(1)));
  });
});

describe('the log', () => {
  const log = () => join(state, 'uses-000000000001.jsonl');
  beforeEach(async () => {
    const signer = await client();
    for (const version of [1, 2, 3]) await signer.sign(encode(timestamp(version)));
    await server.close();
  });
  const broken = { code: 'LOG_BROKEN' };

  it.each([
    ['a line changed', (text: string) => text.replace('"version":2', '"version":9')],
    ['a line taken out', (text: string) => text.replace(/.*"version":2.*\n/, '')],
    ['two lines exchanged', (text: string) => text.replace(/(.*"version":1.*\n)(.*"version":2.*\n)/, '$2$1')],
    ['a line put in', (text: string) => text.replace(/(.*"version":2.*\n)/, '$1$1')],
  ])('shows %s', async (_name, change) => {
    await writeFile(log(), change(await readFile(log(), 'utf8')));
    await expect(verifySignatureLog(state)).rejects.toMatchObject(broken);
    await rm(join(state, 'versions.json'));
    await expect(start()).rejects.toMatchObject(broken);
  });

  it('shows lines cut off its end or its beginning, and a log that is gone, because the checkpoint counts', async () => {
    const text = await readFile(log(), 'utf8');
    const lines = text.split('\n');
    for (const rest of [lines.slice(0, 2), lines.slice(2), []]) {
      await writeFile(log(), rest.length === 0 ? '' : `${rest.join('\n').trimEnd()}\n`);
      await expect(start()).rejects.toMatchObject(broken);
    }
    await rm(log());
    await expect(start()).rejects.toMatchObject(broken);
    await writeFile(log(), text);
    await start();
  });

  it('can be checked while the signer writes', async () => {
    await start();
    await appendFile(log(), '{"number":');
    expect((await verifySignatureLog(state)).number).toBeGreaterThan(4);
  });
});

describe('a signer that lies', () => {
  let liar: Server;
  const key = (signer: KeySigner) => ({ keyid: signer.key.keyId, keytype: signer.key.keyType, scheme: signer.key.scheme, public: signer.key.public }); // prettier-ignore

  async function lie(
    answer: (frame: Readonly<Record<string, unknown>>, connection: Socket) => object,
  ): Promise<string> {
    const path = join(folder, 'liar.sock');
    liar = createServer((connection) => {
      connection.on('error', () => undefined);
      void (async () => {
        for await (const frame of readFrames(connection))
          connection.write(encodeFrame(answer(frame, connection)));
      })().catch(() => undefined);
    }).listen(path);
    await once(liar, 'listening');
    return `signer:${path}`;
  }
  afterEach(() => liar.close());

  it.each([
    ['a signature of another key', async () => (await KeySigner.fromPrivateKey(await generatePrivateKey('ed25519')).sign(encode(timestamp(1)))).sig, 'WRONG_SIGNATURE'], // prettier-ignore
    ['no hex', () => Promise.resolve('zz'), 'MALFORMED_ANSWER'],
    ['nothing', () => Promise.resolve(undefined), 'MALFORMED_ANSWER'],
  ])('with %s gets nothing into metadata', async (_name, sig, code) => {
    const made = await sig();
    const uri = await lie(({ id, op }) => (op === 'keys' ? { id, keys: [key(local)] } : { id, ...(made === undefined ? {} : { sig: made }) })); // prettier-ignore
    const signer = await openSigner(uri, { secret });
    opened.push(signer);
    await expect(signer.sign(encode(timestamp(1)))).rejects.toMatchObject({ code });
  });

  it('about its keys, or with another answer than asked for, is no signer', async () => {
    const uri = await lie(({ id }) => ({ id, keys: [{ ...key(local), public: 'none' }] }));
    await expect(openSigner(uri, { secret })).rejects.toMatchObject({ code: 'MALFORMED_ANSWER' });
    await new Promise((resolve) => liar.close(resolve));
    const second = await lie(() => ({ id: 77, keys: [] }));
    await expect(openSigner(second, { secret })).rejects.toMatchObject({ code: 'SERVICE_UNREACHABLE' });
  });
});
