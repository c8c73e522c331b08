import type { HsmUri } from './hsm-uri.ts';
import type { SecretSource } from './opened-signer.ts';
import { CKR, resultOf, type Handle, type Pkcs11Module, type TokenInfo } from './pkcs11-module.ts';
import { SignerError, type SignerErrorCode } from './signer-error.ts';

const CKF_LOGIN_REQUIRED = 0x4;
const CKF_PROTECTED_AUTHENTICATION_PATH = 0x100;
const CKF_TOKEN_INITIALIZED = 0x400;
const CKF_USER_PIN_COUNT_LOW = 0x10000;
const CKF_USER_PIN_FINAL_TRY = 0x20000;
const CKF_USER_PIN_LOCKED = 0x40000;
const CKF_SERIAL_SESSION = 0x4;
const CKF_RW_SESSION = 0x2;
const CKS_RO_USER_FUNCTIONS = 1;
const CKS_RW_USER_FUNCTIONS = 3;
const CKU_USER = 1;
const MAX_OBJECTS = 1000;

/** A token that was found, and a session with it. */
export interface TokenSession {
  readonly module: Pkcs11Module;
  readonly slot: Handle;
  readonly session: Handle;
  /** How people know the token: `the token "root1"`. */
  readonly name: string;
}

/** The one token that the URI's fields choose: slots move, so never by slot number. Throws TOKEN_MISSING, TOKEN_FAILED. */
export function openTokenSession(
  module: Pkcs11Module,
  { uri, token }: HsmUri,
  access: 'read' | 'write' = 'read',
): TokenSession {
  const present = wrapped(uri, 'the tokens of this library', () => readTokens(module));
  const matching = present.filter(({ info }) =>
    [...token].every(([field, value]) => info[field].trim() === value),
  );
  const [found] = matching;
  if (found === undefined || matching.length > 1) {
    const labels = present.map(({ info }) => `"${info.label.trim()}"`).join(', ') || 'none';
    const problem = found === undefined ? 'No token' : 'More than one token';
    const wanted = [...token].map(([field, value]) => `${field}=${value}`).join('&') || 'the URI';
    throw new SignerError(
      'TOKEN_MISSING',
      `${problem} matches ${wanted}; there are: ${labels}. Is it plugged in, and its label right?`,
      { uri },
    );
  }
  const name = `the token "${found.info.label.trim()}"`;
  const flags = CKF_SERIAL_SESSION | (access === 'write' ? CKF_RW_SESSION : 0);
  const session = wrapped(uri, name, () => module.C_OpenSession(found.slot, flags));
  return { module, slot: found.slot, session, name };
}

/** Logs the user in unless somebody in this process has. Returns the PIN, if one was needed. Throws WRONG_PIN, PIN_LOCKED, TOKEN_FAILED. */
export async function login(
  uri: string,
  { module, slot, session, name }: TokenSession,
  secret: SecretSource,
): Promise<string | undefined> {
  const info = wrapped(uri, name, () => module.C_GetTokenInfo(slot));
  if ((info.flags & CKF_LOGIN_REQUIRED) === 0) return undefined;
  const { state } = wrapped(uri, name, () => module.C_GetSessionInfo(session));
  if (state === CKS_RO_USER_FUNCTIONS || state === CKS_RW_USER_FUNCTIONS) return undefined;
  if ((info.flags & CKF_USER_PIN_LOCKED) !== 0) throw locked(uri, name);
  const hasPinPad = (info.flags & CKF_PROTECTED_AUTHENTICATION_PATH) !== 0;
  const pin = hasPinPad ? undefined : await askPin(uri, name, info, secret);
  try {
    module.C_Login(session, CKU_USER, pin);
  } catch (error) {
    if (resultOf(error) === CKR.USER_ALREADY_LOGGED_IN) return pin;
    throw loginError(uri, { module, slot, name }, error);
  }
  return pin;
}

