import { createRequire } from 'node:module';
import type { ClientCase } from './client-cases.ts';
import { METADATA_URL } from './rind-client.ts';
import type { SessionOutcome } from './rind-client.ts';
import { NOW } from './tuf-world.ts';

/** What is used of tuf-js's client, private parts included: they keep it away from the disk. */
interface TufJsUpdater {
  trustedSet: { referenceTime: Date };
  getTargetInfo(path: string): Promise<{ readonly length: number } | undefined>;
}

const require = createRequire(import.meta.url);
const { Updater } = require('tuf-js/dist/updater.js') as { Updater: new (options: object) => TufJsUpdater };
const { DownloadHTTPError } = require('tuf-js/dist/error.js') as {
  DownloadHTTPError: new (message: string, statusCode: number) => Error;
};

/** tuf-js, one session for each target. */
export async function runTufJsClient({
  root,
  files,
  targets,
}: ClientCase): Promise<readonly SessionOutcome[]> {
  const outcomes: SessionOutcome[] = [];
  for (const target of targets) {
    const requests: string[] = [];
    const updater = new (memoryUpdater(Buffer.from(root)))({
      metadataDir: '/nonexistent',
      metadataBaseUrl: METADATA_URL,
      fetcher: {
        downloadBytes(url: string): Promise<Buffer> {
          const path = url.slice(METADATA_URL.length);
          requests.push(path);
          const bytes = files.get(path);
          if (bytes === undefined) return Promise.reject(new DownloadHTTPError('no such file', 404));
          return Promise.resolve(Buffer.from(bytes));
        },
      },
    });
    updater.trustedSet.referenceTime = new Date(NOW);
    outcomes.push([await find(updater, target), requests]);
  }
  return outcomes;
}

async function find(updater: TufJsUpdater, target: string): Promise<number | null | 'refused'> {
  try {
    const found = await updater.getTargetInfo(target);
    return found === undefined ? null : found.length;
  } catch {
    return 'refused';
  }
}

function memoryUpdater(root: Buffer): new (options: object) => TufJsUpdater {
  return class extends Updater {
    loadLocalMetadata(role: string): Buffer {
      if (role === 'root') return root;
      throw new Error('there is no disk');
    }

    persistMetadata(): void {}
  };
}
