import type { IncomingMessage, ServerResponse } from 'node:http';

/** Answers in place of the mirror; returns false when it leaves the answer to the mirror. */
export type Trick = (request: IncomingMessage, response: ServerResponse, path: string) => boolean;

const HASH = /^(?:[0-9a-f]{64}\.)/;

/** What a mirror shows below one base URL: a state of the real index, changed by whoever holds the mirror. */
export class Scene {
  /** With the slash at its end. */
  readonly url: string;
  /** Another origin of the attacker, where no index is trusted. */
  readonly strangerUrl: string;
  /** Bytes by path of the tree. */
  files: Map<string, Uint8Array>;
  /** Whether anything that the attacker changed was asked for. */
  isStruck = false;
  /** Paths asked of the attacker's other origin. */
  readonly strayed: string[] = [];
  readonly asked: string[] = [];
  #honest: ReadonlyMap<string, Uint8Array>;
  #tricks: { readonly path: RegExp; readonly trick: Trick; readonly isAttack: boolean }[] = [];

  constructor(url: string, strangerUrl: string, state: ReadonlyMap<string, Uint8Array>) {
    this.url = url;
    this.strangerUrl = strangerUrl;
    this.#honest = state;
    this.files = new Map(state);
  }

  /** Shows this state, as it is. */
  show(state: ReadonlyMap<string, Uint8Array>): void {
    this.#honest = state;
    this.files = new Map(state);
    this.#tricks = [];
    this.isStruck = false;
    this.asked.length = 0;
    this.strayed.length = 0;
  }

  /** Shows everything as it is in another state, as an attack on who knows the honest one. */
  replay(state: ReadonlyMap<string, Uint8Array>): void {
    this.files = new Map(state);
  }

  /** The bytes of one file. */
  read(path: string): Uint8Array {
    const bytes = this.files.get(path);
    if (bytes === undefined) throw new TypeError(`the mirror has no ${path}`);
    return bytes;
  }

  /** The paths shown that match; there must be some. */
  paths(pattern: RegExp): string[] {
    const found = [...this.files.keys()].filter((path) => pattern.test(path));
    if (found.length === 0) throw new TypeError(`the mirror has nothing like ${pattern.source}`);
    return found;
  }

  /** Changes every file whose path matches; `undefined` takes it away. */
  change(pattern: RegExp, change: (bytes: Buffer) => Uint8Array | undefined): void {
    for (const path of this.paths(pattern)) {
      const bytes = change(Buffer.from(this.read(path)));
      if (bytes === undefined) this.files.delete(path);
      else this.files.set(path, bytes);
    }
  }

  /** Answers what matches by itself. The path is that of the tree, without hash. */
  trick(path: RegExp, trick: Trick, isAttack = true): void {
    this.#tricks.push({ path, trick, isAttack });
  }

  /** @returns whether a trick has answered */
  plays(path: string, request: IncomingMessage, response: ServerResponse): boolean {
    for (const { path: pattern, trick, isAttack } of this.#tricks) {
      if (!pattern.test(path) || !trick(request, response, path)) continue;
      if (isAttack) this.isStruck = true;
      return true;
    }
    return false;
  }

  /** The bytes for a path of the tree, plain or hash-named. */
  answer(path: string): Uint8Array | undefined {
    const bytes = this.files.get(path);
    if (bytes !== this.#honest.get(path)) this.isStruck = true;
    return bytes;
  }
}

/** A path of the tree without the hash before its last segment. */
export function plainPath(path: string): string {
  const slash = path.lastIndexOf('/') + 1;
  return path.slice(0, slash) + path.slice(slash).replace(HASH, '');
}
