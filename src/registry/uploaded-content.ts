import type { TemporaryObject } from '../storage/object-store.ts';

/** A file as it arrived: its bytes in a temporary object, its digests (lower-case hex) computed on the way. */
export interface UploadedContent {
  /** As the client named it; unchecked. */
  readonly filename: string;
  readonly temporary: TemporaryObject;
  /** Bytes. */
  readonly length: number;
  readonly sha256: string;
  readonly blake2b256: string;
  readonly md5: string;
}
