import { createCipheriv, createHash } from 'node:crypto';
import { crc32, deflateRawSync, gzipSync } from 'node:zlib';

/** A distribution made for a test, whole and installable. */
export interface Distribution {
  readonly filename: string;
  readonly bytes: Buffer;
  readonly kind: 'wheel' | 'sdist';
  readonly name: string;
  readonly version: string;
}

export interface DistributionOptions {
  readonly name: string;
  readonly version: string;
  readonly requires?: readonly string[];
  /** So many bytes of content that does not compress. */
  readonly padding?: number;
  /** Makes another file of the same name: a build is told by its content only. */
  readonly build?: string;
  readonly classifiers?: readonly string[];
  /** What an sdist turns out to require when it is built; its PKG-INFO, as older tools wrote it, says nothing of that. */
  readonly builtRequires?: readonly string[];
  /** The text of entry_points.txt; wheels only. */
  readonly entryPoints?: string;
}

interface Member {
  readonly name: string;
  readonly bytes: Buffer;
}

function underscored(name: string): string {
  return name.toLowerCase().replace(/[-_.]+/g, '_');
}

/** Bytes that look random and are the same on every run. */
function padding(seed: string, length: number): Buffer {
  const key = createHash('sha256').update(seed).digest().subarray(0, 16);
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(length));
}

function coreMetadata(
  { name, version, requires = [], classifiers = [] }: DistributionOptions,
  metadataVersion = '2.1',
): string {
  const lines = [
    `Metadata-Version: ${metadataVersion}`,
    `Name: ${name}`,
    `Version: ${version}`,
    `Summary: A distribution for the tests of Rind`,
  ];
  return [
    ...lines,
    ...classifiers.map((classifier) => `Classifier: ${classifier}`),
    ...requires.map((requirement) => `Requires-Dist: ${requirement}`),
    '',
    `The text of ${name}.`,
    '',
  ].join('\n');
}

function localHeader({ name, bytes }: Member, compressed: Buffer): Buffer {
  const header = Buffer.alloc(30);
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt16LE(20, 4);
  header.writeUInt16LE(8, 8);
  header.writeUInt32LE(0x00210000, 10); // 1980-01-01
  header.writeUInt32LE(crc32(bytes), 14);
  header.writeUInt32LE(compressed.length, 18);
  header.writeUInt32LE(bytes.length, 22);
  header.writeUInt16LE(Buffer.byteLength(name), 26);
  return Buffer.concat([header, Buffer.from(name)]);
}

function centralHeader(local: Buffer, name: string, offset: number): Buffer {
  const header = Buffer.alloc(46);
  header.writeUInt32LE(0x02014b50, 0);
  header.writeUInt16LE(0x031e, 4);
  local.copy(header, 6, 4, 30);
  header.writeUInt32LE((0o100644 << 16) >>> 0, 38);
  header.writeUInt32LE(offset, 42);
  return Buffer.concat([header, Buffer.from(name)]);
}

/** A zip archive as Python's own tools write it: DEFLATE, no data descriptors, no comment. */
function zip(members: readonly Member[]): Buffer {
  const parts: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const member of members) {
    const compressed = deflateRawSync(member.bytes);
    const local = localHeader(member, compressed);
    central.push(centralHeader(local, member.name, offset));
    parts.push(local, compressed);
    offset += local.length + compressed.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(members.length, 8);
  end.writeUInt16LE(members.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, directory, end]);
}

function tarHeader({ name, bytes }: Member): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0, 100);
  header.write('0000644\0', 100);
  header.write('0000000\0', 108);
  header.write('0000000\0', 116);
  header.write(`${bytes.length.toString(8).padStart(11, '0')}\0`, 124);
  header.write('00000000000\0', 136);
  header.write('        ', 148);
  header.write('0', 156);
  header.write('ustar\x0000', 257, 'latin1');
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}

