/**
 * API tokens as text: `rind_`, 43 base62 characters that carry 256 random bits, 6 base62 characters of CRC-32 over all that
 * stands before. The prefix lets secret scanners find leaked tokens; the checksum lets them, and us, tell a token from a
 * look-alike without asking the database. Only the sha256 of the token is stored: it is random, so no slow hash is needed.
 */
import { createHash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

const PREFIX = 'rind_';
const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const SECRET_BYTES = 32;
const SECRET_LENGTH = 43;
const CHECKSUM_LENGTH = 6;
const TOKEN = new RegExp(`^${PREFIX}[0-9A-Za-z]{${SECRET_LENGTH + CHECKSUM_LENGTH}}$`);

/** A new token; the caller shows it once and keeps its hash. */
export function generateToken(): string {
  const secret = BigInt(`0x${randomBytes(SECRET_BYTES).toString('hex')}`);
  const body = PREFIX + base62(secret, SECRET_LENGTH);
  return body + checksum(body);
}

/** Whether `text` has a token's form and its checksum fits. Says nothing about whether it is known. */
export function isWellFormedToken(text: string): boolean {
  if (!TOKEN.test(text)) return false;
  const body = text.slice(0, -CHECKSUM_LENGTH);
  return text.slice(-CHECKSUM_LENGTH) === checksum(body);
}

/** The form in which tokens are stored and looked up: sha256, lower-case hex. */
export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

function checksum(body: string): string {
  return base62(BigInt(crc32(body)), CHECKSUM_LENGTH);
}

function base62(value: bigint, length: number): string {
  let digits = '';
  for (let rest = value; digits.length < length; rest /= 62n) {
    digits = (ALPHABET[Number(rest % 62n)] ?? '') + digits;
  }
  return digits;
}