/** Objects with these attributes. */
export function findObjects(
  { module, session }: TokenSession,
  template: Parameters<Pkcs11Module['C_FindObjectsInit']>[1],
): readonly Handle[] {
  module.C_FindObjectsInit(session, template);
  try {
    return module.C_FindObjects(session, MAX_OBJECTS);
  } finally {
    module.C_FindObjectsFinal(session);
  }
}

/** Runs a call and says in a sentence what failed. */
export function wrapped<T>(uri: string, name: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw tokenError(uri, name, error);
  }
}

export function tokenError(uri: string, name: string, cause: unknown): SignerError {
  if (cause instanceof SignerError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  const gone = LOST.has(resultOf(cause) ?? -1);
  const hint = gone ? '; is it still plugged in?' : '.';
  return new SignerError('TOKEN_FAILED', `Using ${name} failed (${reason})${hint}`, { uri, cause });
}

/** Results after which a new session may work. */
export const LOST: ReadonlySet<number> = new Set([
  CKR.DEVICE_ERROR,
  CKR.DEVICE_REMOVED,
  CKR.SESSION_CLOSED,
  CKR.SESSION_HANDLE_INVALID,
  CKR.TOKEN_NOT_PRESENT,
  CKR.USER_NOT_LOGGED_IN,
]);

function readTokens(module: Pkcs11Module): readonly { readonly slot: Handle; readonly info: TokenInfo }[] {
  return module
    .C_GetSlotList(true)
    .map((slot) => ({ slot, info: module.C_GetTokenInfo(slot) }))
    .filter(({ info }) => (info.flags & CKF_TOKEN_INITIALIZED) !== 0);
}

/** A PIN that cannot be right is not tried: the token would count it. */
async function askPin(uri: string, name: string, info: TokenInfo, secret: SecretSource): Promise<string> {
  const warning = warningOf(info.flags);
  const pin = await secret({ kind: 'PIN', uri, subject: name, warning });
  const length = Buffer.byteLength(pin);
  if (length < info.minPinLen || length > info.maxPinLen) {
    throw new SignerError(
      'WRONG_PIN',
      `The PIN of ${name} has ${info.minPinLen} to ${info.maxPinLen} characters; the one given was not tried, so no try is lost.`,
      { uri },
    );
  }
  return pin;
}

/** Why a login failed, with what the token says about the tries that are left. */
export function loginError(
  uri: string,
  { module, slot, name }: Pick<TokenSession, 'module' | 'slot' | 'name'>,
  cause: unknown,
): SignerError {
  const code = PIN_RESULTS.get(resultOf(cause) ?? -1);
  if (code === undefined) return tokenError(uri, name, cause);
  if (code === 'PIN_LOCKED') return locked(uri, name);
  let warning: string | undefined;
  try {
    warning = warningOf(module.C_GetTokenInfo(slot).flags);
  } catch {
    // The token says no more; the general warning stands.
  }
  return new SignerError(
    'WRONG_PIN',
    `The PIN of ${name} is wrong. ${warning ?? 'Tokens lock themselves after a few wrong tries, often three'}; be sure of the PIN before the next one.`,
    { uri, cause },
  );
}

const PIN_RESULTS: ReadonlyMap<number, SignerErrorCode> = new Map<number, SignerErrorCode>([
  [CKR.PIN_INCORRECT, 'WRONG_PIN'],
  [CKR.PIN_INVALID, 'WRONG_PIN'],
  [CKR.PIN_LEN_RANGE, 'WRONG_PIN'],
  [CKR.PIN_LOCKED, 'PIN_LOCKED'],
]);

function warningOf(flags: number): string | undefined {
  if ((flags & CKF_USER_PIN_FINAL_TRY) !== 0)
    return 'The token says that only one try is left before it locks itself';
  if ((flags & CKF_USER_PIN_COUNT_LOW) !== 0)
    return 'The token says that a wrong PIN was tried before, so that few tries are left before it locks itself';
  return undefined;
}

function locked(uri: string, name: string): SignerError {
  return new SignerError(
    'PIN_LOCKED',
    `The PIN of ${name} is locked after too many wrong tries; whoever has its SO PIN (or PUK) can set a new one.`,
    { uri },
  );
}
