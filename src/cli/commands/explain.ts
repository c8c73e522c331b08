import { InvalidArgumentError, type Command } from 'commander';
import { CliError } from '../cli-error.ts';
import type { InspectOptions } from '../inspect/inspect.ts';
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

/** `rind doctor` */
export function registerDoctor(program: Command): void {
  program
    .command('doctor')
    .summary('find what goes around the verification')
    .description(
      'Looks through variables, settings, requirements, locks and caches of this folder and this machine for ways by which\n' +
        'installers get packages that nobody verified, and says what rind run does about each. The exit code is 1 when there are any.',
    )
    .option('--json', 'as JSON')
    .action(async (options: { json?: boolean }) => {
      const { diagnose } = await import('../doctor/doctor.ts');
      process.exitCode = await diagnose(options.json === true);
    });
}

/** `rind inspect URL` */
export function registerInspect(program: Command): void {
  program
    .command('inspect')
    .summary('show who signs for whom in an index')
    .description(
      'Shows roles, keys, thresholds, versions and expiries of an index, verified, and its trust tree.',
    )
    .argument('<url>')
    .option('--svg <file>', 'write the trust tree as a drawing')
    .option('--most <number>', 'roles to look at', parseCount, 100)
    .option('--allow-unencrypted-http', 'although everybody on the way can see it')
    .option('--json', 'as JSON')
    .action(async (url: string, options: InspectOptions) => {
      const { inspect } = await import('../inspect/inspect.ts');
      process.exitCode = await inspect(url, options);
    });
}

function parseCount(text: string): number {
  if (!/^[1-9][0-9]{0,5}$/.test(text)) throw new InvalidArgumentError('It is a number from 1.');
  return Number(text);
}
