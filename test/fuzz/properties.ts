import { createHash, createPublicKey } from 'node:crypto';
import { clientCase } from '../differential/client-cases.ts';
import {
  LooseNumber,
  LooseObject,
  loose,
  looseText,
  readLoose,
  tolerantCanonical,
  walkLoose,
} from '../differential/loose-json.ts';
import type { Loose } from '../differential/loose-json.ts';
import { anyText, anything, damage, mutate } from '../differential/mutations.ts';
import { Random } from '../differential/random.ts';
import { MemoryMetadataDir } from '../differential/rind-client.ts';
import { signatureCase } from '../differential/signature-cases.ts';
import { delegationsCase, mutatedDocument, pattern } from '../differential/tuf-cases.ts';
import { NOW, TufWorld } from '../differential/tuf-world.ts';
import { DownloadHttpError, Updater, parseMapFile, MapFileError } from '../../src/updater/index.ts';
import type { Fetcher } from '../../src/updater/index.ts';
import { downloadBytes } from '../../src/updater/limited-download.ts';
import { DEFAULT_DOWNLOAD_LIMITS } from '../../src/updater/config.ts';
import { ecdsaSignatureFromDer } from '../../src/tuf/ecdsa-signature.ts';
import { readExpires } from '../../src/tuf/expiry.ts';
import { asObject } from '../../src/tuf/fields.ts';
import { decodePublicKey } from '../../src/tuf/public-key.ts';
import {
  Delegations,
  DownloadError,
  JsonError,
  Key,
  KeyError,
  Metadata,
  NodeCrypto,
  RepositoryError,
  Signature,
  WebCrypto,
  binForPathHash,
  binName,
  binPathHashPrefixes,
  decodeHex,
  encodeCanonicalJson,
  encodeHex,
  encodePath,
  formatExpires,
  isSafeTargetPath,
  matchesPathPattern,
  metadataFileName,
  parseJson,
  parseJsonDocument,
  printable,
  sha256,
  targetFileName,
  targetPathHash,
} from '../../src/tuf/index.ts';
import type { JsonValue } from '../../src/tuf/index.ts';

/** Something that must hold for whatever the generator makes; a violation throws. Compared with nobody's program. */
export interface Property {
  readonly name: string;
  readonly weight: number;
  run(random: Random): void | Promise<void>;
}

function must(condition: boolean, what: string, ...values: readonly unknown[]): void {
  if (!condition) throw new Error(`${what}: ${values.map((value) => JSON.stringify(value)).join(', ')}`);
}

