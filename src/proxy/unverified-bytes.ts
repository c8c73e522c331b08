import { parseDistributionFilename } from '../pypi/distribution-filename.ts';
import { encodePath } from '../tuf/layout.ts';
import type { Fetcher } from '../updater/fetcher.ts';

const MAX_NAMES = 20_000;

/** Where an index is served. */
export interface IndexSources {
  /** Base URL, with the final slash. */
  readonly url: string;
  /** Base URLs that serve the same, asked in this order when the one above fails. */
  readonly mirrors?: readonly string[] | undefined;
  readonly fetcher: Fetcher;
}

/** The bytes of the first source that has some which `check` does not refuse; otherwise the first thing that went wrong. */
export async function fetchUnverified(
  { url, mirrors = [], fetcher }: IndexSources,
  path: string,
  maxLength: number,
  check: (bytes: Uint8Array) => void = () => undefined,
): Promise<Uint8Array> {
  const failures: unknown[] = [];
  for (const base of [url, ...mirrors]) {
    try {
      const bytes = await fetchBytes(fetcher, base + encodePath(path), maxLength);
      check(bytes);
      return bytes;
    } catch (error) {
      failures.push(error);
    }
  }
  throw failures[0];
}

async function fetchBytes(fetcher: Fetcher, url: string, maxLength: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of fetcher.fetch(url, { maxLength, compressible: true })) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Every filename of the project that stands anywhere in bytes nobody signed. */
export function filenamesIn(bytes: Uint8Array, project: string): string[] {
  const words = new Set(
    Buffer.from(bytes)
      .toString('latin1')
      .split(/[^A-Za-z0-9._+!-]+/),
  );
  return [...words].filter((word) => isDistributionOf(word, project)).slice(0, MAX_NAMES);
}

function isDistributionOf(filename: string, project: string): boolean {
  if (!/\.(?:whl|tar\.gz)$/.test(filename)) return false;
  try {
    return parseDistributionFilename(filename).project === project;
  } catch {
    return false;
  }
}
