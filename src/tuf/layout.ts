/**
 * The name of a metadata file below the metadata URL (spec 5.3-5.6): `7.root.json`, without version `timestamp.json`.
 * The role is percent-encoded as Python's `quote(role, "")` does, so that no role name leaves the folder.
 */
export function metadataFileName(role: string, version?: number): string {
  const name = `${percentEncode(role)}.json`;
  return version === undefined ? name : `${version}.${name}`;
}

/** The name of a target below the target URL; with a hash its consistent-snapshot copy (hash before the last segment). */
export function targetFileName(path: string, hash?: string): string {
  if (hash === undefined) return path;
  const slash = path.lastIndexOf('/') + 1;
  return `${path.slice(0, slash)}${hash}.${path.slice(slash)}`;
}

/** A path as part of a URL: every segment percent-encoded, the slashes kept. */
export function encodePath(path: string): string {
  return path.split('/').map(percentEncode).join('/');
}

/** One path segment, percent-encoded: everything but letters, digits and `_.-~`. */
export function percentEncode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

const MAX_TARGET_PATH_LENGTH = 1024;

/**
 * Whether a target path is safe as part of a URL, an object key and a file name alike: relative, no empty, `.` or `..`
 * segment, no control character and none of `\ ? # % :`. What we write keeps to this; what we read may not.
 */
export function isSafeTargetPath(path: string): boolean {
  if (path.length > MAX_TARGET_PATH_LENGTH) return false;
  if (/[\p{Cc}\p{Cs}\\?#%:]/u.test(path)) return false;
  return path.split('/').every((segment) => segment !== '' && segment !== '.' && segment !== '..');
}

/** Whether a role name is one that we write: `[a-z0-9._-]`, so that no server or file system reads it differently. */
export function isSafeRoleName(name: string): boolean {
  return name.length <= 255 && /^[a-z0-9._-]+$/.test(name);
}

/**
 * The name of one of `count` bins: `binName('bin', 0x0a3f, 16384)` is `bin-0a3f` (TAP 15).
 * @throws {RangeError} unless count is a power of two up to 2^32 and index one of its bins
 */
export function binName(prefix: string, index: number, count: number): string {
  binBits(count);
  if (!Number.isInteger(index) || index < 0 || index >= count)
    throw new RangeError(`there is no bin ${index} of ${count}`);
  return `${prefix}-${index.toString(16).padStart(binDigits(count), '0')}`;
}

/** The bin of a target path's hash ({@link targetPathHash}): its first bits. */
export function binForPathHash(pathHash: string, count: number): number {
  const bits = binBits(count);
  return bits === 0 ? 0 : Number.parseInt(pathHash.slice(0, 8), 16) >>> (32 - bits);
}

/** The `path_hash_prefixes` of a bin: the shortest hexadecimal prefixes that cover exactly its hashes (PEP 458). */
export function binPathHashPrefixes(index: number, count: number): readonly string[] {
  const digits = Math.max(1, Math.ceil(binBits(count) / 4));
  const perBin = 16 ** digits / count;
  return Array.from({ length: perBin }, (_, offset) =>
    (index * perBin + offset).toString(16).padStart(digits, '0'),
  );
}

function binDigits(count: number): number {
  return (count - 1).toString(16).length;
}

function binBits(count: number): number {
  const bits = Math.log2(count);
  if (!Number.isInteger(bits) || bits < 0 || bits > 32)
    throw new RangeError(`${count} is no power of two up to 2^32`);
  return bits;
}
