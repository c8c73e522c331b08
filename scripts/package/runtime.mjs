// The Node.js that goes along: from npm, at the version and with the hashes of runtime.json, without what only debuggers read.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { programHeaders, PT_LOAD } from './elf.mjs';

export const RUNTIME = JSON.parse(readFileSync(join(import.meta.dirname, 'runtime.json'), 'utf8'));

/**
 * The program and its licence, as bytes. `place` is the unpacked npm package, if somebody has it already; otherwise it is
 * fetched once and kept. Whatever the place: the hash decides.
 */
export function readRuntime(place) {
  const folder = place ?? fetchRuntime();
  const bytes = readFileSync(join(folder, 'bin', 'node'));
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  if (sha256 !== RUNTIME.sha256)
    throw new Error(`${folder}/bin/node has the sha256 ${sha256}, not that of runtime.json`);
  return { program: withoutSections(bytes), licence: readFileSync(join(folder, 'LICENSE')) };
}

function fetchRuntime() {
  const cache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'rind-package');
  const folder = join(cache, `${RUNTIME.package}-${RUNTIME.version}`);
  if (existsSync(folder)) return folder;
  const fresh = `${folder}.${process.pid}`;
  mkdirSync(fresh, { recursive: true });
  try {
    const wanted = `${RUNTIME.package}@${RUNTIME.version}`;
    call('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', fresh, wanted]);
    const tarball = join(fresh, `${RUNTIME.package}-${RUNTIME.version}.tgz`);
    const integrity = `sha512-${createHash('sha512').update(readFileSync(tarball)).digest('base64')}`;
    if (integrity !== RUNTIME.integrity)
      throw new Error(`${wanted} is not the one of runtime.json: ${integrity}`);
    call('tar', ['-xzf', tarball, '-C', fresh]);
    if (!existsSync(folder)) renameSync(join(fresh, 'package'), folder);
    return folder;
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

function call(command, args) {
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed: ${stderr}`);
}

/** An ELF program without its section headers and symbols, which nothing reads at run time; the same bytes on every machine. */
function withoutSections(bytes) {
  const ends = programHeaders(bytes)
    .filter(({ type }) => type === PT_LOAD)
    .map(({ offset, fileSize }) => Number(offset + fileSize));
  const kept = Buffer.from(bytes.subarray(0, Math.max(...ends)));
  kept.writeBigUInt64LE(0n, 0x28); // e_shoff
  kept.writeUInt16LE(0, 0x3c); // e_shnum
  kept.writeUInt16LE(0, 0x3e); // e_shstrndx
  return kept;
}
