import { createHash } from 'node:crypto';
import { chmod, chown, lstat, mkdir, unlink } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import type { OpenedSigner } from './opened-signer.ts';
import { encodeFrame, readFrames, FrameError } from './signer-frames.ts';
import { signerRequest, type SignerAnswer, type SignerRequest } from './signer-protocol.ts';
import { SignatureLogError } from './signature-log.ts';
import { SignedVersions } from './signed-versions.ts';
import { SignerError } from './signer-error.ts';
import { PolicyError, checkSigned, type SigningPolicy } from './signing-policy.ts';

const MAX_CONNECTIONS = 16;
/** Requests of one connection that are worked on at once: what a publisher signs together, and a little. */
const MAX_PENDING = 64;

export interface SignerServerOptions {
  /** Path of the unix socket. Its folder is made, closed to others. */
  readonly socket: string;
  /** Folder of `versions.json` and the log; whoever may only use the socket must not be able to write here. */
  readonly state: string;
  readonly signers: readonly OpenedSigner[];
  readonly policy: SigningPolicy;
  /** A group whose members may use the socket; without it only this user may. */
  readonly group?: number | undefined;
  readonly clock?: () => Date;
  /** Told what is refused and what fails, for the journal of the system. */
  readonly report?: (sentence: string) => void;
}

/** Holds keys for other processes and signs by a policy. Every use is in the log before the signature leaves. */
export class SignerServer {
  readonly #options: SignerServerOptions;
  readonly #signers: ReadonlyMap<string, OpenedSigner>;
  readonly #versions: SignedVersions;
  readonly #server: Server;
  readonly #lock: Server;
  readonly #sockets = new Set<Socket>();
  readonly #running = new Set<Promise<void>>();

