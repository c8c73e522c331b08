import { downloadFailed, tooSlow, unexpectedStatus } from '../updater/errors.ts';

/** What the simulated repository does instead of answering as it should. */
export type Misbehaviour =
  /** Never stops sending. */
  | { readonly kind: 'endless' }
  /** Sends one byte and then nothing, until the client gives up. */
  | { readonly kind: 'stalled' }
  /** Sends one byte every `interval` milliseconds. */
  | { readonly kind: 'slow'; readonly interval: number }
  /** Reports that the transfer was too slow, as a fetcher with time limits does. */
  | { readonly kind: 'too-slow' }
  /** Sends these bytes. */
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  /** Sends the right bytes with one bit flipped. */
  | { readonly kind: 'flipped-bit'; readonly position: number }
  /** Answers with this status. */
  | { readonly kind: 'status'; readonly status: number }
  /** Ends the connection after so many bytes. */
  | { readonly kind: 'dropped'; readonly after: number };

/** The data a client sees; `bytes` is what an honest repository would send, undefined if it has nothing. */
export async function* misbehave(
  behaviour: Misbehaviour,
  url: string,
  bytes: Uint8Array | undefined,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  switch (behaviour.kind) {
    case 'endless':
      for (;;) {
        signal?.throwIfAborted();
        yield new Uint8Array(16_384).fill(0x20);
      }
    case 'stalled':
      yield (bytes ?? new Uint8Array(1)).subarray(0, 1);
      await new Promise<void>((resolve) =>
        signal?.addEventListener('abort', () => resolve(), { once: true }),
      );
      throw downloadFailed('ABORTED', url, 'the client gave up');
    case 'slow':
      for (const byte of bytes ?? []) {
        await new Promise((resolve) => setTimeout(resolve, behaviour.interval));
        signal?.throwIfAborted();
        yield Uint8Array.of(byte);
      }
      return;
    case 'too-slow':
      throw tooSlow(url, 'no data for 30 s');
    case 'bytes':
      yield behaviour.bytes;
      return;
    case 'flipped-bit':
      yield flipped(bytes ?? new Uint8Array(1), behaviour.position);
      return;
    case 'status':
      throw unexpectedStatus(url, behaviour.status);
    case 'dropped':
      yield (bytes ?? new Uint8Array(0)).subarray(0, behaviour.after);
      throw downloadFailed('CONNECTION_FAILED', url, 'the connection was dropped');
  }
}

function flipped(bytes: Uint8Array, position: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const index = position % Math.max(1, copy.length);
  copy[index] = (copy[index] ?? 0) ^ 1;
  return copy;
}
