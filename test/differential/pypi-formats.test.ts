import fc from 'fast-check';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import {
  canonicalVersion,
  compareVersions,
  isValidVersion,
  LIST_FIELDS,
  metadataDifference,
  normalizeProjectName,
  normalizeVersion,
  parseCoreMetadata,
  parseDistributionFilename,
  parseRequirement,
  parseSpecifier,
  renderProjectHtml,
  renderProjectJson,
  SINGLE_FIELDS,
  validateCoreMetadata,
  FormatError,
  type PageFile,
} from '../../src/pypi/index.ts';
import { gunzip } from '../../src/pypi/gzip.ts';
import { isLicenseExpression } from '../../src/pypi/license-expression.ts';
import { readTar } from '../../src/pypi/tar.ts';
import { readZipContent } from '../../src/pypi/zip-content.ts';
import { readZipEntries } from '../../src/pypi/zip.ts';
import { memoryReader, sdistMembers, wheelEntries } from '../archives/distributions.ts';
import { paxHeader, tarBytes } from '../archives/tar-bytes.ts';
import { zipBytes } from '../archives/zip-bytes.ts';
import { succeed } from '../tools/process.ts';
import { pythonTools } from '../tools/python-tools.ts';
import { whenAvailable } from '../tools/unavailable.ts';

type Question = readonly [kind: string, argument: unknown];

const ORACLE = join(import.meta.dirname, 'packaging_oracle.py');
/** Another one on every run; a failure names it. */
// One seed, so that a run says something about the change it judges; `npm run fuzz` looks for new cases.
const SEED = Number(process.env['RIND_SEED'] ?? 20_261_122);

