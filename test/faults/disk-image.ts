// A disk after a power cut: what was synced is there, of everything else any part, in any order.
import { copyFileSync, linkSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** One call of the layer's log. */
export interface LoggedCall {
  readonly code: string;
  readonly fd: number;
  readonly offset: number;
  readonly first: Buffer;
  readonly second: string;
}

const HEAD = 21;

/** Reads what layer.c wrote. */
export function readLog(bytes: Buffer): readonly LoggedCall[] {
  const calls: LoggedCall[] = [];
  for (let position = 0; position + HEAD <= bytes.length;) {
    const firstEnd = position + HEAD + bytes.readUInt32LE(position + 13);
    const end = firstEnd + bytes.readUInt32LE(position + 17);
    calls.push({
      code: String.fromCharCode(bytes[position] ?? 0),
      fd: bytes.readInt32LE(position + 1),
      offset: Number(bytes.readBigInt64LE(position + 5)),
      first: bytes.subarray(position + HEAD, firstEnd),
      second: bytes.toString('utf8', firstEnd, end),
    });
    position = end;
  }
  return calls;
}

/** Calls after which the power can go: those that changed something. */
export const isChange = ({ code }: LoggedCall): boolean => !'rcm'.includes(code);

interface Node {
  readonly isFolder: boolean;
  /** Where its content was before the operation. */
  readonly base: string | undefined;
  readonly names: Map<string, Node>;
}

/** A change of one file's content, or of names: of one folder, or of two at once (rename). */
interface Effect {
  readonly file?: {
    readonly node: Node;
    readonly length: number;
    readonly offset: number;
    readonly bytes: Buffer | undefined;
  };
  readonly names?: readonly {
    readonly folder: Node;
    readonly name: string;
    readonly node: Node | undefined;
  }[];
  synced: boolean;
}

const newNode = (isFolder: boolean, base?: string): Node => ({ isFolder, base, names: new Map() });

/** Numbers in [0, 1) from a seed. */
export function randomFrom(seed: number): () => number {
  let state = (Math.imul(seed, 2_654_435_761) ^ 0x9e3779b9) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** How likely what was not synced is kept: none, all, names only, contents only, half, nearly all. */
const MODES = [
  { names: 0, contents: 0 },
  { names: 1, contents: 1 },
  { names: 1, contents: 0 },
  { names: 0, contents: 1 },
  { names: 0.5, contents: 0.5 },
  { names: 0.9, contents: 0.3 },
] as const;
export const POWER_MODES = MODES.length;
const SECTOR = 512;

/** The calls of an operation, played over the folder it began with. */
export class DiskHistory {
  readonly #calls: readonly LoggedCall[];
  readonly #box: string;
  readonly #base: string;

  /** `box`: where the calls were made; `base`: a copy of that folder from before them. */
  constructor(calls: readonly LoggedCall[], box: string, base: string) {
    this.#calls = calls;
    this.#box = box;
    this.#base = base;
  }

  /** The marks told before the power went. */
  marksBefore(end: number): readonly string[] {
    return this.#calls.slice(0, end).flatMap(({ code, first }) => (code === 'm' ? [first.toString()] : []));
  }

  /** Every file that had a name below `folder` at any time before `end`, with what it held when it got it. */
  filesNamedBefore(
    end: number,
    folder: string,
  ): readonly { readonly name: string; readonly bytes: Buffer }[] {
    const play = new Playback(this.#box, readTree(this.#base));
    const found: { name: string; bytes: Buffer }[] = [];
    const files = new Map<Node, Effect[]>();
    for (const call of this.#calls.slice(0, end)) {
      for (const effect of play.take(call)) {
        if (effect.file !== undefined)
          files.set(effect.file.node, [...(files.get(effect.file.node) ?? []), effect]);
        if (effect.names === undefined || !'nl'.includes(call.code)) continue;
        if (dirname(call.second) !== join(this.#box, folder)) continue;
        const node = effect.names.at(-1)?.node;
        if (node === undefined || node.isFolder) continue;
        const bytes = contentOf(node, files.get(node) ?? []);
        found.push({ name: call.second.slice(dirname(call.second).length + 1), bytes });
      }
    }
    return found;
  }

  /** Writes the disk as it may be when the power goes after `end` calls. `seed` undefined: as the running system saw it. */
  write(end: number, seed: number | undefined, target: string): void {
    const tree = readTree(this.#base);
    const play = new Playback(this.#box, tree);
    const effects: Effect[] = [];
    for (const call of this.#calls.slice(0, end)) {
      effects.push(...play.take(call));
      play.sync(call, effects);
    }
    const survivors = seed === undefined ? effects : surviving(effects, seed);
    const disk = readTree(this.#base);
    writeTree(disk, tree, survivors, target);
  }
}

function surviving(effects: readonly Effect[], seed: number): readonly Effect[] {
  const random = randomFrom(seed);
  const mode = MODES[seed % MODES.length] ?? MODES[0];
  return effects.flatMap((effect): Effect[] => {
    if (effect.synced) return [effect];
    const { file } = effect;
    if (file === undefined) return random() < mode.names ? [effect] : [];
    const { bytes, offset } = file;
    if (random() < mode.contents) {
      const tears = bytes !== undefined && bytes.length > SECTOR && random() < 0.2 && mode.contents < 1;
      if (!tears) return [effect];
      const kept = Math.floor((random() * bytes.length) / SECTOR) * SECTOR;
      return [{ ...effect, file: { ...file, bytes: bytes.subarray(0, kept), length: offset + kept } }];
    }
    // The size may be there without the content.
    return bytes !== undefined && random() < mode.names / 2
      ? [{ ...effect, file: { ...file, bytes: undefined, length: -file.length } }]
      : [];
  });
}

/** The live file system: which node a path and a descriptor mean. */
class Playback {
  readonly #box: string;
  readonly #root: Node;
  readonly #open = new Map<number, { readonly node: Node }>();

  constructor(box: string, root: Node) {
    this.#box = box;
    this.#root = root;
  }

  take({ code, fd, offset, first, second }: LoggedCall): readonly Effect[] {
    const path = 'wtscS'.includes(code) ? '' : first.toString();
    switch (code) {
      case 'o':
      case 'r':
        return this.#openFile(path, fd, code === 'o', (offset & 1) !== 0);
      case 'c':
        this.#open.delete(fd);
        return [];
      case 'w':
        return this.#content(fd, { offset, bytes: first, length: offset + first.length });
      case 't':
        return this.#content(fd, { offset: 0, bytes: undefined, length: offset });
      case 'd':
        return [this.#name(path, newNode(true))];
      case 'u':
      case 'x':
        return [this.#name(path, undefined)];
      case 'l':
        return [this.#name(second, this.#find(path))];
      case 'n': {
        const node = this.#find(path);
        const [gone] = this.#name(path, undefined).names ?? [];
        const [come] = this.#name(second, node).names ?? [];
        if (gone === undefined || come === undefined) throw new Error('a rename has two names');
        return [{ names: [gone, come], synced: false }];
      }
      default:
        return [];
    }
  }

  /** Marks what a sync made durable. */
  sync({ code, fd }: LoggedCall, effects: readonly Effect[]): void {
    if (code !== 's' && code !== 'S') return;
    const node = this.#open.get(fd)?.node;
    for (const effect of effects) {
      if (code === 'S' || effect.file?.node === node) effect.synced = true;
      else if (effect.names?.some(({ folder }) => folder === node) === true) effect.synced = true;
    }
  }

  #openFile(path: string, fd: number, changes: boolean, truncates: boolean): readonly Effect[] {
    const found = this.#find(path);
    const node = found ?? newNode(false);
    this.#open.set(fd, { node });
    if (!changes) return [];
    const effects = found === undefined ? [this.#name(path, node)] : [];
    if (found !== undefined && truncates)
      effects.push(...this.#content(fd, { offset: 0, bytes: undefined, length: 0 }));
    return effects;
  }

  #content(fd: number, change: { offset: number; bytes: Buffer | undefined; length: number }): Effect[] {
    const node = this.#open.get(fd)?.node;
    if (node === undefined) throw new Error(`a write to the unknown descriptor ${fd}`);
    return [{ file: { node, ...change }, synced: false }];
  }

  #name(path: string, node: Node | undefined): Effect {
    const folder = this.#find(dirname(path));
    if (folder === undefined) throw new Error(`${path} is in no known folder`);
    const name = path.slice(dirname(path).length + 1);
    if (node === undefined) folder.names.delete(name);
    else folder.names.set(name, node);
    return { names: [{ folder, name, node }], synced: false };
  }

  #find(path: string): Node | undefined {
    let node: Node | undefined = this.#root;
    for (const name of path.slice(this.#box.length).split('/').filter(Boolean)) node = node?.names.get(name);
    return node;
  }
}

function readTree(path: string): Node {
  const node = newNode(true, path);
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const at = join(path, entry.name);
    node.names.set(entry.name, entry.isDirectory() ? readTree(at) : newNode(false, at));
  }
  return node;
}

/** SQLite's index of its log lies in memory; whatever a disk has of it is made anew. */
const isLost = (name: string): boolean => name.endsWith('-shm');

function writeTree(disk: Node, live: Node, effects: readonly Effect[], target: string): void {
  // The nodes of the playback at the beginning are those of the disk, by their paths in the base.
  const nodes = new Map<string, Node>();
  const register = (node: Node): void => {
    if (node.base !== undefined) nodes.set(node.base, node);
    node.names.forEach(register);
  };
  register(disk);
  const onDisk = new Map<Node, Node>();
  const own = (node: Node): Node => {
    const known = node.base === undefined ? onDisk.get(node) : nodes.get(node.base);
    if (known !== undefined) return known;
    const made = newNode(node.isFolder, node.base);
    onDisk.set(node, made);
    return made;
  };
  void live;
  const contents = new Map<Node, Effect[]>();
  for (const effect of effects) {
    if (effect.file !== undefined) {
      const node = own(effect.file.node);
      const list = contents.get(node);
      if (list === undefined) contents.set(node, [effect]);
      else list.push(effect);
    }
    for (const { folder, name, node } of effect.names ?? []) {
      if (node === undefined) own(folder).names.delete(name);
      else own(folder).names.set(name, own(node));
    }
  }
  const written = new Map<Node, string>();
  const put = (node: Node, path: string): void => {
    if (node.isFolder) {
      mkdirSync(path, { mode: 0o755 });
      for (const [name, child] of node.names) if (!isLost(name)) put(child, join(path, name));
      return;
    }
    const other = written.get(node);
    if (other !== undefined) return linkSync(other, path);
    written.set(node, path);
    const changes = contents.get(node);
    if (changes === undefined && node.base !== undefined) copyFileSync(node.base, path);
    else writeFileSync(path, contentOf(node, changes ?? []), { mode: 0o600 });
  };
  put(disk, target);
}

function contentOf(node: Node, effects: readonly Effect[]): Buffer {
  let content: Buffer = node.base === undefined ? Buffer.alloc(0) : readFileSync(node.base);
  for (const { file } of effects) {
    if (file === undefined) continue;
    const { bytes, offset, length } = file;
    if (bytes === undefined) {
      // Negative: at least so long, without what was written there.
      const wanted = length < 0 ? Math.max(content.length, -length) : length;
      content = wanted <= content.length ? content.subarray(0, wanted) : extended(content, wanted);
      continue;
    }
    content = extended(content, Math.max(content.length, length));
    bytes.copy(content, offset);
  }
  return content;
}

function extended(content: Buffer, length: number): Buffer {
  const made = Buffer.alloc(length);
  content.copy(made);
  return made;
}
