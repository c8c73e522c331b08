const DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Asked for at run time, so that this file loads in a browser too. */
const nodeBuffer =
  typeof process === 'undefined' || typeof process.getBuiltinModule !== 'function'
    ? undefined
    : process.getBuiltinModule('node:buffer');

/**
 * The text of UTF-8 bytes; a byte order mark stays in it.
 * @throws {TypeError} for anything else
 */
export function decodeUtf8(bytes: Uint8Array): string {
  // Almost all metadata is ASCII, for which Node.js has a way that is ten times as fast.
  if (nodeBuffer?.isAscii(bytes) === true)
    return nodeBuffer.Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  return DECODER.decode(bytes);
}