describe(`the PyPA formats beside Python's packaging, zipfile, tarfile and html.parser (RIND_SEED=${SEED})`, () => {
  const tools = whenAvailable(pythonTools);

  async function ask<Answer>(questions: readonly Question[]): Promise<(Answer | null)[]> {
    const { python } = tools.value;
    const { stdout } = await succeed(python, [ORACLE], { input: JSON.stringify(questions) });
    return JSON.parse(stdout) as (Answer | null)[];
  }

  function samples<Value>(arbitrary: fc.Arbitrary<Value>, count: number): Value[] {
    return fc.sample(arbitrary, { numRuns: count, seed: SEED });
  }

  function ours<Value>(parse: () => Value): Value | undefined {
    try {
      return parse();
    } catch (error) {
      if (error instanceof FormatError) return undefined;
      throw error;
    }
  }

  it('agrees on which names are valid and how they are normalized', async () => {
    const names = samples(textOf('a', 'B', '1', '-', '_', '.', ' ', 'é', '\u212a', '\n'), 3000);
    const theirs = await ask<string>(names.map((name) => ['name', name]));
    for (const [index, name] of names.entries()) {
      expect([name, ours(() => normalizeProjectName(name)) ?? null]).toEqual([name, theirs[index]]);
    }
  });

  it('agrees on which versions are valid, their normal and their canonical form', async () => {
    const versions = [...samples(versionLike, 5000), ...samples(versionText, 3000)];
    const theirs = await ask<[string, string]>(versions.map((version) => ['version', version]));
    let valid = 0;
    for (const [index, version] of versions.entries()) {
      const mine = isValidVersion(version) ? [normalizeVersion(version), canonicalVersion(version)] : null;
      expect([version, mine]).toEqual([version, theirs[index]]);
      if (mine !== null) valid++;
    }
    expect(valid).toBeGreaterThan(1500);
  });

  it('agrees on the order of versions', async () => {
    const pairs = samples(fc.tuple(versionText, versionText), 10_000);
    const theirs = await ask<number>(pairs.map((pair) => ['compare', pair]));
    for (const [index, [left, right]] of pairs.entries()) {
      expect([left, right, Math.sign(compareVersions(left, right))]).toEqual([left, right, theirs[index]]);
    }
  });

  it('reads every filename it accepts as packaging reads it, and is stricter only on purpose', async () => {
    const filenames = samples(filenameLike, 8000);
    const theirs = await ask<[string, string, [number, string] | [], string[]]>(
      filenames.map((name) => ['filename', name]),
    );
    let accepted = 0;
    for (const [index, filename] of filenames.entries()) {
      const mine = ours(() => parseDistributionFilename(filename));
      const answer = theirs[index] ?? null;
      if (mine === undefined) {
        if (answer !== null) expect([filename, isStricterOnPurpose(filename)]).toEqual([filename, true]);
        continue;
      }
      accepted++;
      expect([filename, mine.project, mine.version]).toEqual([filename, answer?.[0], answer?.[1]]);
      if (mine.kind === 'wheel') {
        const tags = mine.pythonTags.flatMap((python) =>
          mine.abiTags.flatMap((abi) => mine.platformTags.map((platform) => `${python}-${abi}-${platform}`)),
        );
        expect([filename, tags.toSorted()]).toEqual([filename, answer?.[3]]);
        const build = /^([0-9]+)(.*)$/.exec(mine.build ?? '');
        expect([filename, build === null ? [] : [Number(build[1]), build[2]]]).toEqual([
          filename,
          answer?.[2],
        ]);
      }
    }
    expect(accepted).toBeGreaterThan(100);
  });

  it('agrees on version specifiers', async () => {
    const specifiers = samples(specifierLike, 6000);
    const theirs = await ask<string[]>(specifiers.map((specifier) => ['specifier', specifier]));
    let valid = 0;
    for (const [index, specifier] of specifiers.entries()) {
      const isValid = ours(() => parseSpecifier(specifier)) !== undefined;
      expect([specifier, isValid]).toEqual([specifier, theirs[index] !== null]);
      if (isValid) valid++;
    }
    expect(valid).toBeGreaterThan(500);
  });

  it('accepts no requirement that packaging refuses, and reads the same in it', async () => {
    const requirements = samples(requirementLike, 8000);
    const theirs = await ask<[string, string[], string[], string | null]>(
      requirements.map((text) => ['requirement', text]),
    );
    let accepted = 0;
    for (const [index, text] of requirements.entries()) {
      const mine = ours(() => parseRequirement(text));
      const answer = theirs[index] ?? null;
      if (mine === undefined) {
        // Names such as `a_` are refused by the specification of names, not by packaging's parser.
        if (answer !== null)
          expect([text, /[._-](?:[^A-Za-z0-9]|$)|[^ -~]/.test(text)]).toEqual([text, true]);
        continue;
      }
      accepted++;
      expect([text, answer === null]).toEqual([text, false]);
      expect([text, mine.name, [...new Set(mine.extras)].toSorted(), mine.url ?? null]).toEqual([
        text,
        answer?.[0],
        answer?.[1],
        answer?.[3],
      ]);
      expect([text, new Set(mine.specifier).size]).toEqual([text, new Set(answer?.[2]).size]);
    }
    expect(accepted).toBeGreaterThan(500);
  });

  it('accepts the syntax of every license expression that packaging accepts', async () => {
    const identifier = fc.constantFrom(
      'MIT',
      'mit',
      'Apache-2.0',
      'GPL-2.0+',
      'LicenseRef-x',
      'LLVM-exception',
    );
    const token = fc.oneof(
      { weight: 3, arbitrary: identifier },
      fc.constantFrom('AND', 'OR', 'or', 'WITH', '(', ')'),
    );
    const texts = samples(
      fc.array(token, { minLength: 1, maxLength: 7 }).map((tokens) => tokens.join(' ')),
      4000,
    );
    const theirs = await ask<string>(texts.map((text) => ['license_expression', text]));
    let valid = 0;
    for (const [index, text] of texts.entries()) {
      if (theirs[index] === null) continue;
      valid++;
      expect([text, isLicenseExpression(text)]).toEqual([text, true]);
    }
    expect(valid).toBeGreaterThan(200);
  });

  it('reads core metadata as packaging does', async () => {
    const texts = samples(metadataLike, 3000);
    const theirs = await ask<{ raw: Record<string, unknown>; unparsed: string[] }>(
      texts.map((text) => ['raw_metadata', Buffer.from(text).toString('base64')]),
    );
    let compared = 0;
    for (const [index, text] of texts.entries()) {
      const mine = ours(() => parseCoreMetadata(Buffer.from(text)));
      const answer = theirs[index];
      if (mine === undefined || answer === null || answer === undefined) continue;
      compared++;
      for (const [name, { form }] of Object.entries(SINGLE_FIELDS)) {
        if (name === 'keywords' || name === 'description') continue;
        const expected = answer.raw[form] as string | undefined;
        expect([text, form, (mine as Record<string, unknown>)[name]]).toEqual([
          text,
          form,
          expected?.replaceAll('\r\n', '\n').trim(),
        ]);
      }
      for (const [name, { header }] of Object.entries(LIST_FIELDS)) {
        const key = RAW_LIST_NAMES.get(header);
        if (key === undefined) continue;
        const expected = ((answer.raw[key] as string[] | undefined) ?? []).map((item) =>
          item.replaceAll('\r\n', '\n').trim(),
        );
        expect([text, key, (mine as Record<string, unknown>)[name]]).toEqual([text, key, expected]);
      }
    }
    expect(compared).toBeGreaterThan(1000);
  });

  it('finds metadata valid where packaging does, or is more lenient on purpose', async () => {
    const texts = samples(validMetadataLike, 3000);
    const theirs = await ask<boolean>(texts.map((text) => ['valid_metadata', text]));
    let valid = 0;
    for (const [index, text] of texts.entries()) {
      const isValid = ours(() => {
        validateCoreMetadata(parseCoreMetadata(Buffer.from(text)));
        return true;
      });
      if (isValid === true) valid++;
      if (isValid === true && theirs[index] === null)
        expect([text, isLenientOnPurpose(text)]).toEqual([text, true]);
      if (isValid === undefined && theirs[index] === true)
        expect([text, isMetadataStricter(text)]).toEqual([text, true]);
    }
    expect(valid).toBeGreaterThan(100);
  });

  it('renders HTML that html.parser reads as the JSON says', async () => {
    const pages = samples(
      fc.uniqueArray(pageFile, { selector: (file) => file.filename, maxLength: 4 }),
      500,
    ).map((files) => ({
      name: 'foo-bar',
      status: 'deprecated' as const,
      statusReason: files[0]?.requiresPython ?? '',
      files,
    }));
    const theirs = await ask<ReadPage>(
      pages.map((page) => ['html', Buffer.from(renderProjectHtml(page)).toString('base64')]),
    );
    for (const [index, page] of pages.entries()) {
      const json = JSON.parse(Buffer.from(renderProjectJson(page)).toString()) as JsonPage;
      const read = theirs[index];
      expect(read?.metas['pypi:project-status-reason']).toBe(json['project-status'].reason);
      expect(
        read?.tags.filter((tag) => !['html', 'head', 'meta', 'title', 'body', 'h1', 'a', 'br'].includes(tag)),
      ).toEqual([]);
      expect(read?.anchors.map(fromAnchor)).toEqual(json.files.map(fromJson));
    }
  });

  it('reads every zip archive it accepts as zipfile does', async () => {
    const originals = [
      zipBytes(wheelEntries()),
      zipBytes(
        [
          { name: 'a', content: 'x' },
          { name: 'd/', method: 0, mode: 0o40755 },
          { name: 'd/é', content: 'yy', method: 0 },
        ],
        { zip64: {} },
      ),
    ];
    const archives = samples(fc.tuple(fc.constantFrom(...originals), edits), 6000).map(([bytes, changes]) =>
      changed(bytes, changes),
    );
    const theirs = await ask<[string, string][]>(
      archives.map((bytes) => ['zip_archive', bytes.toString('base64')]),
    );
    let accepted = 0;
    for (const [index, bytes] of archives.entries()) {
      const mine = await readWholeZip(bytes);
      if (mine === undefined) continue;
      accepted++;
      const byName = (a: [string, string], b: [string, string]): number => (a[0] < b[0] ? -1 : 1);
      expect([bytes.toString('base64'), mine.toSorted(byName)]).toEqual([
        bytes.toString('base64'),
        theirs[index]?.toSorted(byName),
      ]);
    }
    expect(accepted).toBeGreaterThan(100);
  });

  it('reads every tar archive it accepts as tarfile does', async () => {
    const original = tarBytes(
      sdistMembers('demo', '1.0', [
        paxHeader({ path: `demo-1.0/${'deep/'.repeat(30)}a`, mtime: '1.5' }),
        { name: 'x', content: 'content' },
        { name: 'x', type: 'L', content: `demo-1.0/${'long/'.repeat(30)}b\0` },
        { name: 'y', content: 'more' },
        { name: 'demo-1.0/s', type: '2', linkName: 'x' },
        { name: 'file', prefix: 'demo-1.0/prefix' },
      ]),
    );
    const archives = samples(edits, 4000).map((changes) =>
      gzipSync(checksummed(changed(original, changes)), { level: 1 }),
    );
    const theirs = await ask<{ members: [string, string, number, string][]; isZip: boolean }>(
      archives.map((bytes) => ['tar_archive', bytes.toString('base64')]),
    );
    let accepted = 0;
    for (const [index, bytes] of archives.entries()) {
      const mine = await readWholeTar(bytes);
      if (mine === undefined) continue;
      accepted++;
      expect([bytes.toString('base64'), mine]).toEqual([bytes.toString('base64'), theirs[index]?.members]);
    }
    expect(accepted).toBeGreaterThan(100);
  });

  it('takes what twine would send of a file for the same as the file', async () => {
    const texts = samples(validMetadataLike, 300);
    for (const text of texts) {
      const metadata = ours(() => parseCoreMetadata(Buffer.from(text)));
      if (metadata === undefined || ours(() => validateCoreMetadata(metadata)) === undefined) continue;
      expect(metadataDifference(metadata, metadata)).toBeUndefined();
    }
  });
});

