import { DelegatedRole } from './delegated-role.ts';
import { MetaFile, TargetFile } from './file.ts';
import type { RowReader } from './json.ts';
import { TOP_LEVEL_ROLE_NAMES } from './role.ts';
import type { SignedType } from './signed.ts';

/** The reader of the long rows in metadata of this type; each is about the form that our publisher and most others write. */
export function rowReaderOf(type: SignedType): ((text: string) => RowReader) | undefined {
  if (type === 'snapshot') return () => new MetaRows();
  if (type === 'targets')
    return (text) => (text.includes('"delegations":') ? new RoleRows() : new TargetRows());
  return undefined;
}

/** `{"hashes":{"sha256":"…"},"length":123}` */
class TargetRows implements RowReader {
  readonly place = ['signed', 'targets'];
  readonly levels = 2;
  readonly values = 4;
  row!: TargetFile;

  read(text: string, position: number, name: string): number {
    TARGET.lastIndex = position;
    if (!TARGET.test(text)) return -1;
    const digest = position + TARGET_HEAD.length;
    const length = text.slice(digest + 64 + TARGET_MIDDLE.length, TARGET.lastIndex - 1);
    this.row = TargetFile.withSha256(name, Number(length), text.slice(digest, digest + 64));
    return TARGET.lastIndex;
  }
}

/** Fifteen digits are a safe integer always. */
const TARGET = /\{"hashes":\{"sha256":"[0-9a-f]{64}"\},"length":(?:0|[1-9][0-9]{0,14})\}/y;
const TARGET_HEAD = '{"hashes":{"sha256":"';
const TARGET_MIDDLE = '"},"length":';

/** `{"version":123}` */
class MetaRows implements RowReader {
  readonly place = ['signed', 'meta'];
  readonly levels = 1;
  readonly values = 2;
  row!: MetaFile;

  read(text: string, position: number): number {
    META.lastIndex = position;
    if (!META.test(text)) return -1;
    const version = text.slice(position + META_HEAD.length, META.lastIndex - 1);
    this.row = new MetaFile({ version: Number(version) });
    return META.lastIndex;
  }
}

const META = /\{"version":[1-9][0-9]{0,14}\}/y;
const META_HEAD = '{"version":';

/** `{"keyids":["…"],"name":"bin-0a3f","path_hash_prefixes":["0a3f"],"terminating":false,"threshold":1}` */
class RoleRows implements RowReader {
  readonly place = ['signed', 'delegations', 'roles'];
  readonly levels = 2;
  readonly values = 6;
  row!: DelegatedRole;
  /** Rows of one key, which the first of them names. */
  #form: RegExp | undefined;
  #keyIds: readonly string[] = [];

  read(text: string, position: number): number {
    const form = (this.#form ??= this.#formOf(text, position));
    form.lastIndex = position;
    if (!form.test(text)) return -1;
    const start = position + ROLE_HEAD.length + (this.#keyIds[0] ?? '').length + ROLE_NAME.length;
    const end = text.indexOf('"', start);
    const name = text.slice(start, end);
    if (TOP_LEVEL_ROLE_NAMES.has(name)) return -1;
    this.row = DelegatedRole.withPrefixText(
      { name, keyIds: this.#keyIds, threshold: 1, terminating: false },
      text.slice(end + ROLE_MIDDLE.length, form.lastIndex - ROLE_TAIL.length),
    );
    return form.lastIndex;
  }

  /** Every repetition is bounded: an unbounded one can exhaust the stack of the regular expression. */
  #formOf(text: string, position: number): RegExp {
    const start = position + ROLE_HEAD.length;
    const keyId = /^[0-9a-f]*/.exec(text.slice(start, start + MAX_KEY_ID_LENGTH))?.[0] ?? '';
    this.#keyIds = [keyId];
    return new RegExp(
      `\\{"keyids":\\["${keyId}"\\],"name":"[a-z0-9._-]{1,100}","path_hash_prefixes":\\["[0-9a-f]{1,64}(?:","[0-9a-f]{1,64}){0,255}"\\],"terminating":false,"threshold":1\\}`,
      'y',
    );
  }
}

const MAX_KEY_ID_LENGTH = 128;
const ROLE_HEAD = '{"keyids":["';
const ROLE_NAME = '"],"name":"';
const ROLE_MIDDLE = '","path_hash_prefixes":["';
const ROLE_TAIL = '"],"terminating":false,"threshold":1}';
