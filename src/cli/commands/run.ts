import type { Command } from 'commander';
import { endLike } from '../installer-process.ts';

/** `rind run -- COMMAND…` */
export function registerRun(program: Command): void {
  program
    .command('run')
    .summary('run a command that can install verified packages only')
    .description(
      'Runs COMMAND with pip, uv, pdm and pipenv pointed at the verified index and at no other.\n' +
        'If anything does not verify, COMMAND is ended, the reason is printed and the exit code is 3;\n' +
        "otherwise the exit code is COMMAND's own.",
    )
    .usage('[options] -- COMMAND [ARGS...]')
    .argument('<command>')
    .argument('[args...]')
    .option('--index <url>', 'the trusted index to use, if there are several')
    .passThroughOptions()
    .action(async (command: string, args: string[], options: { index?: string }) => {
      const { runInstaller } = await import('../run-installer.ts');
      endLike(await runInstaller(command, args, options));
    });
}