/** What our grammar refuses although packaging takes it: see `parseDistributionFilename`. */
function isStricterOnPurpose(filename: string): boolean {
  const stem = filename.replace(/\.whl$|\.tar\.gz$/, '');
  const name = filename.endsWith('.whl') ? (stem.split('-')[0] ?? '') : stem.slice(0, stem.lastIndexOf('-'));
  return (
    filename.endsWith('.zip') ||
    !/^[A-Za-z0-9][A-Za-z0-9._+!-]*$/.test(filename) ||
    !/^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/.test(name) ||
    (filename.endsWith('.whl') && !/^[A-Za-z0-9_.]+$/.test(stem.split('-').slice(2).join('')))
  );
}

/** Where private indexes need more than packaging allows: metadata 2.0, early License-File, `UNKNOWN`. */
function isLenientOnPurpose(text: string): boolean {
  return (
    /^Metadata-Version: 2\.0$/m.test(text) ||
    /^(?:License-File|Dynamic|Provides-Extra|Description-Content-Type):/m.test(text) ||
    /^(?!Metadata-Version|Name|Version|Summary|Requires|License|Import|Home|Project|Author)[A-Za-z-]+:/m.test(
      text,
    ) ||
    /^License-Expression:/m.test(text)
  );
}

/** Where we refuse what packaging lets through: links and lengths. */
function isMetadataStricter(text: string): boolean {
  return (
    /^(?:Home-page|Project-URL):/m.test(text) ||
    /^License:(?:.|\n)*^License-Expression:|^License-Expression:(?:.|\n)*^License:/m.test(text)
  );
}

