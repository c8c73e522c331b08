export { canonicalJsonText, canonicalString, encodeCanonicalJson } from './canonical-json.ts';
export { compareCodePoints } from './code-points.ts';
export type { DigestAlgorithm, MaybePromise, TufCrypto } from './crypto.ts';
export { defaultCrypto } from './default-crypto.ts';
export { DelegatedRole } from './delegated-role.ts';
export type { DelegatedRoleFields } from './delegated-role.ts';
export { Delegations } from './delegations.ts';
export type { DelegationMatch, DelegationsFields } from './delegations.ts';
export {
  DownloadError,
  DownloadHttpError,
  DownloadLengthMismatchError,
  SlowRetrievalError,
} from './download-error.ts';
export type { DownloadErrorCode } from './download-error.ts';
export {
  BadVersionNumberError,
  EqualVersionNumberError,
  EquivocationError,
  ExpiredMetadataError,
  KeyError,
  LengthOrHashMismatchError,
  MalformedMetadataError,
  RepositoryError,
  RoleNotFoundError,
  UnsignedMetadataError,
  WorkflowOrderError,
} from './errors.ts';
export type { KeyErrorCode, RepositoryErrorCode, RepositoryErrorDetails } from './errors.ts';
export { formatExpires } from './expiry.ts';
export { MetaFile, TargetFile } from './file.ts';
export type { Hashes } from './file.ts';
export { decodeHex, encodeHex } from './hex.ts';
export { DEFAULT_JSON_LIMITS, JsonError, parseJson, parseJsonDocument } from './json.ts';
export type { JsonDocument, JsonLimits, JsonMember, JsonObject, JsonValue } from './json.ts';
export { Key } from './key.ts';
export {
  binForPathHash,
  binName,
  binPathHashPrefixes,
  encodePath,
  isSafeRoleName,
  isSafeTargetPath,
  metadataFileName,
  percentEncode,
  targetFileName,
} from './layout.ts';
export { Metadata, addSignature, encodeEnvelope, signMetadata } from './metadata.ts';
export type { MetadataOptions, SignedByType } from './metadata.ts';
export { mlDsaMessage } from './ml-dsa.ts';
export { matchesPathPattern } from './path-pattern.ts';
export { printable } from './printable.ts';
export type { Algorithm, PublicKey } from './public-key.ts';
export { Role, TOP_LEVEL_ROLE_NAMES } from './role.ts';
export type { RoleFields } from './role.ts';
export { Root } from './root.ts';
export type { RootFields } from './root.ts';
export { sha256, targetPathHash } from './sha256.ts';
export { Signature } from './signature.ts';
export { SPEC_VERSION, Signed } from './signed.ts';
export type { SignedFields, SignedType } from './signed.ts';
export type { Signer, SigningContext } from './signer.ts';
export { Snapshot } from './snapshot.ts';
export type { SnapshotFields } from './snapshot.ts';
export { SuccinctRoles } from './succinct-roles.ts';
export type { SuccinctRolesFields } from './succinct-roles.ts';
export { ROLE_NAME_FIELD, Targets } from './targets.ts';
export type { TargetsFields } from './targets.ts';
export { Timestamp } from './timestamp.ts';
export type { TimestampFields } from './timestamp.ts';
export { requireVerified, verifySignatures } from './verification.ts';
export type { VerificationResult } from './verification.ts';
export { TrustedMetadataSet } from './trusted-metadata-set.ts';
export type { TrustedMetadataSetOptions } from './trusted-metadata-set.ts';
export { NodeCrypto } from './node-crypto.ts';
export { WebCrypto } from './web-crypto.ts';
