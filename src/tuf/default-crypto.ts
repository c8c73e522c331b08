import type { TufCrypto } from './crypto.ts';
import { nodeCrypto } from './node-crypto.ts';

/** Used where a caller names no other. */
export const defaultCrypto: TufCrypto = nodeCrypto;
