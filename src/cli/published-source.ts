import { DownloadHttpError } from '../tuf/download-error.ts';
import { encodePath } from '../tuf/layout.ts';
import {
  archiveSource,
  folderSource,
  type PublishedSource,
} from '../repository/recovery/published-source.ts';
import { archivedStates, readArchive } from '../repository/archive.ts';

import { openFetcher, type OpenFetcher } from './open-index.ts';

/** A source that was opened by its name, and what has to be closed after it. */
export interface OpenedSource {
  readonly source: PublishedSource;
  close(): Promise<void>;
}

/** A URL, a folder of a mirror, or one of `rind archive`. */
export async function openSource(name: string): Promise<OpenedSource> {
  const nothing = async (): Promise<void> => undefined;
  if (/^https?:\/\//.test(name)) {
    const url = name.endsWith('/') ? name : `${name}/`;
    const fetcher = openFetcher(url);
    return { source: urlSource(url, fetcher), close: () => fetcher.close() };
  }
  const states = await archivedStates(name).catch(() => []);
  if (states.length > 0) return { source: archiveSource(await readArchive(name), name), close: nothing };
  return { source: folderSource(name), close: nothing };
}

function urlSource(url: string, fetcher: OpenFetcher): PublishedSource {
  return {
    name: url,
    async stream(path, maxLength) {
      const chunks = fetcher.fetch(url + encodePath(path), { maxLength })[Symbol.asyncIterator]();
      try {
        const first = await chunks.next();
        return continued(first, chunks);
      } catch (error) {
        if (error instanceof DownloadHttpError && (error.statusCode === 404 || error.statusCode === 403))
          return undefined;
        throw error;
      }
    },
  };
}

async function* continued(
  first: IteratorResult<Uint8Array>,
  rest: AsyncIterator<Uint8Array>,
): AsyncIterable<Uint8Array> {
  for (let next = first; next.done !== true; next = await rest.next()) yield next.value;
}
