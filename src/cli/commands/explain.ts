import type { Command } from 'commander';
import { CliError } from '../cli-error.ts';
import type { VerifyInstalledOptions } from '../verify-installed.ts';

/** `rind why` */
export function registerWhy(program: Command): void {
  program
    .command('why')
    .summary('say why something was refused last')
    .description('Says what was refused last on this machine, what it may mean, and what to do.')
    .option('--json', 'as JSON')
    .action(async (options: { json?: boolean }) => {
      const { explainLast } = await import('../explain-last.ts');
      process.exitCode = await explainLast(options.json === true);
    });
}

/** `rind verify FILE…` and `rind verify --installed` */
export function registerVerify(program: Command): void {
  program
    .command('verify')
    .summary('verify files on disk, or what is installed')
    .description(
      'Says whether wheels and sdists are those that the trusted index signed under their names, from wherever they came;\n' +
        'with --installed, whether the files of installed distributions are those of the signed wheels.\n' +
        'The exit code is 3 when something is not, 1 when something could not be verified.',
    )
    .argument('[files...]')
    .option('--installed', 'verify the active virtual environment')
    .option('--python <path>', 'with --installed: an interpreter, or the folder of an environment')
    .option('--index <url>', 'the trusted index to use, if there are several')
    .option('--offline', 'ask nobody: use what was verified here before and has not expired')
    .option('--json', 'as JSON')
    .action(async (files: string[], options: VerifyInstalledOptions & { installed?: boolean }) => {
      if ((options.installed === true) === files.length > 0)
        throw new CliError('usage', 'Either files are to be verified or --installed.', [
          'rind verify dist/*.whl',
        ]);
      if (options.installed === true) {
        const { verifyInstalled } = await import('../verify-installed.ts');
        process.exitCode = await verifyInstalled(options);
        return;
      }
      const { verifyFiles } = await import('../verify-files.ts');
      process.exitCode = await verifyFiles(files, options);
    });
}
