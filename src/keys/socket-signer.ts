import { createConnection, type Socket } from 'node:net';
import { Key } from '../tuf/key.ts';
import type { SigningContext } from '../tuf/signer.ts';
import type { OpenSignerOptions, SignerBackend } from './opened-signer.ts';
import { encodeFrame, readFrames } from './signer-frames.ts';
import { signerAnswer, type SignerAnswer, type SignerRequest } from './signer-protocol.ts';
import { SignerError } from './signer-error.ts';

/** Milliseconds; the key behind it may be a service or a token that waits for a touch. */
const ANSWER_TIMEOUT = 60_000;

type Asked = SignerRequest extends infer R ? (R extends { id: number } ? Omit<R, 'id'> : never) : never;

interface Waiter {
  readonly resolve: (answer: SignerAnswer) => void;
  readonly reject: (error: SignerError) => void;
  readonly timer: NodeJS.Timeout;
}

/** `signer:PATH#KEYID`: a key that `rind signer` holds, over its socket. KEYID may be left out when it holds one. */
export async function openSocketSigner(
  uri: string,
  { publicKey }: OpenSignerOptions,
): Promise<SignerBackend> {
  const [, path, keyId = publicKey?.keyId] = /^signer:([^#]+)(?:#(.+))?$/.exec(uri) ?? [];
  if (path === undefined) {
    throw new SignerError('MALFORMED_URI', `"${uri}" names no socket: write signer:PATH#KEYID.`, { uri });
  }
  const connection = new SignerConnection(uri, path);
  try {
    const keys = await readKeys(uri, connection);
    const [key, another] = keyId === undefined ? keys : keys.filter((held) => held.keyId === keyId);
    if (key === undefined || another !== undefined) {
      const held = keys.map((one) => one.keyId).join(', ') || 'none';
      const problem = key === undefined ? 'has no such key' : 'has several keys';
      throw new SignerError('KEY_MISSING', `The signer at ${path} ${problem}; it holds: ${held}.`, { uri });
    }
    return new SocketSigner(uri, key, connection);
  } catch (error) {
    connection.close();
    throw error;
  }
}

/** The keys that the signer process at `path` holds. */
export async function listSocketKeys(uri: string): Promise<readonly Key[]> {
  const connection = new SignerConnection(uri, uri.replace(/^signer:/, '').replace(/#.*$/, ''));
  try {
    return await readKeys(uri, connection);
  } finally {
    connection.close();
  }
}

async function readKeys(uri: string, connection: SignerConnection): Promise<readonly Key[]> {
  const { keys = [] } = await connection.ask({ op: 'keys' });
  try {
    return keys.map(({ keyid, keytype, scheme, public: text }) => {
      const { keyId } = Key.fromPublicKey(keytype, scheme, text);
      if (keyId === keyid) return Key.fromPublicKey(keytype, scheme, text);
      const json = new Map<string, string | ReadonlyMap<string, string>>([['keytype', keytype], ['scheme', scheme], ['keyval', new Map([['public', text]])]]); // prettier-ignore
      return Key.fromJson(keyid, json);
    });
  } catch (cause) {
    throw new SignerError('MALFORMED_ANSWER', `The signer behind ${uri} names keys that are none.`, { uri, cause }); // prettier-ignore
  }
}

class SocketSigner implements SignerBackend {
  readonly key: Key;
  readonly #uri: string;
  readonly #connection: SignerConnection;

  constructor(uri: string, key: Key, connection: SignerConnection) {
    this.#uri = uri;
    this.key = key;
    this.#connection = connection;
  }

  async sign(bytes: Uint8Array, context?: SigningContext): Promise<Uint8Array> {
    const { _type: type } = context === undefined ? (JSON.parse(Buffer.from(bytes).toString()) as { _type?: string }) : {}; // prettier-ignore
    const { sig = '' } = await this.#connection.ask({
      op: 'sign',
      keyid: this.key.keyId,
      role: context?.role ?? type ?? '',
      bytes: Buffer.from(bytes).toString('base64'),
    });
    if (!/^(?:[0-9a-f]{2})+$/.test(sig)) {
      throw new SignerError('MALFORMED_ANSWER', `The signer behind ${this.#uri} gave no signature.`, {
        uri: this.#uri,
      });
    }
    return Buffer.from(sig, 'hex');
  }

  async signedVersions(): Promise<ReadonlyMap<string, number>> {
    const { versions = {} } = await this.#connection.ask({ op: 'versions', keyid: this.key.keyId });
    return new Map(Object.entries(versions));
  }

  async close(): Promise<void> {
    this.#connection.close();
  }
}

/** One connection for all requests; after it broke, the next request makes another. */
class SignerConnection {
  readonly #uri: string;
  readonly #path: string;
  readonly #waiters = new Map<number, Waiter>();
  #socket: Socket | undefined;
  #lastId = 0;

  constructor(uri: string, path: string) {
    this.#uri = uri;
    this.#path = path;
  }

  /** Throws SERVICE_UNREACHABLE, REFUSED_BY_SIGNER, MALFORMED_ANSWER. */
  async ask(request: Asked): Promise<SignerAnswer> {
    const socket = (this.#socket ??= this.#connect());
    const id = (this.#lastId += 1);
    const answer = await new Promise<SignerAnswer>((resolve, reject) => {
      const timer = setTimeout(() => this.#break(socket, 'gives no answer in time'), ANSWER_TIMEOUT);
      this.#waiters.set(id, { resolve, reject, timer });
      socket.ref();
      socket.write(encodeFrame({ id, ...request }));
    });
    if (answer.error === undefined) return answer;
    const { code, message } = answer.error;
    throw new SignerError('REFUSED_BY_SIGNER', `The signer refused (${code}): ${message}`, {
      uri: this.#uri,
    });
  }

  close(): void {
    if (this.#socket !== undefined) this.#break(this.#socket, 'was closed');
  }

  #connect(): Socket {
    const socket = createConnection(this.#path);
    socket.on('error', (cause) => this.#break(socket, `cannot be reached (${cause.message})`, cause));
    this.#receive(socket).then(
      () => this.#break(socket, 'ended the connection'),
      (cause: unknown) => this.#break(socket, 'broke the protocol', cause),
    );
    return socket;
  }

  async #receive(socket: Socket): Promise<void> {
    for await (const frame of readFrames(socket)) {
      const answer = signerAnswer.parse(frame);
      const waiter = this.#waiters.get(answer.id);
      if (waiter === undefined) throw new Error('an answer without a question');
      this.#waiters.delete(answer.id);
      clearTimeout(waiter.timer);
      if (this.#waiters.size === 0) socket.unref();
      waiter.resolve(answer);
    }
  }

  #break(socket: Socket, what: string, cause?: unknown): void {
    if (this.#socket !== socket) return;
    this.#socket = undefined;
    socket.destroy();
    const error = new SignerError(
      'SERVICE_UNREACHABLE',
      `The signer at ${this.#path} ${what}; is rind signer running, and may this user use its socket?`,
      { uri: this.#uri, cause },
    );
    for (const { reject, timer } of this.#waiters.values()) {
      clearTimeout(timer);
      reject(error);
    }
    this.#waiters.clear();
  }
}