/** The result, or undefined for an error of one of these classes; any other error is a violation. */
function typed<T>(
  errors: readonly (abstract new (...args: never[]) => Error)[],
  run: () => T,
): T | undefined {
  try {
    return run();
  } catch (error) {
    if (!errors.some((each) => error instanceof each)) throw error;
    const { code } = error as { code?: unknown };
    must(typeof code === 'string', 'an error without code', String(error));
    return undefined;
  }
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

function jsonBytes(random: Random): Uint8Array {
  const value = anything(random, 4);
  const bytes = Buffer.from(
    looseText(value, {
      space: random.pick(['', '', ' ', '\n']),
      escapes: random.chance(0.3) ? random : undefined,
    }),
  );
  if (random.chance(0.05)) return random.bytes(random.below(40));
  return random.chance(0.35) ? damage(bytes, random) : bytes;
}

/** Whether the strict reader has no reason to refuse it. */
function isStrict(value: Loose | undefined): boolean {
  if (value === undefined) return false;
  for (const { value: each, depth } of walkLoose(value)) {
    if (
      depth > 32 ||
      (depth === 32 && typeof each === 'object' && each !== null && !(each instanceof LooseNumber))
    )
      return false;
    if (
      each instanceof LooseNumber &&
      !(/^-?\d+$/.test(each.text) && Number.isSafeInteger(Number(each.text)) && each.text !== '-0')
    )
      return false;
    if (typeof each === 'string' && /\p{Surrogate}/u.test(each)) return false;
    if (each instanceof LooseObject && new Set(each.members.map(([name]) => name)).size < each.members.length)
      return false;
  }
  return true;
}

function plain(value: JsonValue): unknown {
  if (value instanceof Map)
    return Object.assign(
      Object.create(null) as object,
      Object.fromEntries([...value].map(([name, each]) => [name, plain(each as JsonValue)])),
    );
  return Array.isArray(value) ? value.map(plain) : value;
}

const strictJson: Property = {
  name: 'JSON: accepted exactly when strict, and read as JSON.parse reads it',
  weight: 10,
  run(random) {
    const bytes = jsonBytes(random);
    const isUtf8 = Buffer.compare(Buffer.from(text(bytes)), bytes) === 0;
    const value = typed([JsonError], () => parseJson(bytes));
    must((value !== undefined) === (isUtf8 && isStrict(readLoose(text(bytes)))), 'strictness', text(bytes));
    if (value === undefined) return;
    must(
      JSON.stringify(plain(value)) === JSON.stringify(JSON.parse(text(bytes))),
      'another value',
      text(bytes),
    );
  },
};

const canonicalJson: Property = {
  name: 'canonical JSON: the independent encoder agrees, spans marked canonical are, and the encoding is a fixed point',
  weight: 8,
  run(random) {
    const bytes = jsonBytes(random);
    const document = typed([JsonError], () => parseJsonDocument(bytes));
    if (document === undefined) return;
    const encoded = encodeCanonicalJson(document.value);
    must(text(encoded) === tolerantCanonical(readLoose(text(bytes)) ?? null), 'canonical', text(bytes));
    for (const [name, member] of document.members) {
      const value = (document.value as ReadonlyMap<string, JsonValue>).get(name) ?? null;
      const isSame = Buffer.compare(member.bytes, encodeCanonicalJson(value)) === 0;
      must(!member.canonical || isSame, 'a span that is not canonical', text(bytes));
    }
    // oxlint-disable-next-line no-control-regex
    if (/[\u0000-\u001f]/.test(text(encoded))) return;
    must(text(encodeCanonicalJson(parseJson(encoded))) === text(encoded), 'not a fixed point', text(bytes));
  },
};

const TYPES = ['root', 'timestamp', 'snapshot', 'targets'] as const;

const metadata: Property = {
  name: 'metadata: refused by a typed error, or written back with the same signed bytes and model',
  weight: 10,
  run(random) {
    const template = random.pick(['root1', 'timestamp', 'snapshot', 'targets', 'delegated']);
    const bytes = mutatedDocument(template, random, worldFor(random));
    for (const type of TYPES) {
      const read = typed([RepositoryError], () => Metadata.fromBytes(bytes, type));
      if (read === undefined) continue;
      must(
        text(encodeCanonicalJson(read.signed.toJson())) === text(read.signedBytes),
        'the model is another',
        text(bytes),
      );
      const again = Metadata.fromBytes(read.toBytes(), type);
      must(text(again.signedBytes) === text(read.signedBytes), 'other signed bytes', text(bytes));
      must(
        JSON.stringify(again.signatures) === JSON.stringify(read.signatures),
        'other signatures',
        text(bytes),
      );
    }
  },
};

const WORLDS = new Map<number, TufWorld>();

/** One of a few repositories, so that a case depends on its own seed alone. */
function worldFor(random: Random): TufWorld {
  const seed = random.below(16);
  const world = WORLDS.get(seed) ?? new TufWorld(seed);
  WORLDS.set(seed, world);
  return world;
}

const delegations: Property = {
  name: 'delegations: the table finds what asking every role finds',
  weight: 8,
  run(random) {
    const each = delegationsCase(random, worldFor(random));
    const read = typed([RepositoryError, JsonError], () =>
      Delegations.fromJson(asObject(parseJson(each.json), 'delegations')),
    );
    if (read === undefined) return;
    // The later searches use the table.
    for (const path of [...each.paths, ...each.paths]) {
      const hash = targetPathHash(path);
      const found = read.rolesForTarget(path).map(({ name }) => name);
      const expected =
        read.roles === undefined
          ? [read.succinctRoles?.roleForPathHash(hash)]
          : [...read.roles.values()].filter((role) => role.matches(path, hash)).map(({ name }) => name);
      must(JSON.stringify(found) === JSON.stringify(expected), 'another search', text(each.json), path);
      for (const name of found) must(read.role(name) !== undefined, 'a role that is not delegated', name);
    }
  },
};

const patterns: Property = {
  name: 'path patterns: as a regular expression made from them',
  weight: 6,
  run(random) {
    const glob = pattern(random);
    const path = random.chance(0.5)
      ? pattern(random)
      : glob
          .replace(/\*/g, () => random.pick(['', 'a', 'ab', '/', '.']))
          .replace(/\?/g, () => random.pick(['a', '/', '\u{1f9c0}']));
    must(matchesPathPattern(path, glob) === expressionOf(glob).test(path), 'another match', path, glob);
  },
};

/** The pattern as a regular expression, as Python's fnmatch translates it, one path segment at a time. */
function expressionOf(glob: string): RegExp {
  const segments = glob.split('/').map((segment) => {
    let source = '';
    for (let rest = segment; rest !== '';) {
      const set = /^\[(!?)(\]?[^\]]*)\]/.exec(rest);
      const character = String.fromCodePoint(rest.codePointAt(0) ?? 0);
      if (character === '*') source += '[^/]*';
      else if (character === '?') source += '[^/]';
      else if (set !== null && set[2] !== '') source += setSource(set[1] === '!', set[2] ?? '');
      else source += character.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
      rest = rest.slice(
        set !== null && set[2] !== '' && character === '[' ? set[0].length : character.length,
      );
    }
    return source;
  });
  return new RegExp(`^(?:${segments.join('/')})$`, 'su');
}

