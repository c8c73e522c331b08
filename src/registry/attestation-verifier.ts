import { readFile } from 'node:fs/promises';
import type { Verifier } from '@sigstore/verify';
import { refusal, type Attestation } from './attestation.ts';

/** Who signed an attestation, as Sigstore's certificate authority certified it. */
export interface AttestedIdentity {
  /** The OpenID Connect issuer that knew her. */
  readonly issuer: string;
  /** A workflow's address for the issuers of trusted publishing. */
  readonly subject: string;
}

type Sigstore = typeof import('@sigstore/verify') & typeof import('@sigstore/bundle');

/**
 * Verifies attestations against one trusted root (certificate authorities and transparency logs, Sigstore's `trusted_root.json`), without
 * network: signature, certificate chain, signed certificate timestamp and inclusion in the transparency log. The libraries are loaded by
 * the first upload that has attestations.
 */
export class AttestationVerifier {
  readonly #path: string;
  #loading: Promise<{ readonly sigstore: Sigstore; readonly verifier: Verifier }> | undefined;

  /** `trustedRootPath`: read once, when first needed. */
  constructor(trustedRootPath: string) {
    this.#path = trustedRootPath;
  }

  /** Who signed it. @throws RegistryError INVALID_FORM; another Error when the trusted root cannot be read */
  async verify(attestation: Attestation): Promise<AttestedIdentity> {
    const { sigstore, verifier } = await this.#load();
    try {
      const bundle = sigstore.bundleFromJSON(bundleJson(attestation));
      const { identity } = verifier.verify(sigstore.toSignedEntity(bundle));
      const { subjectAlternativeName: subject, extensions } = identity ?? {};
      if (subject === undefined || extensions?.issuer === undefined) throw new Error('no identity');
      return { issuer: extensions.issuer, subject };
    } catch (error) {
      throw refusal(
        'one does not verify: its signature, its certificate or its log entry is not good',
        error,
      );
    }
  }

  #load(): Promise<{ readonly sigstore: Sigstore; readonly verifier: Verifier }> {
    this.#loading ??= load(this.#path).catch((error: unknown) => {
      this.#loading = undefined;
      throw error;
    });
    return this.#loading;
  }
}

async function load(path: string): Promise<{ readonly sigstore: Sigstore; readonly verifier: Verifier }> {
  const [verify, bundle, { TrustedRoot }, text] = await Promise.all([
    import('@sigstore/verify'),
    import('@sigstore/bundle'),
    import('@sigstore/protobuf-specs'),
    readFile(path, 'utf8'),
  ]);
  const sigstore = { ...verify, ...bundle };
  const trustedRoot = TrustedRoot.fromJSON(JSON.parse(text));
  return { sigstore, verifier: new verify.Verifier(verify.toTrustMaterial(trustedRoot)) };
}

/** As a Sigstore bundle, version 0.3: the same parts in other places. */
function bundleJson({ verification_material: material, envelope }: Attestation): object {
  return {
    mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
    verificationMaterial: {
      certificate: { rawBytes: material.certificate },
      tlogEntries: material.transparency_entries,
    },
    dsseEnvelope: {
      payload: envelope.statement,
      payloadType: 'application/vnd.in-toto+json',
      signatures: [{ sig: envelope.signature, keyid: '' }],
    },
  };
}
