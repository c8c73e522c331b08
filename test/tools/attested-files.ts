import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cachedFolder } from './cache-folder.ts';
import { run } from './process.ts';
import { pythonTools, registryEnvironment } from './python-tools.ts';
import { UnavailableError } from './unavailable-error.ts';

/** Files of other people that were published with attestations, as their tests keep them, and the trusted root that verifies them. */
export interface AttestedFiles {
  /** Sigstore's `trusted_root.json`. */
  readonly trustedRoot: string;
  readonly read: (name: string) => Promise<Buffer>;
}

/** The attestations and the files they are about are among the tests of pypi-attestations; sigstore ships the trusted root. */
const PINS = [
  'pypi-attestations==0.0.30 --hash=sha256:14ff13c76bbef02a483c2b77532da02bfd746b5141b881f355e06b9807434423',
  'sigstore==4.5.1 --hash=sha256:02e000197b34980f1d382741d6f83c2fecbcef7debf7304f36a5253f3c892cd9',
];
const UNPACK = `
import glob, sys, tarfile, zipfile
folder = sys.argv[1]
with tarfile.open(glob.glob(folder + "/pypi_attestations-*.tar.gz")[0]) as archive:
    for member in archive.getmembers():
        if "/test/assets/" in member.name and member.isfile():
            open(folder + "/" + member.name.rsplit("/", 1)[1], "wb").write(archive.extractfile(member).read())
with zipfile.ZipFile(glob.glob(folder + "/sigstore-*.whl")[0]) as archive:
    [name] = [n for n in archive.namelist() if n.endswith("tuf-repo-cdn.sigstore.dev/trusted_root.json")]
    open(folder + "/trusted_root.json", "wb").write(archive.read(name))
`;

export async function attestedFiles(): Promise<AttestedFiles> {
  const { python } = await pythonTools();
  const folder = await cachedFolder('attested-files', PINS, async (fresh) => {
    const requirements = join(fresh, 'requirements.txt');
    await writeFile(requirements, PINS.join('\n'));
    const args = ['--no-deps', '--require-hashes', '--no-build-isolation'];
    const formats = ['--no-binary=pypi-attestations', '--only-binary=sigstore'];
    const finished = await run(
      python,
      ['-m', 'pip', '--quiet', 'download', ...args, ...formats, '--dest', fresh, '-r', requirements],
      { env: registryEnvironment(), timeout: 300_000 },
    );
    if (finished.code !== 0) {
      throw new UnavailableError(
        `attested files could not be downloaded from PyPI: ${finished.stderr.trim()}`,
      );
    }
    const unpacked = await run(python, ['-c', UNPACK, fresh]);
    if (unpacked.code !== 0) throw new Error(unpacked.stderr);
  });
  return {
    trustedRoot: join(folder, 'trusted_root.json'),
    read: (name) => readFile(join(folder, name)),
  };
}