function setSource(isNegated: boolean, set: string): string {
  const characters = Array.from(set);
  const alternatives: string[] = [];
  for (let at = 0; at < characters.length; at++) {
    const low = characters[at] ?? '';
    const high = characters[at + 1] === '-' && at + 2 < characters.length ? (characters[at + 2] ?? '') : low;
    if (high !== low || characters[at + 1] === '-')
      at += high === low && !(characters[at + 1] === '-' && at + 2 < characters.length) ? 0 : 2;
    if ((low.codePointAt(0) ?? 0) <= (high.codePointAt(0) ?? 0))
      alternatives.push(`[${escaped(low)}-${escaped(high)}]`);
  }
  const any = alternatives.length === 0 ? '(?!)' : `(?:${alternatives.join('|')})`;
  return isNegated ? `(?:(?!${any})[^/])` : any;
}

function escaped(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}

const names: Property = {
  name: 'file names and URLs: reversible, below their folder, bins where the hash says',
  weight: 5,
  run(random) {
    const name = anyText(random).replace(/\p{Surrogate}/gu, '');
    const file = metadataFileName(name, random.chance(0.5) ? 1 + random.below(99) : undefined);
    must(
      !/[/\\\s]/.test(file) &&
        file.endsWith('.json') &&
        new URL(file, 'https://x/m/').pathname.startsWith('/m/'),
      'a name that leaves its folder',
      name,
      file,
    );
    must(
      decodeURIComponent(file.replace(/^\d+\.(?=.*\.json$)/, '').replace(/\.json$/, '')).endsWith(
        name.replace(/^\d+\./, ''),
      ),
      'an irreversible name',
      name,
      file,
    );
    const path = random.chance(0.5) ? name : `a/${name}`;
    const url = new URL(
      encodePath(targetFileName(path, random.chance(0.5) ? 'ab' : undefined)),
      'https://x/t/',
    );
    if (isSafeTargetPath(path))
      must(
        url.pathname.startsWith('/t/') && url.search === '' && url.hash === '',
        'a path that leaves its folder',
        path,
        url.href,
      );
    const count = 2 ** (1 + random.below(16));
    const hash = targetPathHash(path);
    const bin = binForPathHash(hash, count);
    must(BigInt(bin) === (BigInt(`0x${hash}`) * BigInt(count)) >> 256n, 'another bin', path, count);
    must(
      binPathHashPrefixes(bin, count).some((prefix) => hash.startsWith(prefix)),
      'a bin without its hash',
      path,
      count,
    );
    must(
      binName('bin', bin, count).length === 4 + (count - 1).toString(16).length,
      'another length',
      bin,
      count,
    );
  },
};

