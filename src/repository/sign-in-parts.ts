import { withoutBytes, type SignedRole, type WrittenRole } from './signed-role.ts';

/** What is signed before it is written: so much that a sync of the disk pays, so little that the memory holds two of them. */
const PART_COUNT = 2048;
const PART_LENGTH = 48 * 1024 * 1024;
/** Encoded and signed at the same time: enough for the processors and for a remote signer. */
const TOGETHER = 64;

/**
 * Signs many roles and hands them to `write` part by part; the next part is signed while one is written, and no two are written at the
 * same time. When it resolves, all are written; when it rejects, no write is under way any more.
 */
export async function signInParts<T>(
  values: readonly T[],
  sign: (value: T) => Promise<SignedRole>,
  write: (part: readonly SignedRole[]) => Promise<void>,
): Promise<readonly WrittenRole[]> {
  const roles: WrittenRole[] = [];
  let writing: Promise<void> = Promise.resolve();
  try {
    for await (const part of signedParts(values, sign)) {
      for (const role of part) roles.push(withoutBytes(role));
      await writing;
      writing = write(part);
      // Looked at when the next part is ready; until then it is nobody's unhandled rejection.
      writing.catch(() => undefined);
    }
  } finally {
    await writing;
  }
  return roles;
}

async function* signedParts<T>(
  values: readonly T[],
  sign: (value: T) => Promise<SignedRole>,
): AsyncGenerator<readonly SignedRole[]> {
  let [part, length]: [SignedRole[], number] = [[], 0];
  for await (const role of signedInOrder(values, sign)) {
    part.push(role);
    length += role.bytes.length;
    if (part.length < PART_COUNT && length < PART_LENGTH) continue;
    yield part;
    [part, length] = [[], 0];
  }
  if (part.length > 0) yield part;
}

/** In the order of the values, with `TOGETHER` of them under way all the time. */
async function* signedInOrder<T>(
  values: readonly T[],
  sign: (value: T) => Promise<SignedRole>,
): AsyncGenerator<SignedRole> {
  const underWay: Promise<SignedRole>[] = [];
  for (const value of values) {
    const signed = sign(value);
    // Thrown when it is its turn.
    signed.catch(() => undefined);
    underWay.push(signed);
    const first = underWay.length < TOGETHER ? undefined : underWay.shift();
    if (first !== undefined) yield await first;
  }
  for (const signed of underWay) yield await signed;
}
