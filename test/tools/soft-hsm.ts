import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { run, succeed } from './process.ts';
import { UnavailableError } from './unavailable-error.ts';

const LIBRARIES = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib64/softhsm/libsofthsm2.so',
  '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so',
  '/usr/local/lib/softhsm/libsofthsm2.so',
  '/opt/homebrew/lib/softhsm/libsofthsm2.so',
];

/** SoftHSM with tokens in a folder of its own. */
export class SoftHsm {
  readonly library: string;
  readonly configuration: string;

  private constructor(library: string, configuration: string) {
    this.library = library;
    this.configuration = configuration;
  }

  /** Sets SOFTHSM2_CONF of this process, which the library reads when it is first used. */
  static async open(folder: string): Promise<SoftHsm> {
    const library = LIBRARIES.find((path) => existsSync(path));
    const tool = await run('softhsm2-util', ['--version']).catch(() => undefined);
    if (library === undefined || tool?.code !== 0) {
      throw new UnavailableError('SoftHSM is not installed (Debian: apt-get install softhsm2)');
    }
    try {
      createRequire(import.meta.url)('pkcs11js');
    } catch {
      throw new UnavailableError('the optional package pkcs11js was not compiled (it needs a C++ compiler)');
    }
    const tokens = join(folder, 'tokens');
    const configuration = join(folder, 'softhsm2.conf');
    await mkdir(tokens, { recursive: true, mode: 0o700 });
    await writeFile(
      configuration,
      `directories.tokendir = ${tokens}\nobjectstore.backend = file\nlog.level = ERROR\n`,
    );
    process.env['SOFTHSM2_CONF'] = configuration;
    return new SoftHsm(library, configuration);
  }

  async createToken(label: string, pin: string): Promise<void> {
    await succeed(
      'softhsm2-util',
      ['--init-token', '--free', '--label', label, '--so-pin', '12345678', '--pin', pin],
      {
        env: { ...process.env, SOFTHSM2_CONF: this.configuration },
      },
    );
  }

  uri(keyId: string, label: string): string {
    return `hsm:${keyId}?label=${label}&module=${this.library}`;
  }
}
