import { describe, expect, it } from 'vitest';
import { LockFileError, type Lock } from './lock-file.ts';
import { lockFormatOf, readLock } from './read-lock.ts';
import { readRequirementsLock } from './requirements-lock.ts';

const A = 'a'.repeat(64);
const B = 'b'.repeat(64);

function read(format: Parameters<typeof readLock>[0], text: string): Lock {
  return readLock(format, new TextEncoder().encode(text));
}

/** One line for each file. */
function lines({ files }: Lock): string[] {
  return files.map(({ project, version, filename, hashes, length, origin }) =>
    [
      project,
      version ?? '-',
      filename ?? '-',
      [...hashes].map(([name, digest]) => `${name}:${digest.slice(0, 2)}`).join(',') || '-',
      length ?? '-',
      origin === undefined ? '-' : `${origin.kind} ${origin.text}`,
    ].join(' '),
  );
}

function refusal(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof LockFileError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'was read';
}

describe('uv.lock', () => {
  const lock = `version = 1
[[package]]
name = "Demo.Pkg"
version = "1.0"
source = { registry = "https://i.example/simple" }
sdist = { url = "https://f.example/a/demo_pkg-1.0.tar.gz", hash = "sha256:${A}", size = 10 }
wheels = [
  { url = "https://f.example/b/demo_pkg-1.0%2Blocal-py3-none-any.whl#x", hash = "sha256:${B}" },
  { url = "https://f.example/c/demo_pkg-1.0-py3-none-any.whl" },
]
[[package]]
name = "me"
source = { virtual = "." }
[[package]]
name = "forked"
version = "2"
source = { git = "https://g.example/x?rev=1#abc" }
`;

  it('names sdists, wheels, the project itself and repositories', () => {
    expect(lines(read('uv', lock))).toEqual([
      'demo-pkg 1.0 demo_pkg-1.0.tar.gz sha256:aa 10 index https://i.example/simple',
      'demo-pkg 1.0 demo_pkg-1.0+local-py3-none-any.whl sha256:bb - index https://i.example/simple',
      'demo-pkg 1.0 demo_pkg-1.0-py3-none-any.whl - - index https://i.example/simple',
      'me - - - - local .',
      'forked 2 - - - elsewhere https://g.example/x?rev=1#abc',
    ]);
  });

  it('of another version is refused', () => {
    expect(refusal(() => read('uv', lock.replace('version = 1', 'version = 2')))).toMatch(/^unknown-version/);
  });

  it('refuses a hash that is none, instead of passing it over', () => {
    expect(refusal(() => read('uv', lock.replace(`sha256:${A}`, 'sha256:zz')))).toMatch(
      /^malformed: package\.0\.sdist\.hash: this is no hash/,
    );
  });
});

describe('poetry.lock', () => {
  const packages = `[[package]]
name = "demo"
version = "1.0"
files = [{ file = "demo-1.0-py3-none-any.whl", hash = "sha256:${A}" }]
[package.source]
type = "legacy"
url = "https://i.example/simple"
[[package]]
name = "forked"
version = "2"
files = []
[package.source]
type = "git"
url = "https://g.example/x"
[[package]]
name = "beside"
version = "2"
[package.source]
type = "directory"
url = "../beside"
`;

  it('names files by package', () => {
    expect(lines(read('poetry', `${packages}[metadata]\nlock-version = "2.1"`))).toEqual([
      'demo 1.0 demo-1.0-py3-none-any.whl sha256:aa - index https://i.example/simple',
      'forked 2 - - - elsewhere https://g.example/x',
      'beside 2 - - - local ../beside',
    ]);
  });

  it('named them in one table before 1.5', () => {
    const older = `[[package]]\nname = "demo"\nversion = "1.0"\n[metadata.files]\ndemo = [{ file = "demo-1.0.tar.gz", hash = "sha256:${B}" }]`;
    expect(lines(read('poetry', older))).toEqual(['demo 1.0 demo-1.0.tar.gz sha256:bb - -']);
  });

  it('a package without any file does not look verified', () => {
    const empty = '[[package]]\nname = "demo"\nversion = "1.0"\nfiles = []\n[metadata]\n';
    expect(read('poetry', empty).files.map(({ hashes }) => hashes.size)).toEqual([0]);
  });
});

describe('pdm.lock', () => {
  it('names files by name or by URL, and repositories', () => {
    const lock = `[metadata]
lock_version = "4.5.0"
[[package]]
name = "demo"
version = "1.0"
files = [
  { file = "demo-1.0.tar.gz", hash = "sha256:${A}" },
  { url = "https://f.example/demo-1.0-py3-none-any.whl", hash = "sha256:${B}" },
]
[[package]]
name = "forked"
version = "2"
git = "https://g.example/x"
[[package]]
name = "archive"
version = "3"
url = "https://a.example/archive-3.tar.gz"
files = [{ url = "https://a.example/archive-3.tar.gz", hash = "sha256:${B}" }]
`;
    expect(lines(read('pdm', lock))).toEqual([
      'demo 1.0 demo-1.0.tar.gz sha256:aa - -',
      'demo 1.0 demo-1.0-py3-none-any.whl sha256:bb - index https://f.example/demo-1.0-py3-none-any.whl',
      'forked 2 - - - elsewhere https://g.example/x',
      'archive 3 archive-3.tar.gz sha256:bb - elsewhere https://a.example/archive-3.tar.gz',
    ]);
  });
});

