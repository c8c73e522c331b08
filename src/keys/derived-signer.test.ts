import { describe, expect, it } from 'vitest';
import { openSigner } from './key-uri.ts';

const PASSPHRASE = 'correct horse battery staple and some more words';

function open(name: string, passphrase: string) {
  return openSigner(`derived:${name}`, { secret: async () => passphrase });
}

describe('a derived key', () => {
  it('is the same on every machine, whatever case the name is written in', async () => {
    const one = await open('Me@Example.org', PASSPHRASE);
    const other = await open('me@example.org', PASSPHRASE);
    expect(other.key.keyId).toBe(one.key.keyId);
    // Another id here means that the keys of everybody who derived one are lost.
    expect(one.key.keyId).toBe('9cdc733f88f859117c4c2734c70e7eccf0e54544b73153c03724bd78868ea3f9');
    expect((await one.sign(new TextEncoder().encode('what is signed'))).keyId).toBe(one.key.keyId);
  });

  it('is another one for another name', async () => {
    const one = await open('me@example.org', PASSPHRASE);
    const other = await open('you@example.org', PASSPHRASE);
    expect(other.key.keyId).not.toBe(one.key.keyId);
  });

  it('refuses a passphrase that can be guessed, without repeating it', async () => {
    const error: unknown = await open('me@example.org', 'hunter2').catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'WEAK_PASSPHRASE' });
    expect(String(error)).not.toContain('hunter2');
  });

  it('refuses a name that is none', async () => {
    await expect(open('', PASSPHRASE)).rejects.toMatchObject({ code: 'MALFORMED_URI' });
  });
});
