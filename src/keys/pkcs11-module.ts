import { SignerError } from './signer-error.ts';

/** The optional package; it compiles when it is installed, and everything else works without it. */
const PACKAGE: string = 'pkcs11js';

export type Handle = Buffer;

interface Attribute {
  readonly type: number;
  readonly value?: number | boolean | string | Buffer;
}

interface Mechanism {
  readonly mechanism: number;
  readonly parameter: null;
}

export interface TokenInfo {
  readonly label: string;
  readonly manufacturerID: string;
  readonly model: string;
  readonly serialNumber: string;
  readonly flags: number;
  readonly minPinLen: number;
  readonly maxPinLen: number;
}

/** What is used of a PKCS #11 module, as pkcs11js offers it. */
export interface Pkcs11Module {
  load(path: string): void;
  C_Initialize(options?: { readonly flags: number }): void;
  C_GetSlotList(tokenPresent: boolean): Handle[];
  C_GetTokenInfo(slot: Handle): TokenInfo;
  C_OpenSession(slot: Handle, flags: number): Handle;
  C_CloseSession(session: Handle): void;
  C_GetSessionInfo(session: Handle): { readonly state: number };
  C_Login(session: Handle, userType: number, pin?: string): void;
  C_FindObjectsInit(session: Handle, template: readonly Attribute[]): void;
  C_FindObjects(session: Handle, maxObjectCount: number): Handle[];
  C_FindObjectsFinal(session: Handle): void;
  C_GetAttributeValue(
    session: Handle,
    object: Handle,
    query: readonly Attribute[],
  ): readonly { value: Buffer }[];
  C_GenerateKeyPair(
    session: Handle,
    mechanism: Mechanism,
    publicTemplate: readonly Attribute[],
    privateTemplate: readonly Attribute[],
  ): { readonly publicKey: Handle; readonly privateKey: Handle };
  C_SignInit(session: Handle, mechanism: Mechanism, key: Handle): void;
  C_SignAsync(session: Handle, input: Buffer, output: Buffer): Promise<Buffer>;
}

/** Return values of PKCS #11 (2.40, section 6) that mean something to us. */
export const CKR = {
  DEVICE_ERROR: 0x30,
  DEVICE_REMOVED: 0x32,
  CANT_LOCK: 0x0a,
  PIN_INCORRECT: 0xa0,
  PIN_INVALID: 0xa1,
  PIN_LEN_RANGE: 0xa2,
  PIN_EXPIRED: 0xa3,
  PIN_LOCKED: 0xa4,
  SESSION_CLOSED: 0xb0,
  SESSION_HANDLE_INVALID: 0xb3,
  TOKEN_NOT_PRESENT: 0xe0,
  USER_ALREADY_LOGGED_IN: 0x100,
  USER_NOT_LOGGED_IN: 0x101,
  CRYPTOKI_ALREADY_INITIALIZED: 0x191,
} as const;

const CKF_OS_LOCKING_OK = 0x2;

/** One for each library: `C_Initialize` is once per process, and other threads may use the library too, so that it is never finalised. */
const modules = new Map<string, Promise<Pkcs11Module>>();

/** Loads a PKCS #11 library. Throws MISSING_PACKAGE, MODULE_UNUSABLE. */
export function loadPkcs11Module(path: string): Promise<Pkcs11Module> {
  const known = modules.get(path);
  if (known !== undefined) return known;
  const loading = load(path);
  modules.set(path, loading);
  loading.catch(() => modules.delete(path));
  return loading;
}

/** The CKR value of an error of pkcs11js, or undefined for any other error. */
export function resultOf(error: unknown): number | undefined {
  return error instanceof Error && error.name === 'Pkcs11Error' && 'code' in error
    ? Number(error.code)
    : undefined;
}

async function load(path: string): Promise<Pkcs11Module> {
  const module = await createModule();
  try {
    module.load(path);
    initialize(module);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new SignerError(
      'MODULE_UNUSABLE',
      `The PKCS #11 library ${path} cannot be used (${reason}); name the library of your token with module=PATH.`,
      { cause },
    );
  }
  return module;
}

function initialize(module: Pkcs11Module): void {
  try {
    module.C_Initialize({ flags: CKF_OS_LOCKING_OK });
  } catch (error) {
    const result = resultOf(error);
    if (result === CKR.CRYPTOKI_ALREADY_INITIALIZED) return;
    if (result !== CKR.CANT_LOCK) throw error;
    module.C_Initialize();
  }
}

async function createModule(): Promise<Pkcs11Module> {
  try {
    const { default: pkcs11js } = (await import(PACKAGE)) as {
      readonly default: { readonly PKCS11: new () => Pkcs11Module };
    };
    return new pkcs11js.PKCS11();
  } catch (cause) {
    throw new SignerError(
      'MISSING_PACKAGE',
      'Keys in hardware need the package pkcs11js, which is not here or was not compiled: npm install pkcs11js (it needs a C++ compiler, make and python3, and npm must be allowed to run its install script). The wheel and the executable of rind come without it: use the npm package there.',
      { cause },
    );
  }
}