function tar(members: readonly Member[]): Buffer {
  const parts = members.flatMap((member) => [
    tarHeader(member),
    member.bytes,
    Buffer.alloc((512 - (member.bytes.length % 512)) % 512),
  ]);
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

function recordLine({ name, bytes }: Member): string {
  return `${name},sha256=${createHash('sha256').update(bytes).digest('base64url')},${bytes.length}`;
}

function moduleSource({ name, version, build = '' }: DistributionOptions): Buffer {
  return Buffer.from(`"""${name}"""\n\nversion = '${version}'\nbuild = '${build}'\n`);
}

export function makeWheel(options: DistributionOptions): Distribution {
  const { name, version } = options;
  const stem = `${underscored(name)}-${version}`;
  const members: Member[] = [
    { name: `${underscored(name)}/__init__.py`, bytes: moduleSource(options) },
    { name: `${stem}.dist-info/METADATA`, bytes: Buffer.from(coreMetadata(options)) },
    {
      name: `${stem}.dist-info/WHEEL`,
      bytes: Buffer.from(
        'Wheel-Version: 1.0\nGenerator: rind-tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
      ),
    },
  ];
  if (options.entryPoints !== undefined) {
    members.push({
      name: `${stem}.dist-info/entry_points.txt`,
      bytes: Buffer.from(options.entryPoints),
    });
  }
  if (options.padding !== undefined) {
    members.push({
      name: `${underscored(name)}/padding.bin`,
      bytes: padding(`${stem} ${options.build ?? ''}`, options.padding),
    });
  }
  const record = `${stem}.dist-info/RECORD`;
  members.push({
    name: record,
    bytes: Buffer.from([...members.map(recordLine), `${record},,`, ''].join('\n')),
  });
  return { filename: `${stem}-py3-none-any.whl`, bytes: zip(members), kind: 'wheel', name, version };
}

/** A build backend of its own inside the sdist, so that it builds without fetching anything. */
const backend = `
import base64, hashlib, os, zipfile

def _members():
    for folder, _, names in sorted(os.walk(PACKAGE)):
        for name in sorted(names):
            if name.endswith(".py"):
                path = os.path.join(folder, name)
                with open(path, "rb") as file:
                    yield path, file.read()
    with open("PKG-INFO", "rb") as file:
        head, blank, text = file.read().partition(b"\\n\\n")
        lines = [head] + [b"Requires-Dist: " + name.encode() for name in BUILT_REQUIRES]
        yield STEM + ".dist-info/METADATA", b"\\n".join(lines) + blank + text
    yield STEM + ".dist-info/WHEEL", b"Wheel-Version: 1.0\\nGenerator: rind-tests\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    filename = STEM + "-py3-none-any.whl"
    record = STEM + ".dist-info/RECORD"
    lines = []
    with zipfile.ZipFile(os.path.join(wheel_directory, filename), "w") as wheel:
        for name, data in _members():
            wheel.writestr(name, data)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            lines.append(f"{name},sha256={digest},{len(data)}")
        wheel.writestr(record, "\\n".join(lines + [record + ",,", ""]))
    return filename
`;

export function makeSdist(options: DistributionOptions): Distribution {
  const { name, version } = options;
  const stem = `${underscored(name)}-${version}`;
  const { builtRequires = [] } = options;
  const constants = `STEM = "${stem}"\nPACKAGE = "${underscored(name)}"\nBUILT_REQUIRES = ${JSON.stringify(builtRequires)}\n`;
  // Since metadata 2.2 PKG-INFO means what it says (PEP 643).
  const packageInfo = coreMetadata(options, builtRequires.length > 0 ? '2.1' : '2.2');
  const members: Member[] = [
    { name: `${stem}/PKG-INFO`, bytes: Buffer.from(packageInfo) },
    {
      name: `${stem}/pyproject.toml`,
      bytes: Buffer.from('[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'),
    },
    { name: `${stem}/backend.py`, bytes: Buffer.from(constants + backend) },
    { name: `${stem}/${underscored(name)}/__init__.py`, bytes: moduleSource(options) },
  ];
  if (options.padding !== undefined) {
    members.push({
      name: `${stem}/padding.bin`,
      bytes: padding(`${stem} ${options.build ?? ''}`, options.padding),
    });
  }
  return { filename: `${stem}.tar.gz`, bytes: gzipSync(tar(members)), kind: 'sdist', name, version };
}