  private constructor(options: SignerServerOptions, versions: SignedVersions, lock: Server) {
    this.#options = options;
    this.#lock = lock;
    this.#signers = new Map(options.signers.map((signer) => [signer.key.keyId, signer]));
    this.#versions = versions;
    this.#server = createServer((socket) => this.#accept(socket));
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /** Resolves when the socket can be used. Throws SignerError, SignatureLogError. */
  static async start(options: SignerServerOptions): Promise<SignerServer> {
    await mkdir(options.state, { recursive: true, mode: 0o700 });
    await requireClosedFolder(options.state, false);
    const lock = await lockState(options.state);
    try {
      const versions = await SignedVersions.open(options.state, options.clock);
      const server = new SignerServer(options, versions, lock);
      try {
        await versions.log.append({ outcome: 'started' });
        await server.#listen();
        return server;
      } catch (error) {
        await versions.close();
        throw error;
      }
    } catch (error) {
      lock.close();
      throw error;
    }
  }

  /** Lets what is being signed end. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    await Promise.allSettled(this.#running);
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    await this.#versions.close();
    await Promise.allSettled([...this.#signers.values()].map((signer) => signer.close()));
    this.#lock.close();
  }

  async #listen(): Promise<void> {
    const { socket: path, group } = this.#options;
    const folder = dirname(path);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await requireClosedFolder(folder, group !== undefined);
    await removeDeadSocket(path);
    await listening(this.#server, path);
    await chmod(path, group === undefined ? 0o600 : 0o660);
    if (group !== undefined) {
      await chown(folder, -1, group);
      await chown(path, -1, group);
      await chmod(folder, 0o750);
    }
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket)).on('error', () => undefined);
    void this.#converse(socket).catch((error: unknown) => {
      if (error instanceof FrameError) this.#report(`A client was cut off: ${error.message}.`);
      socket.destroy();
    });
  }

  async #converse(socket: Socket): Promise<void> {
    const pending = new Set<Promise<void>>();
    for await (const frame of readFrames(socket)) {
      const { data } = signerRequest.safeParse(frame);
      if (data === undefined) throw new FrameError('a frame is no request');
      const work = this.#answer(data)
        .then((answer) => void socket.write(encodeFrame(answer)))
        .finally(() => pending.delete(work) && this.#running.delete(work));
      pending.add(work);
      this.#running.add(work);
      if (pending.size >= MAX_PENDING) await Promise.race(pending);
    }
    await Promise.allSettled(pending);
    socket.end();
  }

  async #answer(request: SignerRequest): Promise<SignerAnswer> {
    const { id } = request;
    switch (request.op) {
      case 'keys':
        return { id, keys: [...this.#signers.values()].map(({ key: { keyId, keyType, scheme, public: text } }) => ({ keyid: keyId, keytype: keyType, scheme, public: text })) }; // prettier-ignore
      case 'versions':
        return { id, versions: Object.fromEntries(this.#versions.of(request.keyid)) };
      case 'sign':
        try {
          return { id, sig: await this.#sign(request) };
        } catch (error) {
          return { id, error: await this.#refusal(request, error) };
        }
    }
  }

  async #sign({ keyid, role, bytes: text }: Extract<SignerRequest, { op: 'sign' }>): Promise<string> {
    const { policy, clock = () => new Date() } = this.#options;
    const signer = this.#signers.get(keyid);
    if (signer === undefined) {
      throw new PolicyError('UNKNOWN_KEY', 'This signer does not hold the key that was asked for.', role);
    }
    const bytes = Buffer.from(text, 'base64');
    const { version, expires } = checkSigned(policy, role, bytes, clock());
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    await this.#versions.take(keyid, role, version, sha256, expires);
    return (await signer.sign(bytes, { role })).sig;
  }

  /** Refusals and failures are logged too. A log that cannot be written says so itself. */
  async #refusal(
    { keyid, role }: Extract<SignerRequest, { op: 'sign' }>,
    error: unknown,
  ): Promise<{ code: string; message: string }> {
    const isRefusal = error instanceof PolicyError;
    const isKnown = isRefusal || error instanceof SignerError || error instanceof SignatureLogError;
    const message = isKnown ? error.message : 'The signer failed for a reason of its own; see its output.';
    const code = isKnown ? error.code : 'SIGNER_FAILED';
    this.#report(isKnown ? message : String(error));
    if (!(error instanceof SignatureLogError)) {
      const outcome = isRefusal ? 'refused' : 'failed';
      const version = isRefusal && error.version !== undefined ? { version: error.version } : {};
      const entry = { outcome, keyid, role, ...version, reason: code } as const;
      await this.#versions.log.append(entry).catch((failure: unknown) => this.#report(String(failure)));
    }
    return { code, message };
  }

  #report(sentence: string): void {
    this.#options.report?.(sentence);
  }
}

/** Two processes on one state would sign one version twice. The operating system ends the lock with the process. */
async function lockState(state: string): Promise<Server> {
  const path = join(state, 'lock');
  await removeDeadSocket(path);
  const lock = createServer((socket) => socket.destroy());
  await listening(lock, path);
  return lock;
}

function listening(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
}

async function requireClosedFolder(folder: string, isForGroup: boolean): Promise<void> {
  const { mode, uid } = await lstat(folder);
  const others = isForGroup ? 0o027 : 0o077;
  if ((mode & others) === 0 && (uid === process.geteuid?.() || uid === 0)) return;
  throw new SignerError(
    'REFUSED_BY_SIGNER',
    `The folder ${folder} is open to others; give the signer a folder of its own (chmod ${isForGroup ? '750' : '700'} ${folder}).`,
  );
}

/** A socket nobody listens on any more is left by a process that was killed. */
async function removeDeadSocket(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  const isAlive = await new Promise<boolean>((resolve) => {
    const probe = connect(path, () => resolve(true)).once('error', () => resolve(false));
    probe.once('connect', () => probe.destroy());
  });
  if (!found.isSocket() || isAlive) {
    throw new SignerError(
      'REFUSED_BY_SIGNER',
      isAlive ? `Another signer uses ${path}.` : `${path} is no socket and is left as it is.`,
    );
  }
  await unlink(path);
}
