import { describe, expect, it } from 'vitest';
import { generateSigner, rootOf } from '../../test/tools/tuf-signers.ts';
import { bytesOf, keyId, signer, textOf } from '../../test/tools/valid-metadata.ts';
import { MalformedMetadataError } from './errors.ts';
import { TargetFile } from './file.ts';
import { Metadata, addSignature, encodeEnvelope, signMetadata } from './metadata.ts';
import { Signature } from './signature.ts';
import type { Signed } from './signed.ts';
import { Targets } from './targets.ts';

describe('signMetadata', () => {
  it('signs once per signer, and the signature verifies after a round trip', async () => {
    const second = generateSigner('ecdsa-sha2-nistp256');
    const root = rootOf([signer, second], { threshold: 2 });
    const bytes = (await signMetadata(root, [signer, second])).toBytes();
    const again = Metadata.fromBytes(bytes, 'root');
    expect(await again.signed.verifyDelegate('root', again)).toMatchObject({ verified: true, threshold: 2 });
    expect(again.toBytes()).toEqual(bytes);
  });

  it('adds a signature, and replaces an earlier one of the same key', async () => {
    const second = generateSigner();
    const metadata = await signMetadata(rootOf([signer, second], { threshold: 2 }), [signer]);
    const both = await addSignature(await addSignature(metadata, second), signer);
    expect(both.signatures.map((signature) => signature.keyId)).toEqual([second.key.keyId, keyId]);
    expect(both.signedBytes).toBe(metadata.signedBytes);
    expect(await both.signed.verifyDelegate('root', both)).toMatchObject({ verified: true });
  });

  it('refuses two signatures of one key id', async () => {
    await expect(signMetadata(rootOf([signer]), [signer, signer])).rejects.toThrow(MalformedMetadataError);
  });

  it('writes envelopes that are JSON even when signed strings hold control characters', async () => {
    const path = 'a\nb\u001f\u0000"\\';
    const file = await TargetFile.fromBytes(path, bytesOf(''));
    const targets = new Targets({
      version: 1,
      expires: new Date('2030-01-01T00:00:00Z'),
      targets: new Map([[path, file]]),
    });
    const metadata = await signMetadata<Signed>(targets, [signer]);
    const bytes = metadata.toBytes();
    expect(
      Object.keys((JSON.parse(textOf(bytes)) as { signed: { targets: object } }).signed.targets),
    ).toEqual([path]);
    const again = Metadata.fromBytes(bytes, 'targets');
    expect(again.signedBytes).toEqual(metadata.signedBytes);
    expect(textOf(again.signedBytes)).toContain('a\nb\u001f\u0000');
    expect(again.toBytes()).toEqual(bytes);
  });

  it('wraps a signed part that was encoded elsewhere', async () => {
    const metadata = await signMetadata(rootOf([signer]), [signer]);
    expect(encodeEnvelope(metadata.signatures, metadata.signedBytes)).toEqual(metadata.toBytes());
    expect(textOf(encodeEnvelope([new Signature('a', '00')], bytesOf('{}')))).toBe(
      '{"signatures":[{"keyid":"a","sig":"00"}],"signed":{}}',
    );
  });
});
