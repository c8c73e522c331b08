import type { Signer } from '../tuf/signer.ts';
import { openSigner } from './key-uri.ts';
import type { OpenedSigner } from './opened-signer.ts';
import { noSecret, parseSecretSource } from './secret-source.ts';

/** A key, and where its secret comes from (`parseSecretSource`); the secret itself stands in neither, so that both can be written down. */
export interface KeyChoice {
  readonly uri: string;
  readonly secret?: string | undefined;
}

/** Signers that are closed together. */
export interface OpenedSigners {
  readonly signers: readonly Signer[];
  close(): Promise<void>;
}

/** Opens all of the keys or none. Throws as `openSigner`. */
export async function openSigners(choices: readonly KeyChoice[]): Promise<OpenedSigners> {
  const signers: OpenedSigner[] = [];
  const close = async () => {
    await Promise.allSettled(signers.map((signer) => signer.close()));
  };
  try {
    for (const { uri, secret } of choices) {
      const source = secret === undefined ? noSecret : parseSecretSource(secret);
      signers.push(await openSigner(uri, { secret: source }));
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { signers, close };
}
