import { defaultCrypto } from '../tuf/default-crypto.ts';
import type { Key } from '../tuf/key.ts';
import { Signature } from '../tuf/signature.ts';
import type { Signer, SigningContext } from '../tuf/signer.ts';
import { SignerError } from './signer-error.ts';

/** What a secret is asked for; enough for a prompt, and for choosing among several files. */
export interface SecretQuestion {
  readonly kind: 'passphrase' | 'PIN' | 'token';
  /** The key URI whose secret it is. */
  readonly uri: string;
  /** What it opens, for people: `the key file /media/usb/root.json`, `the token "root1"`. */
  readonly subject: string;
  /** Something to know before answering: how many tries are left. */
  readonly warning?: string | undefined;
}

/** Where secrets come from: never from arguments, and from the environment only as the name of a file. */
export type SecretSource = (question: SecretQuestion) => Promise<string>;

export interface OpenSignerOptions {
  /** Asked at most once for each opening. */
  readonly secret: SecretSource;
  /** The key that metadata names. Another one is refused, and this one's key id stands in the signatures. */
  readonly publicKey?: Key | undefined;
  /** In place of the global `fetch`, for tests. */
  readonly fetch?: typeof fetch | undefined;
}

/** A signer that holds something open: a session, a connection. */
export interface OpenedSigner extends Signer {
  readonly uri: string;
  /** Ends the session; `sign` fails afterwards. */
  close(): Promise<void>;
}

/** What the file of one kind of signer gives: a key, and its bare signatures in the form that TUF carries. */
export interface SignerBackend {
  readonly key: Key;
  sign(bytes: Uint8Array, context?: SigningContext): Promise<Uint8Array>;
  signedVersions?(): Promise<ReadonlyMap<string, number>>;
  close?(): Promise<void>;
}

/** A backend whose every signature is verified before it leaves: whatever a token or a service answers, nothing unverifiable gets into metadata. */
export class CheckedSigner implements OpenedSigner {
  readonly uri: string;
  readonly key: Key;
  readonly #backend: SignerBackend;
  #isClosed = false;

  /** Throws WRONG_KEY when the backend holds another key than the expected one. */
  constructor(uri: string, backend: SignerBackend, expected?: Key) {
    if (expected !== undefined && expected.publicKey.material !== backend.key.publicKey.material) {
      throw new SignerError(
        'WRONG_KEY',
        `${uri} holds the key ${backend.key.keyId}, not the expected key ${expected.keyId}; use the medium or token of that key.`,
        { uri },
      );
    }
    this.uri = uri;
    this.key = expected ?? backend.key;
    this.#backend = backend;
  }

  async sign(bytes: Uint8Array, context?: SigningContext): Promise<Signature> {
    const { uri } = this;
    if (this.#isClosed) throw new SignerError('CLOSED', `The signer ${uri} is closed.`, { uri });
    const signature = await this.#backend.sign(bytes, context);
    if (!(await defaultCrypto.verify(this.#backend.key, signature, bytes))) {
      throw new SignerError(
        'WRONG_SIGNATURE',
        `${uri} gave a signature that its own public key does not verify; nothing was signed with it.`,
        { uri },
      );
    }
    return Signature.fromBytes(this.key.keyId, signature);
  }

  /** Empty for signers that keep no count. */
  async signedVersions(): Promise<ReadonlyMap<string, number>> {
    return (await this.#backend.signedVersions?.()) ?? new Map<string, number>();
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#backend.close?.();
  }
}