describe('Pipfile.lock', () => {
  const lock = {
    _meta: { 'pipfile-spec': 6, sources: [{ name: 'here', url: 'https://i.example/simple' }] },
    default: { demo: { version: '==1.0', index: 'here', hashes: [`sha256:${A}`, `sha256:${B}`] } },
    develop: { bare: { version: '==2' }, forked: { git: 'https://g.example/x', ref: 'abc' } },
    docs: { editable: { editable: true, path: '.' } },
  };

  it('names hashes, in every category', () => {
    expect(lines(read('pipenv', JSON.stringify(lock)))).toEqual([
      'demo 1.0 - sha256:aa - index https://i.example/simple',
      'demo 1.0 - sha256:bb - index https://i.example/simple',
      'bare 2 - - - -',
      'forked - - - - elsewhere https://g.example/x',
      'editable - - - - local .',
    ]);
  });

  it('of another form, or not JSON, is refused', () => {
    expect(refusal(() => read('pipenv', '{"_meta":{"pipfile-spec":7}}'))).toMatch(/^unknown-version/);
    expect(refusal(() => read('pipenv', '{'))).toMatch(/^malformed/);
    expect(refusal(() => read('pipenv', '{"default":{}}'))).toMatch(/^malformed/);
  });
});

describe('pylock.toml', () => {
  const lock = `lock-version = "1.0"
[[packages]]
name = "demo"
version = "1.0"
index = "https://i.example/simple"
sdist = { name = "demo-1.0.tar.gz", url = "https://f.example/x", hashes = { sha256 = "${A}", sha512 = "${B}${B}" } }
wheels = [{ path = "./demo-1.0-py3-none-any.whl", size = 5, hashes = { sha256 = "${B}" } }]
[[packages]]
name = "tree"
directory = { path = "." }
[[packages]]
name = "forked"
vcs = { type = "git", url = "https://g.example/x", commit-id = "abc" }
[[packages]]
name = "archived"
archive = { url = "https://a.example/archived-1.zip", hashes = { sha256 = "${A}" } }
`;

  it('names files with all their hashes', () => {
    expect(lines(read('pylock', lock))).toEqual([
      'demo 1.0 demo-1.0.tar.gz sha256:aa,sha512:bb - index https://i.example/simple',
      'demo 1.0 demo-1.0-py3-none-any.whl sha256:bb 5 index https://i.example/simple',
      'tree - - - - local .',
      'forked - - - - elsewhere https://g.example/x',
      'archived - archived-1.zip sha256:aa - elsewhere https://a.example/archived-1.zip',
    ]);
  });

  it('of version 2 is refused', () => {
    expect(refusal(() => read('pylock', lock.replace('"1.0"', '"2.0"')))).toMatch(/^unknown-version/);
  });
});

describe('requirements with hashes', () => {
  const of = (...texts: string[]) =>
    readRequirementsLock(texts.map((text, index) => ({ number: index + 1, words: text.split(' ') })));

  it('names the hashes of every requirement, however they are written', () => {
    const lock = of(
      '--index-url https://i.example/simple',
      `Demo[extra]==1.0 ; python_version > "3" --hash=sha256:${A} --hash sha256:${B}`,
      `short === 2 --ha=sha256:${A}`,
      'bare==3',
    );
    expect(lines(lock)).toEqual([
      'demo 1.0 - sha256:aa - index https://i.example/simple',
      'demo 1.0 - sha256:bb - index https://i.example/simple',
      'short 2 - sha256:aa - index https://i.example/simple',
      'bare 3 - - - index https://i.example/simple',
    ]);
  });

  it('names direct URLs, repositories and editable folders for what they are', () => {
    const lock = of(
      `demo @ https://f.example/demo-1.0.tar.gz --hash=sha256:${A}`,
      `https://f.example/other-1.0.tar.gz#sha256=${B}`,
      'git+https://g.example/x',
      '-e .',
    );
    expect(lines(lock)).toEqual([
      'demo - demo-1.0.tar.gz sha256:aa - elsewhere https://f.example/demo-1.0.tar.gz',
      `other-1.0.tar.gz - other-1.0.tar.gz sha256:bb - elsewhere https://f.example/other-1.0.tar.gz#sha256=${B}`,
      'x - - - - elsewhere git+https://g.example/x',
      'editable - - - - local -e .',
    ]);
  });

  it('hashes without a version are refused: nothing says which file they are of', () => {
    expect(refusal(() => of(`demo>=1 --hash=sha256:${A}`))).toMatch(/^malformed: line 1/);
  });
});

describe('what is no lock', () => {
  it.each(['uv', 'poetry', 'pdm', 'pylock'] as const)(
    '%s: other TOML, broken TOML and other bytes',
    (format) => {
      for (const text of [
        'x = 1',
        '[[package',
        '\u0000',
        '[[package]]\nname = 3',
        '[[packages]]\nname = "../x"',
      ])
        expect(refusal(() => read(format, `${text}\n`))).toMatch(/^malformed/);
      expect(refusal(() => readLock(format, Uint8Array.of(0xff, 0xfe)))).toBe('malformed: it is not UTF-8');
      expect(refusal(() => read(format, '[[package]]\nname = 3\n[[packages]]\nname = 3'))).toMatch(
        /^malformed/,
      );
    },
  );

  it('is told by its name', () => {
    expect(['uv.lock', 'pylock.dev.toml', 'requirements.txt', 'pyproject.toml'].map(lockFormatOf)).toEqual([
      'uv',
      'pylock',
      'requirements',
      undefined,
    ]);
  });
});
