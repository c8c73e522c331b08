import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The words that start this very rind again: the launcher of the environment a wheel was installed in, the one executable, or
 * Node.js with the program.
 */
export function ownCommand(
  environment: NodeJS.ProcessEnv,
  execPath: string = process.execPath,
): readonly string[] {
  const prefix = environment['RIND_PREFIX'] ?? '';
  const launcher = join(prefix, 'bin', 'rind');
  // Another rind may have set the variable and started this one.
  if (prefix !== '' && execPath.startsWith(join(prefix, 'lib', 'rind', '/')) && existsSync(launcher))
    return [launcher];
  if (isSingleExecutable()) return [execPath];
  return [execPath, fileURLToPath(new URL('./main.js', import.meta.url))];
}

function isSingleExecutable(): boolean {
  const sea = process.getBuiltinModule('node:sea') as { readonly isSea: () => boolean } | undefined;
  return sea?.isSea() === true;
}
