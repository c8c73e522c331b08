import { readdir, readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { readTrustFile, type Reader } from '../proxy/project-trust.ts';
import { TrustSettingsError } from '../proxy/trust-settings-error.ts';
import type { TrustSettings } from '../proxy/trust-settings.ts';

/** Trust that came as a Python package ({@link writeBundle}). */
export interface BundledTrust {
  readonly settings: TrustSettings;
  /** Bytes of the roots beside it; each counts only if the settings commit it. */
  readonly roots: readonly Uint8Array[];
}

const MOST_ROOTS = 100;

/**
 * The bundle of the environment: `share/rind/trust.d/*.toml` below `$VIRTUAL_ENV`, `$CONDA_PREFIX` and the environment that rind itself is
 * installed in (`$RIND_PREFIX`, set by its launcher), and `/etc/rind/trust.d`.
 *
 * @throws TrustSettingsError `conflict` when there are several: a package that is installed later must not add to the trust
 */
export async function findBundledTrust(
  environment: NodeJS.ProcessEnv,
  reader: Reader,
): Promise<BundledTrust | undefined> {
  const found: string[] = [];
  for (const folder of await trustFolders(environment)) {
    const names = await readdir(folder).catch(() => []);
    found.push(...names.filter((name) => name.endsWith('.toml')).map((name) => join(folder, name)));
  }
  const [path, ...others] = found.toSorted();
  if (path === undefined) return undefined;
  if (others.length > 0) {
    throw new TrustSettingsError(
      'conflict',
      path,
      `there are more like it (${others.join(', ')}), and one must decide`,
    );
  }
  const text = await readTrustFile(path, reader);
  if (text === undefined) return undefined;
  const { parseTrustSettings } = await import('../proxy/trust-settings.ts');
  return { settings: parseTrustSettings(text, path), roots: await rootsBeside(path) };
}

/** Each once, however it is spelled: the environment that is active may be the one that rind is installed in. */
async function trustFolders(environment: NodeJS.ProcessEnv): Promise<readonly string[]> {
  const prefixes = ['VIRTUAL_ENV', 'CONDA_PREFIX', 'RIND_PREFIX'].map((name) => environment[name]);
  const folders = ['/etc/rind/trust.d'];
  for (const prefix of prefixes) {
    const folder = join(prefix ?? '', 'share', 'rind', 'trust.d');
    if (prefix) folders.push(await realpath(folder).catch(() => folder));
  }
  return [...new Set(folders)];
}

async function rootsBeside(path: string): Promise<Uint8Array[]> {
  const folder = join(path, '..');
  const names = (await readdir(folder)).filter((name) => name.endsWith('.root.json'));
  const roots: Uint8Array[] = [];
  for (const name of names.slice(0, MOST_ROOTS)) roots.push(await readFile(join(folder, name)));
  return roots;
}
