import type { OpenedSigner, OpenSignerOptions, SignerBackend } from './opened-signer.ts';
import { CheckedSigner } from './opened-signer.ts';
import { SignerError } from './signer-error.ts';

type OpenBackend = (uri: string, options: OpenSignerOptions) => Promise<SignerBackend>;

/** Each kind of signer is one file, loaded when its scheme is first used. The schemes are those of securesystemslib, and `signer:`. */
const BACKENDS: ReadonlyMap<string, () => Promise<OpenBackend>> = new Map([
  ['file2', async () => (await import('./file-signer.ts')).openFileSigner],
  ['derived', async () => (await import('./derived-signer.ts')).openDerivedSigner],
  ['hsm', async () => (await import('./pkcs11-signer.ts')).openPkcs11Signer],
  ['awskms', async () => (await import('./aws-kms-signer.ts')).openAwsKmsSigner],
  ['gcpkms', async () => (await import('./gcp-kms-signer.ts')).openGcpKmsSigner],
  ['azurekms', async () => (await import('./azure-kms-signer.ts')).openAzureKmsSigner],
  ['hv', async () => (await import('./vault-signer.ts')).openVaultSigner],
  ['signer', async () => (await import('./socket-signer.ts')).openSocketSigner],
]);

/** The scheme of a key URI, or undefined when it has none. */
export function schemeOfKeyUri(uri: string): string | undefined {
  return /^([a-z][a-z0-9]*):/.exec(uri)?.[1];
}

/**
 * Opens the private key that a URI names, asking for a passphrase or PIN where one is needed. Every signature is verified before it is
 * returned. Close the signer after use.
 *
 * - `file2:PATH` an encrypted key file of ours, or PKCS #8 in PEM, plain or encrypted
 * - `derived:NAME` an Ed25519 key computed from a long passphrase and a name
 * - `hsm:KEYID?label=TOKEN&module=PATH` PKCS #11
 * - `awskms:KEY`, `gcpkms:RESOURCE`, `azurekms://VAULT/keys/NAME/VERSION`, `hv:KEY/VERSION` key services, with the credentials of the surroundings
 * - `signer:PATH#KEYID` a key that `rind signer` holds, over its socket
 * @throws {SignerError} @throws {PrivateKeyError}
 */
export async function openSigner(uri: string, options: OpenSignerOptions): Promise<OpenedSigner> {
  const load = BACKENDS.get(schemeOfKeyUri(uri) ?? '');
  if (load === undefined) {
    const known = [...BACKENDS.keys()].map((scheme) => `${scheme}:`).join(', ');
    throw new SignerError('UNKNOWN_SCHEME', `"${uri}" is no key URI: it must begin with one of ${known}.`, {
      uri,
    });
  }
  const open = await load();
  const backend = await open(uri, options);
  try {
    return new CheckedSigner(uri, backend, options.publicKey);
  } catch (error) {
    await backend.close?.();
    throw error;
  }
}
