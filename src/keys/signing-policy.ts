import { RepositoryError } from '../tuf/errors.ts';
import { binForPathHash, binName } from '../tuf/layout.ts';
import { Metadata, encodeEnvelope } from '../tuf/metadata.ts';
import { targetPathHash } from '../tuf/sha256.ts';
import type { Signed, SignedType } from '../tuf/signed.ts';
import { ROLE_NAME_FIELD, Targets } from '../tuf/targets.ts';

/** What a signer process signs. */
export interface SigningPolicy {
  /** Roles by name, or `bin-*` for every bin; how long their metadata may be valid from now, in milliseconds. */
  readonly lifetimes: ReadonlyMap<string, number>;
  /** The number of bins, if it is to be checked that every target stands in its own bin. */
  readonly bins?: number | undefined;
}

export type PolicyErrorCode =
  | 'MALFORMED_REQUEST'
  | 'UNKNOWN_KEY'
  | 'FOREIGN_ROLE'
  | 'NOT_METADATA'
  | 'FOREIGN_CONTENT'
  | 'EXPIRY_BEYOND_POLICY'
  | 'ALREADY_EXPIRED'
  | 'VERSION_WENT_BACK'
  | 'VERSION_USED'
  | 'VERSION_JUMPED';

/** A request that the policy refuses. */
export class PolicyError extends Error {
  override readonly name = 'PolicyError';
  readonly code: PolicyErrorCode;
  readonly role: string;
  readonly version: number | undefined;

  constructor(code: PolicyErrorCode, message: string, role: string, version?: number) {
    super(message);
    this.code = code;
    this.role = role;
    this.version = version;
  }
}

/** The pattern of every bin in a policy. */
export const ANY_BIN = 'bin-*';

const RECENTLY_CLAIMED = 'recently-claimed';

const TYPES: ReadonlyMap<string, SignedType> = new Map<string, SignedType>([
  ['root', 'root'],
  ['timestamp', 'timestamp'],
  ['snapshot', 'snapshot'],
]);

/** Reads the bytes as metadata of the role and holds them against the policy. Throws PolicyError. */
export function checkSigned(policy: SigningPolicy, role: string, bytes: Uint8Array, now: Date): Signed {
  const lifetime = policy.lifetimes.get(isBin(role) ? ANY_BIN : isPart(role) ? RECENTLY_CLAIMED : role);
  if (lifetime === undefined || role === ANY_BIN) {
    throw new PolicyError('FOREIGN_ROLE', `The role "${role}" is none of this signer's roles.`, role);
  }
  const signed = parse(role, bytes);
  checkContent(policy, role, signed);
  const { expires, version } = signed;
  const refuse = (code: PolicyErrorCode, what: string) =>
    new PolicyError(
      code,
      `${role} version ${version} expires ${expires.toISOString()}, ${what}.`,
      role,
      version,
    );
  if (expires.getTime() > now.getTime() + lifetime) {
    throw refuse('EXPIRY_BEYOND_POLICY', `more than ${lifetime / 86_400_000} days from now`);
  }
  if (signed.isExpired(now)) throw refuse('ALREADY_EXPIRED', 'which is past');
  return signed;
}

/** The bytes must be exactly the canonical signed part, so that nothing else can be read from them. */
function parse(role: string, bytes: Uint8Array): Signed {
  try {
    const envelope = encodeEnvelope([], bytes);
    const metadata = Metadata.fromBytes(envelope, TYPES.get(role) ?? 'targets', { role });
    if (Buffer.compare(metadata.signedBytes, bytes) === 0) return metadata.signed;
  } catch (error) {
    if (!(error instanceof RepositoryError)) throw error;
  }
  throw new PolicyError('NOT_METADATA', `What was to be signed is no canonical metadata of ${role}.`, role);
}

/** Bins sign their own name, and every target belongs into one bin by its hash. */
function checkContent({ bins }: SigningPolicy, role: string, signed: Signed): void {
  if (!(signed instanceof Targets)) return;
  const foreign = (what: string) =>
    new PolicyError('FOREIGN_CONTENT', `${role} version ${signed.version} ${what}.`, role, signed.version);
  const name = signed.unrecognizedFields.get(ROLE_NAME_FIELD);
  if (name !== undefined && name !== role) throw foreign('says that it is metadata of another role');
  if (isPart(role) && (name === undefined || signed.targets.size > 0))
    throw foreign(`is no part of ${RECENTLY_CLAIMED}, which says its name and lists no targets`);
  if (!isBin(role)) return;
  if (name === undefined) throw foreign(`does not say in ${ROLE_NAME_FIELD} which bin it is`);
  if (signed.delegations !== undefined) throw foreign('delegates, which no bin does');
  if (bins === undefined) return;
  for (const path of signed.targets.keys()) {
    if (binName('bin', binForPathHash(targetPathHash(path), bins), bins) !== role) {
      throw foreign('lists a target of another bin');
    }
  }
}

/** Parts of the list of recently claimed projects, by the beginning of the project's name (PEP 480). */
function isPart(role: string): boolean {
  return /^recently-claimed-[a-z0-9-]{1,130}$/.test(role);
}

function isBin(role: string): boolean {
  return /^bin-[0-9a-f]{1,8}$/.test(role);
}
