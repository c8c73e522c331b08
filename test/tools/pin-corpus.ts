// Rewrites the hashes in test/corpus/*.txt from what PyPI says today about the pinned versions:
//   node --import tsx test/tools/pin-corpus.ts
// Wheels that differ by interpreter and platform get one hash for each combination below.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { corpusListFile, formatArguments, type CorpusList } from './corpus.ts';
import { run, succeed } from './process.ts';
import { pythonTools, registryEnvironment } from './python-tools.ts';

const interpreters = ['3.11', '3.12', '3.13', '3.14'];
const platforms = [
  ['manylinux_2_28_x86_64', 'manylinux_2_17_x86_64', 'manylinux2014_x86_64'],
  ['manylinux_2_28_aarch64', 'manylinux_2_17_aarch64', 'manylinux2014_aarch64'],
  ['macosx_14_0_arm64', 'macosx_11_0_arm64', 'macosx_10_13_universal2'],
];

interface Report {
  readonly install: readonly {
    readonly metadata: { readonly name: string };
    readonly download_info: { readonly archive_info: { readonly hashes: { readonly sha256: string } } };
  }[];
}

const scratch = await mkdtemp(join(tmpdir(), 'rind-pins-'));

async function hashesOf(
  python: string,
  list: CorpusList,
  pins: readonly string[],
  target: readonly string[],
): Promise<Map<string, string>> {
  const file = join(scratch, 'requirements.txt');
  await writeFile(file, pins.join('\n'));
  const args = [
    '-m',
    'pip',
    '--quiet',
    'install',
    '--dry-run',
    '--ignore-installed',
    '--no-deps',
    '--report',
    '-',
    '--target',
    scratch,
  ];
  const environment = { env: registryEnvironment(), timeout: 600_000 };
  const all = await run(python, [...args, ...formatArguments(list), ...target, '-r', file], environment);
  const hashes = new Map<string, string>();
  if (all.code !== 0) {
    // One of them has no file for this combination: ask one by one and take what there is.
    if (pins.length === 1) return hashes;
    for (const pin of pins) {
      for (const [name, hash] of await hashesOf(python, list, [pin], target)) hashes.set(name, hash);
    }
    return hashes;
  }
  for (const { metadata, download_info: info } of (JSON.parse(all.stdout) as Report).install) {
    hashes.set(metadata.name.toLowerCase().replace(/[-_.]+/g, '-'), info.archive_info.hashes.sha256);
  }
  return hashes;
}

const { python } = await pythonTools();
await succeed(python, ['-m', 'pip', '--version']);
for (const list of ['wheels', 'older', 'sdists'] as const) {
  const text = await readFile(corpusListFile(list), 'utf8');
  const lines = text
    .replaceAll(/ *\\\n */g, ' ')
    .trim()
    .split('\n');
  const pins = lines.filter((line) => !line.startsWith('#')).map((line) => line.split(' ')[0] ?? '');
  const found = new Map<string, Set<string>>();
  const targets =
    list === 'sdists'
      ? [[]]
      : interpreters.flatMap((version) =>
          platforms.map((names) => [
            '--python-version',
            version,
            ...names.flatMap((name) => ['--platform', name]),
          ]),
        );
  for (const target of targets) {
    for (const [name, hash] of await hashesOf(python, list, pins, target)) {
      found.set(name, (found.get(name) ?? new Set()).add(hash));
    }
  }
  const pinned = lines.map((line) => {
    if (line.startsWith('#')) return line;
    const pin = line.split(' ')[0] ?? '';
    const hashes = [...(found.get(pin.split('==')[0] ?? '') ?? [])].sort();
    if (hashes.length === 0) throw new Error(`PyPI has no file for ${pin}`);
    return [pin, ...hashes.map((hash) => `--hash=sha256:${hash}`)].join(' \\\n    ');
  });
  await writeFile(corpusListFile(list), `${pinned.join('\n')}\n`);
  console.log(`${list}: ${pins.length} pins`);
}
await rm(scratch, { recursive: true });
