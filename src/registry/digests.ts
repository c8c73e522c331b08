import { createHash } from 'node:crypto';
import { Transform, type TransformCallback } from 'node:stream';
import { createBLAKE2b, type IHasher } from 'hash-wasm';

/** What is known of a stream once it has passed, digests in lower-case hex. */
export interface StreamDigests {
  readonly length: number;
  readonly sha256: string;
  readonly blake2b256: string;
  readonly md5: string;
}

/** Hashers that nobody uses: making one compiles WebAssembly anew. */
const idle: IHasher[] = [];
const IDLE_KEPT = 16;

/** Passes bytes through unchanged and computes the digests that upload clients name. BLAKE2b-256 comes from hash-wasm: Node's crypto has only the 512-bit one. */
export class DigestStream extends Transform {
  readonly #sha256 = createHash('sha256');
  readonly #md5 = createHash('md5');
  readonly #blake2b: IHasher;
  #length = 0;

  private constructor(blake2b: IHasher) {
    super();
    this.#blake2b = blake2b;
  }

  static async create(): Promise<DigestStream> {
    return new DigestStream((idle.pop() ?? (await createBLAKE2b(256))).init());
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, callback: TransformCallback): void {
    this.#length += chunk.length;
    this.#sha256.update(chunk);
    this.#md5.update(chunk);
    this.#blake2b.update(chunk);
    callback(null, chunk);
  }

  /** Call it once, when the stream has ended. */
  digests(): StreamDigests {
    const blake2b256 = this.#blake2b.digest('hex');
    if (idle.length < IDLE_KEPT) idle.push(this.#blake2b);
    return {
      length: this.#length,
      sha256: this.#sha256.digest('hex'),
      blake2b256,
      md5: this.#md5.digest('hex'),
    };
  }
}
