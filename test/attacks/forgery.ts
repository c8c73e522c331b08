import { createHash } from 'node:crypto';
import { toJsonValue, type KeyJson } from '../../src/testing/metadata-json.ts';
import { encodeCanonicalJson } from '../../src/tuf/canonical-json.ts';
import type { HeldKey } from './attack-case.ts';
import type { Scene } from './scene.ts';

/** Metadata as JSON.parse gives it: here it may be anything. */
// eslint-disable-next-line typescript/no-explicit-any -- forged metadata has no shape to rely on
export type Loose = any;

export interface Envelope {
  signatures: { keyid: string; sig: string }[];
  signed: Loose;
}

const DAY = 86_400_000;

/** The text of a moment as metadata has it, so many days from now. */
export function inDays(days: number): string {
  return `${new Date(Date.now() + days * DAY).toISOString().slice(0, 19)}Z`;
}

export function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export function keyJson({ key }: HeldKey): KeyJson {
  return { keytype: key.keyType, scheme: key.scheme, keyval: { public: key.public } };
}

/** Changes and signs the metadata that a scene shows, with whatever keys one has. */
export class Forgery {
  readonly #scene: Scene;

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  /** The bytes of an envelope around `signed`, with a signature of each key. */
  static async envelope(signed: Loose, keys: readonly HeldKey[]): Promise<Buffer> {
    const bytes = encodeCanonicalJson(toJsonValue(signed));
    const signatures = [];
    for (const each of keys) {
      const sig = Buffer.from(await each.signBytes(bytes)).toString('hex');
      signatures.push({ keyid: each.key.keyId, sig });
    }
    return Buffer.from(JSON.stringify({ signatures, signed }));
  }

  /** Where the newest version of a role is, as the snapshot says. */
  pathOf(role: string): string {
    if (role === 'timestamp') return 'metadata/timestamp.json';
    if (role === 'root') {
      const versions = this.#scene
        .paths(/^metadata\/\d+\.root\.json$/)
        .map((path) => Number(/\d+/.exec(path)?.[0]));
      return `metadata/${Math.max(...versions)}.root.json`;
    }
    const listed = role === 'snapshot' ? this.#timestampMeta() : this.read('snapshot').signed.meta;
    return `metadata/${listed[`${role}.json`].version}.${role}.json`;
  }

  read(role: string): Envelope {
    return JSON.parse(Buffer.from(this.#scene.read(this.pathOf(role))).toString()) as Envelope;
  }

  /** Signs the role's content, changed, under the next version and shows it; nothing yet lists it. Returns its bytes. */
  async put(role: string, edit: (signed: Loose) => void, keys: readonly HeldKey[]): Promise<Buffer> {
    const { signed } = this.read(role);
    signed.version += 1;
    edit(signed);
    const bytes = await Forgery.envelope(signed, keys);
    const name = role === 'timestamp' ? role : `${signed.version}.${role}`;
    this.#scene.files.set(`metadata/${name}.json`, bytes);
    return bytes;
  }

  /** Lets snapshot and timestamp list what these roles have become; `edit` may say otherwise. */
  async list(
    roles: ReadonlyMap<string, Uint8Array>,
    online: HeldKey,
    edit: { snapshot?: (signed: Loose) => void; timestamp?: (signed: Loose) => void } = {},
  ): Promise<void> {
    const snapshot = await this.put(
      'snapshot',
      (signed: Loose) => {
        for (const [role, bytes] of roles) signed.meta[`${role}.json`] = metaOf(bytes, signed.meta, role);
        edit.snapshot?.(signed);
      },
      [online],
    );
    await this.put(
      'timestamp',
      (signed: Loose) => {
        signed.meta['snapshot.json'] = metaOf(snapshot, signed.meta, 'snapshot');
        edit.timestamp?.(signed);
      },
      [online],
    );
  }

  /** A role and all above it anew, as the holder of its key and of the online key can. */
  async replace(
    role: string,
    edit: (signed: Loose) => void,
    keys: readonly HeldKey[],
    online: HeldKey,
  ): Promise<void> {
    await this.list(new Map([[role, await this.put(role, edit, keys)]]), online);
  }

  /** The bin that is responsible for a target path. */
  binOf(path: string): string {
    const hash = sha256(path);
    const { roles } = this.read('bins').signed.delegations;
    const found = roles.find((role: Loose) =>
      role.path_hash_prefixes.some((prefix: string) => hash.startsWith(prefix)),
    );
    return found.name as string;
  }

  /** Shows this file and signs it as a target, with the key of its bin. */
  async forgeFile(path: string, bytes: Uint8Array, online: HeldKey): Promise<void> {
    this.#scene.files.set(path, bytes);
    const target = { length: bytes.length, hashes: { sha256: sha256(bytes) } };
    await this.replace(
      this.binOf(path),
      (signed) => {
        signed.targets[path] = target;
      },
      [online],
      online,
    );
  }

  #timestampMeta(): Loose {
    return this.read('timestamp').signed.meta;
  }
}

/** As the index lists it: with length and hashes where it did before. */
function metaOf(bytes: Uint8Array, listed: Loose, role: string): Loose {
  const { version } = (JSON.parse(Buffer.from(bytes).toString()) as Envelope).signed;
  const hasHashes = listed[`${role}.json`]?.hashes !== undefined;
  return hasHashes ? { version, length: bytes.length, hashes: { sha256: sha256(bytes) } } : { version };
}
