import { metadataFileName, targetFileName } from '../tuf/layout.ts';

/** The object keys of one index: the tree that the web serves, a mirror copies and a client walks. */
export class ServedTree {
  /** '' for the default index, `index/<name>/` for the others. */
  readonly prefix: string;

  constructor(indexName: string) {
    this.prefix = indexName === '' ? '' : `index/${indexName}/`;
  }

  /** `metadata/7.root.json`; without a version the plain name, which only timestamp has. */
  metadata(role: string, version?: number): string {
    return `${this.prefix}metadata/${metadataFileName(role, version)}`;
  }

  /** The hash-named form of a target path, the one that clients ask for. */
  hashed(path: string, sha256: string): string {
    return this.prefix + targetFileName(path, sha256);
  }

  /** The plain form of a target path, for today's installers. */
  plain(path: string): string {
    return this.prefix + path;
  }
}
