import { buffer } from 'node:stream/consumers';
import type { OpenObject, RandomAccessReader } from './object-store.ts';

/** Any part of an object that is held open, for readers of archives; `close` stays with whoever opened it. */
export function objectReader(object: OpenObject): Pick<RandomAccessReader, 'size' | 'read'> {
  return {
    size: object.length,
    read: async (position, length) => {
      const end = Math.min(position + length, object.length) - 1;
      return end < position ? new Uint8Array() : buffer(object.stream({ start: position, end }));
    },
  };
}
