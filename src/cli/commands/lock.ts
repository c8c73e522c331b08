import type { Command } from 'commander';
import type { DownloadOptions } from '../download-files.ts';
import type { LockCheckOptions } from '../lock-check.ts';

/** `rind lock check` */
export function registerLock(program: Command): void {
  program
    .command('lock')
    .summary('compare locks with what is signed')
    .description('What a lock names, compared with what the trusted index signs.')
    .command('check')
    .description(
      'Compares every file that a lock names with the signed one: project, version, filename, length and every hash.\n' +
        'Where all agree, an installer that enforces the hashes may take the files from anywhere.\n' +
        'Exit code 0: all agree. 3: something does not. 2: a file is no lock.',
    )
    .argument(
      '[files...]',
      'uv.lock, poetry.lock, pdm.lock, Pipfile.lock, pylock.toml, requirements with hashes; without any, those of this folder',
    )
    .option('--index <url>', 'the trusted index to ask')
    .option('--verbose', 'a line for every file')
    .option('--json', 'as JSON')
    .action(async (files: string[], options: LockCheckOptions) => {
      const { checkLocks } = await import('../lock-check.ts');
      process.exitCode = await checkLocks(files, options);
    });
}

/** `rind download` */
export function registerDownload(program: Command): void {
  program
    .command('download')
    .summary('fetch verified files into a folder, for machines without a network')
    .description(
      'Fetches files into a folder, each verified. Of requirements: what pip chooses for this machine and its Python, with all they\n' +
        'need. Of locks: every file they name. There, pip install --no-index --find-links FOLDER takes them.',
    )
    .argument('[requirements...]', 'as pip takes them')
    .requiredOption('-d, --dest <folder>', 'the folder, made if it is not there')
    .option('-r, --requirement <file>', 'a requirements file; can be said again', collect, [])
    .option('--lock <file>', 'a lock; can be said again', collect, [])
    .option('--index <url>', 'the trusted index to use')
    .addHelpText('after', '\nExample:\n  rind download -d wheelhouse flask')
    .action(async (requirements: string[], options: DownloadOptions) => {
      const [{ downloadFiles }, { endLike }] = await Promise.all([
        import('../download-files.ts'),
        import('../installer-process.ts'),
      ]);
      endLike(await downloadFiles(requirements, options));
    });
}

function collect(value: string, all: readonly string[]): readonly string[] {
  return [...all, value];
}
