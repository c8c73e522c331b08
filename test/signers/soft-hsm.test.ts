import { verify, createPublicKey } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateTokenKey, listTokenKeys, CKA, CKO } from '../../src/keys/pkcs11-keys.ts';
import { parseHsmUri } from '../../src/keys/hsm-uri.ts';
import { openSigner } from '../../src/keys/key-uri.ts';
import type { SecretQuestion } from '../../src/keys/opened-signer.ts';
import { loadPkcs11Module } from '../../src/keys/pkcs11-module.ts';
import { findObjects, login, openTokenSession } from '../../src/keys/pkcs11-token.ts';
import { publicKeyPem } from '../../src/keys/public-keys.ts';
import { defaultCrypto, Metadata, signMetadata } from '../../src/tuf/index.ts';
import { scratchFolder } from '../tools/rind-program.ts';
import { SoftHsm } from '../tools/soft-hsm.ts';
import { rootOf } from '../tools/tuf-signers.ts';
import { whenAvailable } from '../tools/unavailable.ts';

const PIN = '24680135';
const BYTES = new TextEncoder().encode('{"_type":"timestamp"}'.repeat(500));
const secret = () => Promise.resolve(PIN);

/** SoftHSM reads its configuration once in a process, so that all tests here share its tokens. */
describe('a PKCS #11 token (SoftHSM)', () => {
  let scratch: Awaited<ReturnType<typeof scratchFolder>>;
  const hsm = whenAvailable(async () => {
    scratch = await scratchFolder('soft-hsm');
    return SoftHsm.open(scratch.path);
  });
  beforeAll(async () => {
    if (!hsm.present) return;
    for (const label of ['root1', 'root2', 'twin', 'twin']) await hsm.value.createToken(label, PIN);
    await generateTokenKey(hsm.value.uri('2', 'root1'), 'ecdsa-sha2-nistp256', { secret });
    await generateTokenKey(hsm.value.uri('0x0003', 'root1'), 'ed25519', { secret, label: 'online' });
  });
  afterAll(() => scratch?.remove());

  describe.each([
    ['2', 'ecdsa-sha2-nistp256', 'sha256'],
    ['0x0003', 'ed25519', null],
  ] as const)('with the key %s, %s', (id, scheme, digest) => {
    it('signs what node:crypto and TUF verify, one after another and many at once', async () => {
      const signer = await openSigner(hsm.value.uri(id, 'root1'), { secret });
      expect(signer.key.scheme).toBe(scheme);
      const signatures = await Promise.all(Array.from({ length: 40 }, () => signer.sign(BYTES)));
      const publicKey = createPublicKey(publicKeyPem(signer.key));
      for (const { keyId, bytes } of signatures) {
        expect(keyId).toBe(signer.key.keyId);
        expect(verify(digest, BYTES, publicKey, bytes!)).toBe(true);
        expect(await defaultCrypto.verify(signer.key, bytes!, BYTES.subarray(1))).toBe(false);
      }
      await signer.close();
    });

    it('signs a root that verifies', async () => {
      const signer = await openSigner(hsm.value.uri(id, 'root1'), { secret });
      const signed = await signMetadata(rootOf([signer]), [signer]);
      const read = Metadata.fromBytes(signed.toBytes(), 'root');
      expect((await read.signed.verifyDelegate('root', read)).verified).toBe(true);
      await signer.close();
    });

    it('keeps the private key inside: sensitive, not extractable, and not even listed without the PIN', async () => {
      const parsed = parseHsmUri(hsm.value.uri(id, 'root1'));
      const token = openTokenSession(await loadPkcs11Module(parsed.module), parsed);
      const template = [
        { type: CKA.CLASS, value: CKO.PRIVATE_KEY },
        { type: CKA.ID, value: parsed.keyId! },
      ];
      expect(findObjects(token, template)).toEqual([]);
      await login('', token, secret);
      const [privateKey] = findObjects(token, template);
      const read = (type: number) =>
        token.module.C_GetAttributeValue(token.session, privateKey!, [{ type }])[0]!.value;
      expect(() => read(CKA.VALUE)).toThrow('CKR_ATTRIBUTE_SENSITIVE');
      expect([read(CKA.SENSITIVE)[0], read(CKA.EXTRACTABLE)[0]]).toEqual([1, 0]);
      token.module.C_CloseSession(token.session);
    });
  });

  it('finds its token by label wherever its slot is, and lists the keys without a PIN', async () => {
    const keys = await listTokenKeys(hsm.value.uri('', 'root1'));
    const listed = keys.map(({ id, label, key }) => [id, label, key?.scheme].join(' '));
    expect(listed.toSorted()).toEqual(['0x0003 online ed25519', '2 rind ecdsa-sha2-nistp256']);
  });

  it('takes key 2 when the URI names none, as securesystemslib does', async () => {
    const signer = await openSigner(hsm.value.uri('', 'root1'), { secret });
    expect(signer.key.scheme).toBe('ecdsa-sha2-nistp256');
    await signer.close();
  });

  it('never overwrites a key', async () => {
    const make = generateTokenKey(hsm.value.uri('2', 'root1'), 'ed25519', { secret });
    await expect(make).rejects.toMatchObject({ code: 'KEY_EXISTS' });
  });

  it('says that a wrong PIN counts, warns before the next question, and never repeats the PIN', async () => {
    const uri = hsm.value.uri('2', 'root2');
    const questions: SecretQuestion[] = [];
    const answer = (pin: string) => (question: SecretQuestion) => {
      questions.push(question);
      return Promise.resolve(pin);
    };
    const error: unknown = await openSigner(uri, { secret: answer('99887766') }).catch((e: unknown) => e);
    expect(error).toMatchObject({
      code: 'WRONG_PIN',
      message: expect.stringMatching(/tries.*lock/) as string,
    });
    expect(String((error as Error).stack)).not.toContain('99887766');
    await openSigner(uri, { secret: answer(PIN) }).catch(() => undefined);
    expect(questions.map(({ kind, subject, warning }) => [kind, subject, warning !== undefined])).toEqual([
      ['PIN', 'the token "root2"', false],
      ['PIN', 'the token "root2"', true],
    ]);
  });

  it('does not waste a try on a PIN that cannot be right', async () => {
    const uri = hsm.value.uri('2', 'root2');
    for (const pin of ['1', 'x'.repeat(300)]) {
      await expect(openSigner(uri, { secret: () => Promise.resolve(pin) })).rejects.toMatchObject({
        code: 'WRONG_PIN',
        message: expect.stringContaining('not tried') as string,
      });
    }
    let warning: string | undefined = 'unasked';
    const asked = openSigner(uri, { secret: (question) => ((warning = question.warning), secret()) });
    await expect(asked).rejects.toMatchObject({ code: 'KEY_MISSING' });
    expect(warning).toBeUndefined();
  });

  it.each([
    ['an unknown token', '2', 'nowhere', 'TOKEN_MISSING', /"root1"/],
    ['two tokens of one name', '2', 'twin', 'TOKEN_MISSING', /More than one token/],
    ['an unknown key', '77', 'root1', 'KEY_MISSING', /rind key show/],
  ])('names %s in a sentence', async (_name, id, label, code, message) => {
    const open = openSigner(hsm.value.uri(id, label), { secret });
    await expect(open).rejects.toMatchObject({ code, message: expect.stringMatching(message) as string });
  });

  it('names a library that is absent or no PKCS #11 library', async () => {
    for (const module of ['/nowhere/lib.so', '/bin/ls']) {
      const open = openSigner(`hsm:2?label=root1&module=${module}`, { secret });
      await expect(open).rejects.toMatchObject({ code: 'MODULE_UNUSABLE' });
    }
  });

  it('goes on when the session was lost, asking for the PIN again', async () => {
    let asked = 0;
    const signer = await openSigner(hsm.value.uri('2', 'root1'), {
      secret: () => ((asked += 1), secret()),
    });
    const module = await loadPkcs11Module(hsm.value.library);
    const parsed = parseHsmUri(hsm.value.uri('2', 'root1'));
    const token = openTokenSession(module, parsed);
    (module as unknown as { C_CloseAllSessions(slot: Buffer): void }).C_CloseAllSessions(token.slot);
    const { bytes } = await signer.sign(BYTES);
    expect(await defaultCrypto.verify(signer.key, bytes!, BYTES)).toBe(true);
    expect(asked).toBe(2);
    await signer.close();
  });

  it('never sends a refused PIN a second time when the session was lost', async () => {
    const pins = [PIN, '99887766', '99887766'];
    let asked = 0;
    const signer = await openSigner(hsm.value.uri('2', 'root1'), {
      secret: () => Promise.resolve(pins[asked++]!),
    });
    const module = await loadPkcs11Module(hsm.value.library);
    const token = openTokenSession(module, parseHsmUri(hsm.value.uri('2', 'root1')));
    (module as unknown as { C_CloseAllSessions(slot: Buffer): void }).C_CloseAllSessions(token.slot);
    for (let tries = 0; tries < 3; tries += 1) {
      await expect(signer.sign(BYTES)).rejects.toMatchObject({ code: 'WRONG_PIN' });
    }
    expect(asked).toBe(2);
    await signer.close();
  });
});