const RAW_LIST_NAMES: ReadonlyMap<string, string> = new Map([
  ['Dynamic', 'dynamic'],
  ['Platform', 'platforms'],
  ['Supported-Platform', 'supported_platforms'],
  ['License-File', 'license_files'],
  ['Classifier', 'classifiers'],
  ['Requires-Dist', 'requires_dist'],
  ['Requires-External', 'requires_external'],
  ['Provides-Extra', 'provides_extra'],
  ['Provides-Dist', 'provides_dist'],
  ['Obsoletes-Dist', 'obsoletes_dist'],
  ['Import-Namespace', 'import_namespaces'],
]);

interface ReadPage {
  anchors: { attributes: Record<string, string | null>; text: string }[];
  metas: Record<string, string>;
  tags: string[];
}

interface JsonPage {
  'project-status': { reason?: string };
  files: {
    filename: string;
    url: string;
    hashes: { sha256: string };
    'requires-python'?: string;
    'core-metadata'?: { sha256: string };
    yanked?: true | string;
  }[];
}

function fromAnchor({ attributes, text }: ReadPage['anchors'][number]): unknown {
  const [url, fragment] = (attributes['href'] ?? '').split('#');
  return {
    filename: text,
    url,
    sha256: fragment?.replace('sha256=', ''),
    requiresPython: attributes['data-requires-python'],
    coreMetadata: attributes['data-core-metadata']?.replace('sha256=', ''),
    yanked: attributes['data-yanked'],
  };
}

function fromJson(file: JsonPage['files'][number]): unknown {
  return {
    filename: file.filename,
    url: file.url,
    sha256: file.hashes.sha256,
    requiresPython: file['requires-python'],
    coreMetadata: file['core-metadata']?.sha256,
    yanked: file.yanked === true ? '' : file.yanked,
  };
}