const node = NodeCrypto.create();
const web = new WebCrypto();

const keys: Property = {
  name: 'keys and signatures: typed errors, and WebCrypto says what Node says',
  weight: 5,
  async run(random) {
    const { key, sig, message } = signatureCase(random);
    const { keytype, scheme, keyval } = key;
    const decoded = typed([KeyError], () => decodePublicKey(keytype, scheme, keyval.public));
    const bytes = new Signature('k', sig).bytes;
    if (bytes !== undefined) ecdsaSignatureFromDer(bytes, 32);
    if (
      decoded === undefined ||
      bytes === undefined ||
      node === undefined ||
      decoded.algorithm.name === 'ml-dsa'
    )
      return;
    const read = Key.fromJson('k', asObject(parseJson(Buffer.from(JSON.stringify(key))), 'key'));
    const here = typed([KeyError], () => node.verify(read, bytes, Buffer.from(message)));
    const there = await web.verify(read, bytes, Buffer.from(message)).catch((error: unknown) => {
      if (error instanceof KeyError) return undefined;
      throw error;
    });
    // Where a key is no point of its curve, one of the two says so, the other that nothing verifies.
    if (here !== true && there !== true) return;
    const isSaltUnknown = decoded.algorithm.name === 'rsa-pss' && here === true;
    must(isSaltUnknown || here === there, 'WebCrypto and Node differ', key, sig, message, here, there);
    createPublicKey({ key: Buffer.from(decoded.spki), format: 'der', type: 'spki' });
  },
};

const texts: Property = {
  name: 'hashes, hexadecimal, dates and messages',
  weight: 4,
  run(random) {
    const bytes = random.bytes(random.below(200));
    must(
      encodeHex(sha256(bytes)) === createHash('sha256').update(bytes).digest('hex'),
      'another SHA-256',
      encodeHex(bytes),
    );
    const hex = encodeHex(bytes);
    must(
      hex === Buffer.from(bytes).toString('hex') && text(decodeHex(hex) ?? random.bytes(1)) === text(bytes),
      'another hexadecimal',
      hex,
    );
    const odd = anyText(random);
    must((decodeHex(odd) !== undefined) === /^(?:[0-9a-f]{2})*$/i.test(odd), 'hexadecimal', odd);
    must(!/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(printable(odd)), 'not printable', odd);
    const moment = new Date(random.below(2 ** 31) * random.below(120) * 1000)
      .toISOString()
      .replace(/\.\d+Z$/, 'Z');
    const expires = random.chance(0.5) ? moment : text(damage(Buffer.from(moment), random));
    const date = typed([RepositoryError], () => readExpires(expires));
    if (date !== undefined) must(formatExpires(date) === expires, 'another date', expires);
    else must(expires !== moment || moment.startsWith('+'), 'a date refused', expires);
  },
};

const mapFiles: Property = {
  name: 'map files: refused by a typed error, or every name defined and every threshold possible',
  weight: 3,
  run(random) {
    let value: Loose = loose({
      repositories: { company: ['https://a/'], pypi: ['https://b/', 'https://c/'] },
      mapping: [
        { paths: ['a/*'], repositories: ['company'], threshold: 1, terminating: true },
        { paths: ['*'], repositories: ['company', 'pypi'], threshold: 2, terminating: false },
      ],
    });
    for (let count = random.below(4); count > 0; count--) value = mutate(value, random);
    const bytes = Buffer.from(looseText(value));
    const map = typed([MapFileError], () => parseMapFile(random.chance(0.2) ? damage(bytes, random) : bytes));
    for (const { repositories, threshold } of map?.mapping ?? []) {
      must(threshold >= 1 && threshold <= repositories.length, 'an impossible threshold', text(bytes));
      for (const name of repositories)
        must(/^[\w-]+$/.test(name) && map?.repositories.has(name) === true, 'an unknown repository', name);
    }
  },
};

