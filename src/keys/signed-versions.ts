import { open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { SignatureLog, SignatureLogError, readCheckpoint, syncFolder, type LogEntry, type LogHead } from './signature-log.ts'; // prettier-ignore
import { PolicyError } from './signing-policy.ts';

/** What was last signed of a role with one key. */
interface SignedVersion {
  readonly version: number;
  readonly sha256: string;
}

const checkpointFile = z.strictObject({
  format: z.literal('rind-signed-versions'),
  version: z.literal(1),
  head: z.strictObject({ number: z.int().min(0), hash: z.string() }),
  keys: z.record(z.string(), z.record(z.string(), z.tuple([z.int().min(1), z.string()]))),
});

/** A version may be so far above the last one: numbers that were reserved and never used leave gaps. More would let a thief use the numbers up. */
const MAX_VERSION_STEP = 1000;

/**
 * The versions a signer process has signed, by key and role, and the log they are rebuilt from. A number is taken before anything is signed
 * under it, and durable before the signature leaves; the same bytes may be signed again. `versions.json` spares reading the whole log at
 * the start.
 */
export class SignedVersions {
  readonly #folder: string;
  readonly #log: SignatureLog;
  readonly #keys: Map<string, Map<string, SignedVersion>>;

  private constructor(folder: string, log: SignatureLog, keys: Map<string, Map<string, SignedVersion>>) {
    this.#folder = folder;
    this.#log = log;
    this.#keys = keys;
  }

  /** Throws SignatureLogError. */
  static async open(folder: string, clock?: () => Date): Promise<SignedVersions> {
    const { head, keys } = await readVersions(folder);
    const log = await SignatureLog.open(folder, {
      ...(head === undefined ? {} : { known: head }),
      ...(clock === undefined ? {} : { clock }),
      replay: (entry) => replay(keys, entry),
    });
    const versions = new SignedVersions(folder, log, keys);
    await versions.checkpoint();
    return versions;
  }

  get log(): SignatureLog {
    return this.#log;
  }

  /** The highest version of each role that was signed with the key. */
  of(keyId: string): ReadonlyMap<string, number> {
    return new Map([...(this.#keys.get(keyId) ?? [])].map(([role, { version }]) => [role, version]));
  }

  /** Takes the number for these bytes, in memory at once and on the disk when it resolves. Throws PolicyError, SignatureLogError. */
  take(keyId: string, role: string, version: number, sha256: string, expires: Date): Promise<void> {
    const roles = this.#keys.get(keyId) ?? new Map<string, SignedVersion>();
    const last = roles.get(role);
    if (last !== undefined) requireNext(role, version, sha256, last);
    this.#keys.set(keyId, roles);
    roles.set(role, { version, sha256 });
    return this.#log.append({ outcome: 'signing', keyid: keyId, role, version, sha256, expires: expires.toISOString() }); // prettier-ignore
  }

  /** Writes `versions.json` anew, whole or not at all. */
  async checkpoint(): Promise<void> {
    const path = join(this.#folder, 'versions.json');
    const { head } = this.#log;
    const keys = Object.fromEntries(
      [...this.#keys].map(([keyId, roles]) => [
        keyId,
        Object.fromEntries([...roles].map(([role, { version, sha256 }]) => [role, [version, sha256]])),
      ]),
    );
    const file = await open(`${path}.tmp`, 'w', 0o600);
    try {
      await file.writeFile(JSON.stringify({ format: 'rind-signed-versions', version: 1, head, keys }));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(`${path}.tmp`, path);
    await syncFolder(this.#folder);
  }

  /** After a log that could not be written there is no new checkpoint: it would count lines that are not there. */
  async close(): Promise<void> {
    const isWhole = await this.#log.append({ outcome: 'stopped' }).then(
      () => true,
      () => false,
    );
    await this.#log.close();
    if (isWhole) await this.checkpoint();
  }
}

function requireNext(role: string, version: number, sha256: string, last: SignedVersion): void {
  const before = `version ${last.version} was signed before`;
  if (version < last.version) {
    throw new PolicyError('VERSION_WENT_BACK', `${role} version ${version} goes back: ${before}.`, role, version); // prettier-ignore
  }
  if (version === last.version && sha256 !== last.sha256) {
    throw new PolicyError('VERSION_USED', `${role} version ${version} was signed before with other content.`, role, version); // prettier-ignore
  }
  if (version > last.version + MAX_VERSION_STEP) {
    throw new PolicyError('VERSION_JUMPED', `${role} version ${version} is too far ahead: ${before}.`, role, version); // prettier-ignore
  }
}

function replay(keys: Map<string, Map<string, SignedVersion>>, entry: LogEntry): void {
  const { outcome, keyid, role, version, sha256 } = entry;
  if (outcome !== 'signing' || keyid === undefined || role === undefined) return;
  const roles = keys.get(keyid) ?? new Map<string, SignedVersion>();
  keys.set(keyid, roles);
  if (version !== undefined && sha256 !== undefined && version >= (roles.get(role)?.version ?? 0)) {
    roles.set(role, { version, sha256 });
  }
}

async function readVersions(
  folder: string,
): Promise<{ head: LogHead | undefined; keys: Map<string, Map<string, SignedVersion>> }> {
  const path = join(folder, 'versions.json');
  const text = await readCheckpoint(path);
  const keys = new Map<string, Map<string, SignedVersion>>();
  if (text === undefined) return { head: undefined, keys };
  const { data } = checkpointFile.safeParse(parseJson(text));
  if (data === undefined) {
    throw new SignatureLogError(
      'LOG_BROKEN',
      `${path} is damaged; if the log beside it is whole, remove the file, and it is made anew from the log.`,
    );
  }
  for (const [keyId, roles] of Object.entries(data.keys)) {
    const versions = Object.entries(roles).map(([role, [version, sha256]]) => [role, { version, sha256 }] as const); // prettier-ignore
    keys.set(keyId, new Map(versions));
  }
  return { head: data.head, keys };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
