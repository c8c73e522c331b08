import { createHash } from 'node:crypto';
import { Metadata } from '../tuf/metadata.ts';
import { metadataFileName } from '../tuf/layout.ts';
import type { Root } from '../tuf/root.ts';
import type { Fetcher } from '../updater/fetcher.ts';

export type TrustedRootErrorCode =
  'unreadable-root' | 'unsigned-root' | 'wrong-version' | 'wrong-fingerprint';

/** A root that must not become the beginning of trust. */
export class TrustedRootError extends Error {
  override readonly name = 'TrustedRootError';
  readonly code: TrustedRootErrorCode;

  constructor(code: TrustedRootErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A root version that is well-formed and signed by its own threshold. Whether to trust it is somebody's decision. */
export interface SelfSignedRoot {
  readonly bytes: Uint8Array;
  readonly root: Root;
  /** sha256 of the canonical signed part, lower-case hex: what people compare. */
  readonly fingerprint: string;
  /** Keys that signed, and that had to. */
  readonly signatures: number;
  readonly threshold: number;
}

/** Bytes. */
export const MAX_ROOT_LENGTH = 512_000;

/**
 * Reads a root and checks that its own keys signed it.
 *
 * @throws TrustedRootError
 */
export async function readSelfSignedRoot(bytes: Uint8Array): Promise<SelfSignedRoot> {
  const metadata = parseRoot(bytes);
  const result = await metadata.signed.verifyDelegate('root', metadata);
  const signatures = new Set([...result.signed.values()].map((key) => key.publicKey.material)).size;
  if (!result.verified) {
    const count = `${signatures} of the ${result.threshold} keys it names itself`;
    throw new TrustedRootError(
      'unsigned-root',
      `This root is signed by ${count}, so nobody should trust it.`,
    );
  }
  const fingerprint = createHash('sha256').update(metadata.signedBytes).digest('hex');
  return { bytes, root: metadata.signed, fingerprint, signatures, threshold: result.threshold };
}

/** Fetches `metadata/<version>.root.json` of an index. It proves nothing yet. */
export async function fetchRoot(fetcher: Fetcher, indexUrl: string, version: number): Promise<Uint8Array> {
  const url = `${indexUrl}metadata/${metadataFileName('root', version)}`;
  const chunks: Uint8Array[] = [];
  for await (const chunk of fetcher.fetch(url, { maxLength: MAX_ROOT_LENGTH, compressible: true })) {
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/**
 * A fingerprint as people paste it: 64 hexadecimal digits in any case, perhaps after `sha256:`, perhaps in groups.
 *
 * @returns lower-case hex, or `undefined`
 */
export function parseFingerprint(text: string): string | undefined {
  const digits = text
    .trim()
    .toLowerCase()
    .replace(/^sha256:/, '')
    .replace(/[\s:]/g, '');
  return /^[0-9a-f]{64}$/.test(digits) ? digits : undefined;
}

/** @throws TrustedRootError when `root` is not the version with this fingerprint */
export function requireFingerprint(root: SelfSignedRoot, version: number, fingerprint: string): void {
  if (root.root.version !== version) {
    throw new TrustedRootError(
      'wrong-version',
      `The index gave root version ${root.root.version} where version ${version} has its place.`,
    );
  }
  if (root.fingerprint !== fingerprint) {
    throw new TrustedRootError(
      'wrong-fingerprint',
      `Root version ${version} of the index has the fingerprint ${root.fingerprint}, not ${fingerprint}.`,
    );
  }
}

function parseRoot(bytes: Uint8Array): Metadata<Root> {
  if (bytes.length > MAX_ROOT_LENGTH) {
    throw new TrustedRootError('unreadable-root', `A root has at most ${MAX_ROOT_LENGTH} bytes.`);
  }
  try {
    return Metadata.fromBytes(bytes, 'root');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new TrustedRootError('unreadable-root', `This is not TUF root metadata: ${reason}.`, {
      cause: error,
    });
  }
}
