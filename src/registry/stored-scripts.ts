import type { WheelFilename } from '../pypi/distribution-filename.ts';
import { readWheel } from '../pypi/wheel.ts';
import { objectReader } from '../storage/object-reader.ts';
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
    return (await readWheel(objectReader(object), filename, { contents: false })).scripts;
  } finally {
    await object.close();
  }
}
