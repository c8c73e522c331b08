import type { Socket } from 'node:net';

/** Base64 of the largest metadata that is ever parsed (32 MiB), and a little. */
export const MAX_FRAME_LENGTH = 44 * 1024 * 1024;
const HEADER_LENGTH = 4;

/** The other side broke the protocol; the connection is over. */
export class FrameError extends Error {
  override readonly name = 'FrameError';
  readonly code = 'MALFORMED_FRAME';
}

/** One JSON object as a frame: its length in four bytes, big-endian, then the text. */
export function encodeFrame(message: object): Buffer {
  const text = Buffer.from(JSON.stringify(message));
  const frame = Buffer.allocUnsafe(HEADER_LENGTH + text.length);
  frame.writeUInt32BE(text.length, 0);
  text.copy(frame, HEADER_LENGTH);
  return frame;
}

/** The frames that arrive at a socket, until it ends. Throws FrameError for a frame that is too long, cut off, or no JSON object. */
export async function* readFrames(
  socket: Socket,
  maxLength = MAX_FRAME_LENGTH,
): AsyncGenerator<Readonly<Record<string, unknown>>> {
  let parts: Buffer[] = [];
  let available = 0;
  for await (const chunk of socket) {
    parts.push(chunk as Buffer);
    available += (chunk as Buffer).length;
    while (available >= HEADER_LENGTH) {
      if ((parts[0]?.length ?? 0) < HEADER_LENGTH) parts = [Buffer.concat(parts)];
      const length = parts[0]?.readUInt32BE(0) ?? 0;
      if (length > maxLength) throw new FrameError(`a frame of ${length} bytes is too long`);
      if (available < HEADER_LENGTH + length) break;
      const [only = Buffer.alloc(0)] = parts;
      const bytes = parts.length === 1 ? only : Buffer.concat(parts);
      yield parseObject(bytes.subarray(HEADER_LENGTH, HEADER_LENGTH + length));
      const rest = bytes.subarray(HEADER_LENGTH + length);
      parts = rest.length > 0 ? [rest] : [];
      available = rest.length;
    }
  }
  if (available > 0) throw new FrameError('the connection ended inside a frame');
}

function parseObject(bytes: Buffer): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw new FrameError('a frame is no JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new FrameError('a frame is no JSON object');
  }
  return value as Readonly<Record<string, unknown>>;
}
