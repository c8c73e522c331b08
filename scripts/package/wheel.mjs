// The platform wheel: program and Node.js below lib/rind of the environment, and a launcher in its bin.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { filesBelow, readPackage } from './program.mjs';

/** What the Node.js of runtime.json asks of the C library. */
const TAG = 'py3-none-manylinux_2_28_x86_64';

/** `pip install --user`, virtual environments, pipx (which links to it) and `uvx`: what belongs to it lies beside its folder. */
const LAUNCHER = `#!/bin/sh
program=$(readlink -f -- "$0") || exit 1
RIND_PREFIX=\${program%/*/*}
export RIND_PREFIX
exec "$RIND_PREFIX/lib/rind/node" "$RIND_PREFIX/lib/rind/dist/cli/main.js" "$@"
`;

/** Writes the wheel into a folder and returns its path. The same program makes the same bytes. */
export async function writeWheel({ root, program, node, nodeLicence, output }) {
  const { zipArchive } = await import(pathToFileURL(join(root, 'dist', 'cli', 'zip-archive.js')).href);
  const described = readPackage(root);
  const stem = `${described.name}-${described.version}`;
  const info = `${stem}.dist-info`;
  const lib = `${stem}.data/data/lib/rind`;
  const text = (name, content) => ({ name, bytes: Buffer.from(content, 'utf8') });
  const files = filesBelow(program).map((file) => ({
    name: `${lib}/${file}`,
    bytes: readFileSync(join(program, file)),
  }));
  const members = [
    { ...text(`${stem}.data/scripts/rind`, LAUNCHER), isExecutable: true },
    { name: `${lib}/node`, bytes: node, isExecutable: true },
    ...files,
    { name: `${info}/licenses/LICENSE`, bytes: readFileSync(join(root, 'LICENSE')) },
    { name: `${info}/licenses/LICENSE.node`, bytes: nodeLicence },
    text(`${info}/METADATA`, metadata(described, readFileSync(join(root, 'README.md'), 'utf8'))),
    text(`${info}/WHEEL`, `Wheel-Version: 1.0\nGenerator: rind\nRoot-Is-Purelib: false\nTag: ${TAG}\n`),
  ];
  const lines = members.map(({ name, bytes }) => `${name},sha256=${recordHash(bytes)},${bytes.length}\n`);
  const record = text(`${info}/RECORD`, `${lines.join('')}${info}/RECORD,,\n`);
  const path = join(output, `${stem}-${TAG}.whl`);
  writeFileSync(path, zipArchive([...members, record].map((member) => ({ ...member, isDeflated: true }))));
  return path;
}

function metadata({ name, version, description }, readme) {
  return `Metadata-Version: 2.4
Name: ${name}
Version: ${version}
Summary: ${description}
License-Expression: Apache-2.0 AND MIT
License-File: LICENSE
License-File: LICENSE.node
Classifier: Environment :: Console
Classifier: Operating System :: POSIX :: Linux
Classifier: Topic :: Security
Description-Content-Type: text/markdown

${readme}`;
}

function recordHash(bytes) {
  return createHash('sha256').update(bytes).digest('base64url');
}
