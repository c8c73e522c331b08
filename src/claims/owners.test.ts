import { createHash, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Key } from '../tuf/key.ts';
import { MOST_OWNER_KEYS, ownersJson, readOwners } from './owners.ts';

const small = Array.from({ length: MOST_OWNER_KEYS }, (_, index) =>
  Key.fromPublicKey('ed25519', 'ed25519', createHash('sha256').update(`${index}`).digest('hex')),
);

describe('the owners that a project names', () => {
  it('are as many as it may have, with keys of the usual size', () => {
    expect(readOwners(ownersJson({ keys: small, threshold: 2 })).keys).toHaveLength(MOST_OWNER_KEYS);
  });

  it('are not so long that a few projects fill the lists that every client fetches', () => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const pem = String(publicKey.export({ format: 'pem', type: 'spki' }));
    const long = Key.fromPublicKey('rsa', 'rsassa-pss-sha256', pem);
    const keys = small.map(({ keyId }) => Key.fromJson(keyId, long.toJson()));
    expect(() => readOwners(ownersJson({ keys, threshold: 1 }))).toThrow('16384 bytes');
  });
});