async function readWholeZip(bytes: Buffer): Promise<[string, string][] | undefined> {
  const reader = memoryReader(bytes);
  try {
    const read: [string, string][] = [];
    for (const entry of await readZipEntries(reader)) {
      const content = await readZipContent(reader, entry, 1_000_000);
      read.push([entry.name, createHash('sha256').update(content).digest('hex')]);
    }
    return read;
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}

async function readWholeTar(bytes: Buffer): Promise<[string, string, number, string][] | undefined> {
  try {
    const read: [string, string, number, string][] = [];
    for await (const { entry } of readTar(gunzip(memoryReader(bytes)), () => false)) {
      read.push([entry.name, entry.kind, entry.size, entry.linkName ?? '']);
    }
    return read;
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}

type Edit = readonly [at: number, value: number];

const edits: fc.Arbitrary<Edit[]> = fc.array(
  fc.tuple(fc.double({ min: 0, max: 0.999999, noNaN: true }), fc.integer({ min: 0, max: 255 })),
  {
    maxLength: 3,
  },
);

function changed(bytes: Buffer, changes: readonly Edit[]): Buffer {
  const copy = Buffer.from(bytes);
  for (const [at, value] of changes) copy[Math.floor(at * copy.length)] = value;
  return copy;
}

/** The same tar archive with right checksums in what still looks like headers, so that changes get past them. */
function checksummed(bytes: Buffer): Buffer {
  for (let at = 0; at < bytes.length; at += 512) {
    if (bytes.toString('latin1', at + 257, at + 262) !== 'ustar') continue;
    bytes.write('        ', at + 148);
    const sum = bytes.subarray(at, at + 512).reduce((total, byte) => total + byte, 0);
    bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, at + 148);
  }
  return bytes;
}

function textOf(...pieces: readonly string[]): fc.Arbitrary<string> {
  return fc.array(fc.constantFrom(...pieces), { maxLength: 9 }).map((parts) => parts.join(''));
}

const versionLike = textOf(
  '1',
  '0',
  '20240101123456789',
  '.',
  '!',
  '-',
  '_',
  '+',
  'a',
  'rc',
  'post',
  'r',
  'dev',
  'v',
  'ALPHA',
  'c',
  'preview',
  ' ',
  '*',
  'é',
);
const versionText = fc
  .tuple(
    fc.constantFrom('', '1!', '0!', 'v', ' '),
    fc.array(fc.oneof(fc.nat(12), fc.constantFrom('00', '007', '99999999999999999999')), {
      minLength: 1,
      maxLength: 4,
    }),
    fc.constantFrom('', 'a1', 'b', '.rc.2', '-alpha', '_preview_3', 'C4', 'pre0'),
    fc.constantFrom('', '.post1', '-2', 'rev', '-r_3', '.POST0'),
    fc.constantFrom('', '.dev0', 'dev', '-dev-2', '_DEV3'),
    fc.constantFrom('', '', '', '+a', '+1', '+a.1', '+01-b_C', '+10.a'),
  )
  .map(([before, release, ...rest]) => before + release.join('.') + rest.join(''));
const filenameLike = fc
  .tuple(
    fc.constantFrom('a', 'Foo_Bar', 'foo.bar', 'a__b', '_a', 'a_', 'é', 'a-b', 'a1', 'a-1', ''),
    fc.constantFrom('1.0', '1', '01.0RC1', '1.0+l_1', 'x', '1!2', '1.0.post1', '1_0', '', '1.0-1'),
    fc.constantFrom('', '', '', '-1', '-01b', '-x', '-2_c', '-3.d'),
    fc.constantFrom(
      '-py3-none-any',
      '-cp311.py3-abi3-win32.any',
      '-py3-none',
      '-PY3-none-any',
      '-py3.-none-any',
      '-py3-none-any.any',
      '',
      '-py 3-none-any',
      '-py3-none-',
    ),
    fc.constantFrom('.whl', '.whl', '.tar.gz', '.zip', '.egg', '.whl.x'),
  )
  .map((parts) => parts.join(''));
const clause = fc
  .tuple(
    fc.constantFrom('>=', '==', '!=', '~=', '<', '>', '<=', '===', '=', ''),
    fc.constantFrom('', ' '),
    fc.oneof(versionText, fc.constantFrom('1.*', '1.0.*', '1a1.*', '*', 'x', '1.0+a.*', '')),
  )
  .map((parts) => parts.join(''));
const specifierLike = fc.array(clause, { maxLength: 3 }).map((clauses) => clauses.join(','));
const requirementLike = fc.oneof(
  textOf(
    'a',
    'b_',
    '[',
    ']',
    '(',
    ')',
    ';',
    ',',
    ' ',
    '>=',
    '1.0',
    '==1.*',
    '@',
    'https://x',
    'extra',
    '==',
    '"x"',
    "'y'",
    'and',
    'or',
    'in',
    'not in',
    'python_version',
  ),
  fc
    .tuple(
      fc.constantFrom('a', 'A.b-c', 'a_', 'é', ' a '),
      fc.constantFrom('', '[]', '[x]', '[x,y]', ' [ x , y ] ', '[x y]'),
      fc.oneof(
        specifierLike,
        specifierLike.map((text) => `(${text})`),
        fc.constantFrom('', ' @ https://x/y', '@https://x ', ' @'),
      ),
      fc.constantFrom(
        '',
        ';python_version<"3"',
        " ; extra == 'x'",
        '; (os_name=="a" or "b" in extra) and sys.platform != "c"',
        ';',
        '; x == "1"',
        '; extra not  in "a"',
        '; "a" == "b"',
        ';python_version<"3" and',
        '; extra=="a" or(extra=="b")',
      ),
    )
    .map((parts) => parts.join('')),
);
const header = fc
  .constantFrom(...Object.values(SINGLE_FIELDS), ...Object.values(LIST_FIELDS))
  .map((field) => field.header);
const headerLine = fc
  .tuple(
    header,
    fc.constantFrom(':', ': ', ':  '),
    fc.constantFrom('a', 'a, b', '', 'é', 'x\n  y', 'x\r\n\ty', 'a: b', '  z  '),
  )
  .map((parts) => parts.join(''));
const metadataLike = fc
  .tuple(
    fc.uniqueArray(headerLine, { maxLength: 6, selector: (line) => line.split(':')[0] }),
    fc.constantFrom('', '\n\nbody\n', '\n\n'),
  )
  .map(
    ([lines, body]) =>
      `${['Metadata-Version: 2.1', 'Name: a', 'Version: 1', ...lines.filter((line) => !/^(?:Metadata-Version|Name|Version):/.test(line))].join('\n')}${body}`,
  );
const validMetadataLike = fc
  .tuple(
    fc.constantFrom('1.0', '1.1', '1.2', '2.0', '2.1', '2.2', '2.3', '2.4', '2.5', '2.6', '2.7', '3'),
    fc.constantFrom('a', 'A.b', 'a b'),
    fc.constantFrom('1.0', '1.0+l', 'x'),
    fc.uniqueArray(
      fc.constantFrom(
        'Summary: s',
        'Requires-Python: >=3',
        'Requires-Python: 3',
        'Requires-Dist: a>=1',
        'Requires-Dist: a b',
        'Requires-Dist: a @ https://x',
        'License-Expression: MIT',
        'License-Expression: MIT nonsense',
        'License: x',
        'License-File: L',
        'License-File: ../L',
        'Dynamic: Summary',
        'Dynamic: Name',
        'Provides-Extra: x',
        'Provides-Extra: x y',
        'Description-Content-Type: text/markdown; variant=GFM',
        'Description-Content-Type: text/html',
        'Import-Name: a.b',
        'Import-Name: a;private',
        'Import-Name: a.if',
        'Import-Namespace: b',
        'Home-page: https://x',
        'Home-page: javascript:x',
        'Project-URL: a, https://x',
        'Author: x',
      ),
      { maxLength: 4, selector: (line) => line.split(':')[0] },
    ),
  )
  .map(([metadataVersion, name, version, lines]) =>
    [`Metadata-Version: ${metadataVersion}`, `Name: ${name}`, `Version: ${version}`, ...lines, ''].join('\n'),
  );
const anyText = fc.string({ unit: 'binary', maxLength: 12 });
const pageFile = fc
  .record({
    version: fc.constantFrom('1.0', '1.10', '1.9+l.1', '2!1'),
    end: fc.constantFrom('.tar.gz', '-py3-none-any.whl'),
    extra: fc.record(
      {
        requiresPython: anyText,
        coreMetadataSha256: fc.constant('c'.repeat(64)),
        yanked: fc.oneof(fc.constant<true>(true), anyText),
      },
      { requiredKeys: [] },
    ),
  })
  .map(({ version, end, extra }): PageFile => ({
    filename: `foo_bar-${version}${end}`,
    version,
    sha256: 'a'.repeat(64),
    size: 1,
    uploadTime: '2026-01-02T03:04:05.000006Z',
    ...extra,
  }));
