import type { Command } from 'commander';
import { endLike } from '../installer-process.ts';

/** `rind pip ARGS…` */
export function registerPip(program: Command): void {
  program
    .command('pip')
    .summary('run pip; it can install verified packages only')
    .description(
      'Runs the pip of the active virtual environment, or the one on the PATH, with ARGS as they are.\n' +
        'If anything does not verify, pip is ended, the reason is printed and the exit code is 3;\n' +
        "otherwise the exit code is pip's own.",
    )
    .usage('[--index URL] ARGS...')
    .argument('[args...]')
    .option('--index <url>', 'the trusted index to use, if there are several')
    .passThroughOptions()
    .allowUnknownOption()
    .addHelpText('after', '\nExample:\n  rind pip install flask')
    .action(async (args: string[], options: { index?: string }) => {
      const [{ findPip }, { runInstaller }] = await Promise.all([
        import('../find-pip.ts'),
        import('../run-installer.ts'),
      ]);
      const pip = await findPip(process.env);
      endLike(await runInstaller(pip.command, [...pip.args, ...args], options));
    });
}
