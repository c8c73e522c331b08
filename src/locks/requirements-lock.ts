import { isValidProjectName, normalizeProjectName } from '../pypi/project-name.ts';
import {
  checkShape,
  createLock,
  filenameOf,
  hash,
  LockFileError,
  NO_HASH,
  otherSource,
  type Lock,
  type LockedFile,
} from './lock-file.ts';

/** Logical lines of a requirements file and of those it includes, split into words. */
export interface RequirementsWords {
  readonly number: number;
  readonly words: readonly string[];
}

/** Options of pip that name no file. */
const OPTIONS = /^-/;

/** Requirements with hashes (`pip install --require-hashes`). Their lines are read already. @throws LockFileError */
export function readRequirementsLock(lines: Iterable<RequirementsWords>): Lock {
  const files: LockedFile[] = [];
  let index: string | undefined;
  for (const { number, words } of lines) {
    const [first = ''] = words;
    index = /^(?:-i|--index-url)$/.test(first) ? words[1] : (/^--index-url=(.*)$/.exec(first)?.[1] ?? index);
    if (/^(-e|--editable)/.test(first)) {
      files.push(otherSource('editable', undefined, 'local', words.join(' ')));
    } else if (!OPTIONS.test(first)) {
      files.push(...filesOfLine(number, words, index));
    }
  }
  return createLock('requirements', files);
}

function filesOfLine(number: number, words: readonly string[], index: string | undefined): LockedFile[] {
  const hashes = hashesOf(words);
  const end = words.findIndex((word) => word.startsWith('--'));
  const requirement = words
    .slice(0, end < 0 ? words.length : end)
    .join(' ')
    .replace(/;.*$/, '')
    .trim();
  const [, direct, url = ''] = /^([A-Za-z0-9._-]+)\s*(?:\[[^\]]*\])?\s*@\s*(\S+)/.exec(requirement) ?? [];
  if (direct !== undefined) return fromUrl(normalizeProjectName(direct), url, hashes);
  const [, name = '', operator, version] =
    /^([A-Za-z0-9._-]+)\s*(?:\[[^\]]*\])?\s*(?:(={2,3})\s*([^\s,*]+))?/.exec(requirement) ?? [];
  if (/^[a-z+]+:\/\/|^[./]/i.test(requirement) || !isValidProjectName(name)) {
    return fromUrl(nameOf(requirement), requirement, hashes);
  }
  if (operator === undefined && hashes.length > 0)
    throw new LockFileError('malformed', `line ${number}: ${name} has hashes, but no == version`);
  const origin = index === undefined ? undefined : ({ kind: 'index', text: index } as const);
  return (hashes.length === 0 ? [NO_HASH] : hashes).map((each) => ({
    project: normalizeProjectName(name),
    version,
    filename: undefined,
    hashes: each,
    length: undefined,
    origin,
  }));
}

function nameOf(place: string): string {
  return (filenameOf(place) ?? place).slice(0, 180);
}

function fromUrl(project: string, url: string, hashes: readonly ReadonlyMap<string, string>[]): LockedFile[] {
  const [, algorithm, value] = /#(?:.*&)?(sha256|sha384|sha512)=([0-9a-fA-F]+)/.exec(url) ?? [];
  const given = algorithm === undefined || value === undefined ? hashes : [new Map([[algorithm, value]])];
  const isRemote = /^[a-z+]+:\/\//i.test(url) && !/^file:/i.test(url);
  if (given.length === 0 || /^[a-z]+\+/i.test(url))
    return [otherSource(project, undefined, isRemote ? 'elsewhere' : 'local', url)];
  const filename = filenameOf(url);
  const origin = { kind: 'elsewhere', text: url } as const;
  return given.map((each) => ({
    project,
    version: undefined,
    filename,
    hashes: each,
    length: undefined,
    origin,
  }));
}

/** `--hash=sha256:…` and `--hash sha256:…`; optparse takes every beginning of the word. */
function hashesOf(words: readonly string[]): ReadonlyMap<string, string>[] {
  const found: ReadonlyMap<string, string>[] = [];
  for (const [at, word] of words.entries()) {
    const [option, value] = /^--h(?:a(?:s(?:h)?)?)?(?:=(.*))?$/.exec(word) ?? [];
    if (option !== undefined) found.push(checkShape(value ?? words[at + 1], hash));
  }
  return found;
}
