/**
 * Passwords as they are stored: `scrypt:<log2 N>:<r>:<p>:<salt>:<hash>`, the last two in base64url. The cost stands with each, so
 * that it can be raised without asking anybody for a new password.
 */
import { randomBytes, scrypt, timingSafeEqual, type ScryptOptions } from 'node:crypto';
import { promisify } from 'node:util';
import { RegistryError } from './errors.ts';

interface Cost {
  readonly log2N: number;
  readonly r: number;
  readonly p: number;
}

const deriveKey = promisify<string, Buffer, number, ScryptOptions, Buffer>(scrypt);

/** OWASP's figures for 32 MiB: about a sixth of a second. */
const COST: Cost = { log2N: 15, r: 8, p: 3 };
/** No stored hash may ask for more. */
const HIGHEST_COST: Cost = { log2N: 18, r: 16, p: 8 };
const SALT_LENGTH = 16;
const KEY_LENGTH = 32;
const SHORTEST = 12;
/** Bytes; scrypt hashes any length, but nobody may make it hash megabytes. */
const LONGEST = 1024;

const STORED = /^scrypt:(\d{1,2}):(\d{1,2}):(\d{1,2}):([A-Za-z0-9_-]{22}):([A-Za-z0-9_-]{43})$/;

/** Hashes a new password for storing. @throws RegistryError INVALID_REQUEST when it is blank, too short or too long */
export async function hashPassword(password: string): Promise<string> {
  if (password.trim().length < SHORTEST) {
    throw new RegistryError('INVALID_REQUEST', `A password has at least ${SHORTEST} characters.`);
  }
  if (Buffer.byteLength(password) > LONGEST) {
    throw new RegistryError('INVALID_REQUEST', `A password has at most ${LONGEST} bytes.`);
  }
  const salt = randomBytes(SALT_LENGTH);
  const key = await derive(password, salt, COST);
  return `scrypt:${COST.log2N}:${COST.r}:${COST.p}:${salt.toString('base64url')}:${key.toString('base64url')}`;
}

/** Whether it is the password of the stored hash. Takes as long when there is none, so that time tells nobody who exists. */
export async function isPassword(password: string, stored: string | null): Promise<boolean> {
  const match = stored === null ? null : STORED.exec(stored);
  const [, log2N, r, p, salt = '', hash = ''] = match ?? [];
  const cost = match === null ? COST : { log2N: Number(log2N), r: Number(r), p: Number(p) };
  if (cost.log2N > HIGHEST_COST.log2N || cost.r > HIGHEST_COST.r || cost.p > HIGHEST_COST.p) return false;
  const tooLong = Buffer.byteLength(password) > LONGEST;
  const key = await derive(tooLong ? '' : password, Buffer.from(salt, 'base64url'), cost);
  const expected = match === null ? Buffer.alloc(KEY_LENGTH) : Buffer.from(hash, 'base64url');
  return timingSafeEqual(key, expected) && match !== null && !tooLong;
}

function derive(password: string, salt: Buffer, { log2N, r, p }: Cost): Promise<Buffer> {
  const N = 2 ** log2N;
  return deriveKey(password.normalize('NFC'), salt, KEY_LENGTH, { N, r, p, maxmem: 256 * N * r });
}
