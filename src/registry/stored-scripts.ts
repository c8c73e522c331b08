import { buffer } from 'node:stream/consumers';
import type { WheelFilename } from '../pypi/distribution-filename.ts';
import { readWheel } from '../pypi/wheel.ts';
import type { ObjectStore } from '../storage/object-store.ts';

/** The commands that a stored wheel puts on the path. Its contents were checked when it was uploaded. */
export async function storedScripts(
  store: ObjectStore,
  key: string,
  filename: WheelFilename,
): Promise<readonly string[]> {
  const object = await store.open(key);
  if (object === undefined)
    throw new Error(`The file ${filename.filename} is not in the store; rind fsck says more.`);
  try {
    const reader = {
      size: object.length,
      read: async (position: number, length: number): Promise<Uint8Array> => {
        const end = Math.min(position + length, object.length) - 1;
        return end < position ? new Uint8Array() : buffer(object.stream({ start: position, end }));
      },
    };
    return (await readWheel(reader, filename, { contents: false })).scripts;
  } finally {
    await object.close();
  }
}
