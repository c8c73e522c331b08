import { createHash } from 'node:crypto';
import type { Key } from '../tuf/key.ts';
import { ecdsaDerFromRaw } from './ecdsa-der.ts';
import { parseHsmUri, type HsmUri } from './hsm-uri.ts';
import type { OpenSignerOptions, SecretSource, SignerBackend } from './opened-signer.ts';
import { CKA, CKO, findPublicKey, writeKeyId } from './pkcs11-keys.ts';
import { loadPkcs11Module, resultOf, type Handle, type Pkcs11Module } from './pkcs11-module.ts';
import {
  LOST,
  findObjects,
  login,
  loginError,
  openTokenSession,
  tokenError,
  type TokenSession,
} from './pkcs11-token.ts';
import { SignerError } from './signer-error.ts';

const CKM_ECDSA = 0x1041;
/** Of PKCS #11 3.0; pkcs11js does not name it. */
const CKM_EDDSA = 0x1057;
const CKU_CONTEXT_SPECIFIC = 2;
/** Too small a buffer is an error of its own, so larger than any signature. */
const MAX_SIGNATURE_LENGTH = 512;
/** The key id that securesystemslib takes when the URI has none: PIV's slot 9c. */
const DEFAULT_KEY_ID = Buffer.of(2);

/** A session that can sign. */
interface SigningSession extends TokenSession {
  readonly privateKey: Handle;
  /** For keys that want the PIN for every signature. */
  readonly pin: string | undefined;
  readonly asksEveryTime: boolean;
}

/** `hsm:KEYID?label=TOKEN&module=PATH`: an EC or Ed25519 key in a token, through PKCS #11. */
export async function openPkcs11Signer(uri: string, options: OpenSignerOptions): Promise<SignerBackend> {
  const parsed = parseHsmUri(uri);
  const module = await loadPkcs11Module(parsed.module);
  const keyId = parsed.keyId ?? DEFAULT_KEY_ID;
  const session = await openSession(module, parsed, keyId, options.secret);
  try {
    const key = findPublicKey(session, keyId) ?? options.publicKey;
    if (key === undefined) {
      throw new SignerError(
        'KEY_MISSING',
        `The private key ${writeKeyId(keyId)} is in ${session.name}, but neither its public key nor a certificate of it.`,
        { uri },
      );
    }
    mechanismOf(uri, key);
    return new Pkcs11Signer(uri, key, session, () => openSession(module, parsed, keyId, options.secret));
  } catch (error) {
    module.C_CloseSession(session.session);
    throw tokenError(uri, session.name, error);
  }
}

class Pkcs11Signer implements SignerBackend {
  readonly key: Key;
  readonly #uri: string;
  readonly #reopen: () => Promise<SigningSession>;
  #session: SigningSession | undefined;
  /** A PIN that was refused is never sent again: the token would lock itself. */
  #failure: SignerError | undefined;
  /** A session is not for concurrent use. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(uri: string, key: Key, session: SigningSession, reopen: () => Promise<SigningSession>) {
    this.#uri = uri;
    this.key = key;
    this.#session = session;
    this.#reopen = reopen;
  }

  sign(bytes: Uint8Array): Promise<Uint8Array> {
    const signature = this.#last.then(() => this.#signOrReopen(bytes));
    this.#last = signature.catch(() => undefined);
    return signature;
  }

  async close(): Promise<void> {
    await this.#last;
    this.#endSession();
  }

  /** A token that was pulled out and put back, or a library that lost the session, gets one more try. */
  async #signOrReopen(bytes: Uint8Array): Promise<Uint8Array> {
    try {
      return await this.#signOnce(bytes);
    } catch (error) {
      if (!LOST.has(resultOf(error) ?? -1)) throw tokenError(this.#uri, 'the token', error);
    }
    try {
      return await this.#signOnce(bytes);
    } catch (error) {
      throw tokenError(this.#uri, 'the token', error);
    }
  }

  async #signOnce(bytes: Uint8Array): Promise<Uint8Array> {
    if (this.#failure !== undefined) throw this.#failure;
    const session = (this.#session ??= await this.#reopenSession());
    const { mechanism, digest } = mechanismOf(this.#uri, this.key);
    const input = digest === undefined ? Buffer.from(bytes) : createHash(digest).update(bytes).digest();
    const { module, session: handle, privateKey } = session;
    try {
      module.C_SignInit(handle, { mechanism, parameter: null }, privateKey);
      if (session.asksEveryTime) this.#loginAgain(session);
      const signature = await module.C_SignAsync(handle, input, Buffer.alloc(MAX_SIGNATURE_LENGTH));
      return mechanism === CKM_ECDSA ? ecdsaDerFromRaw(signature) : signature;
    } catch (error) {
      // Whatever was begun in this session is begun anew in the next.
      this.#endSession();
      throw error;
    }
  }

  #loginAgain(session: SigningSession): void {
    try {
      session.module.C_Login(session.session, CKU_CONTEXT_SPECIFIC, session.pin);
    } catch (error) {
      throw this.#remember(loginError(this.#uri, session, error));
    }
  }

  #remember(error: SignerError): SignerError {
    if (error.code === 'WRONG_PIN' || error.code === 'PIN_LOCKED') this.#failure = error;
    return error;
  }

  async #reopenSession(): Promise<SigningSession> {
    try {
      return await this.#reopen();
    } catch (error) {
      throw error instanceof SignerError ? this.#remember(error) : error;
    }
  }

  #endSession(): void {
    const session = this.#session;
    this.#session = undefined;
    try {
      session?.module.C_CloseSession(session.session);
    } catch {
      // It is gone already.
    }
  }
}

async function openSession(
  module: Pkcs11Module,
  parsed: HsmUri,
  keyId: Buffer,
  secret: SecretSource,
): Promise<SigningSession> {
  const { uri } = parsed;
  const token = openTokenSession(module, parsed);
  try {
    const pin = await login(uri, token, secret);
    const [privateKey] = findObjects(token, [{ type: CKA.CLASS, value: CKO.PRIVATE_KEY }, { type: CKA.ID, value: keyId }]); // prettier-ignore
    if (privateKey === undefined) {
      throw new SignerError(
        'KEY_MISSING',
        `There is no private key with the id ${writeKeyId(keyId)} in ${token.name}; rind key show lists its keys.`,
        { uri },
      );
    }
    const asksEveryTime = wantsPinEveryTime(token, privateKey);
    return { ...token, privateKey, asksEveryTime, pin: asksEveryTime ? pin : undefined };
  } catch (error) {
    module.C_CloseSession(token.session);
    throw tokenError(uri, token.name, error);
  }
}

function wantsPinEveryTime({ module, session }: TokenSession, privateKey: Handle): boolean {
  try {
    const [value] = module.C_GetAttributeValue(session, privateKey, [{ type: CKA.ALWAYS_AUTHENTICATE }]);
    return value?.value[0] === 1;
  } catch {
    // Tokens older than the attribute do not know it.
    return false;
  }
}

/** ECDSA is given the digest: few tokens have the mechanisms that hash. Throws UNSUPPORTED_KEY. */
function mechanismOf(uri: string, { publicKey: { algorithm } }: Key): { mechanism: number; digest?: string } {
  if (algorithm.name === 'ed25519') return { mechanism: CKM_EDDSA };
  if (algorithm.name === 'ecdsa') return { mechanism: CKM_ECDSA, digest: algorithm.digest };
  throw new SignerError(
    'UNSUPPORTED_KEY',
    `Tokens sign with ECDSA P-256, P-384 or Ed25519 here, not with ${algorithm.name}.`,
    { uri },
  );
}