const session: Property = {
  name: 'sessions: damaged disks and repositories end in a typed error or in what was signed, and save nothing else',
  weight: 3,
  async run(random) {
    const { root, files, targets } = clientCase(random);
    const dir = new MemoryMetadataDir();
    const served = new Map(
      [...files].map(([name, bytes]) => [name, random.chance(0.15) ? damage(bytes, random) : bytes]),
    );
    for (const [name, bytes] of files) {
      const role = decodeURIComponent(name.replace(/^\d+\.(?=.)/, '').replace(/\.json$/, ''));
      if (role !== 'root' && random.chance(0.4))
        dir.roles.set(role, random.chance(0.4) ? damage(bytes, random) : bytes);
    }
    if (random.chance(0.3)) await dir.writeRetired(new Set([anyText(random)]));
    if (random.chance(0.3)) await dir.writeMirrorHealth(text(jsonBytes(random)));
    if (random.chance(0.2)) dir.roots.set(2, jsonBytes(random));
    const stored = new Set(dir.roles.values());
    const urls = {
      metadataBaseUrl: 'https://repository.invalid/metadata/',
      targetBaseUrl: 'https://repository.invalid/targets/',
    };
    const mirrors = random.chance(0.3)
      ? [{ ...urls, metadataBaseUrl: 'https://mirror.invalid/metadata/' }]
      : [];
    const updater = new Updater({
      ...urls,
      mirrors,
      metadataDir: dir,
      fetcher: serving(served),
      bootstrapRoot: root,
      clock: () => new Date(NOW),
    });
    const signed = new Set([root, ...files.values()].map((bytes) => signedPart(bytes)));
    for (const target of targets) {
      const found = await updater.getTargetInfo(target).catch((error: unknown) => {
        if (error instanceof RepositoryError || error instanceof DownloadError) return undefined;
        throw error;
      });
      must(found === undefined || found.path === target, 'another target', target);
    }
    for (const [role, bytes] of dir.roles)
      must(stored.has(bytes) || signed.has(signedPart(bytes)), 'saved what nobody signed', role, text(bytes));
  },
};

function signedPart(bytes: Uint8Array): string {
  const document = readLoose(text(bytes));
  return tolerantCanonical(document instanceof LooseObject ? (document.get('signed') ?? null) : null);
}

function serving(files: ReadonlyMap<string, Uint8Array>): Fetcher {
  return {
    async *fetch(url) {
      const bytes = files.get(url.slice(url.indexOf('/metadata/') + '/metadata/'.length));
      await Promise.resolve();
      if (bytes === undefined) throw new DownloadHttpError('no such file', 404, { url });
      yield bytes;
    },
  };
}

const downloads: Property = {
  name: 'downloads: whole and within the limit, or a typed error',
  weight: 2,
  async run(random) {
    const chunks = Array.from({ length: random.below(6) }, () => random.bytes(random.below(50)));
    const maxLength = random.below(200);
    const whole = Buffer.concat(chunks);
    const fetcher: Fetcher = {
      async *fetch() {
        await Promise.resolve();
        yield* chunks;
      },
    };
    const bytes = await downloadBytes(fetcher, 'https://x/', { maxLength }, DEFAULT_DOWNLOAD_LIMITS).catch(
      (error: unknown) => {
        if (error instanceof DownloadError) return undefined;
        throw error;
      },
    );
    must((bytes !== undefined) === whole.length <= maxLength, 'another length', whole.length, maxLength);
    if (bytes !== undefined) must(Buffer.compare(bytes, whole) === 0, 'other bytes');
  },
};

export const PROPERTIES: readonly Property[] = [
  strictJson,
  canonicalJson,
  metadata,
  delegations,
  patterns,
  names,
  keys,
  texts,
  mapFiles,
  session,
  downloads,
];
