import type { Command } from 'commander';
import { addRunOptions, type RunCommandOptions } from '../run-options.ts';

/** `rind run -- COMMAND…` */
export function registerRun(program: Command): void {
  const run = program
    .command('run')
    .summary('run a command that can install verified packages only')
    .description(
      'Runs COMMAND with all its connections led through a proxy that answers for the trusted index with verified\n' +
        'bytes, under its own URL, and refuses every other host.\n' +
        'If anything does not verify, COMMAND is ended, the reason is printed and the exit code is 3;\n' +
        "otherwise the exit code is COMMAND's own.",
    )
    .usage('[options] -- COMMAND [ARGS...]')
    .argument('<command>')
    .argument('[args...]')
    .passThroughOptions();
  addRunOptions(run).action(async (command: string, args: string[], options: RunCommandOptions) => {
    const [{ runInstaller }, { endLike }] = await Promise.all([
      import('../run-installer.ts'),
      import('../installer-process.ts'),
    ]);
    endLike(await runInstaller(command, args, options));
  });
}
