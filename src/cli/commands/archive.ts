import type { Command } from 'commander';
import type { ArchiveCommandOptions } from '../run-archive.ts';

/** `rind archive` */
export function registerArchive(program: Command): void {
  const archive = program
    .command('archive')
    .summary('keep every role and every target hash offline, to compare with after an attack');
  archive
    .command('make <folder>')
    .summary('add the present state to an archive')
    .description(
      'Verifies all metadata as a client would and keeps it with a listing of every target. Only what is new is written.\n' +
        'May run beside the server. Keep the folder where the server cannot write.',
    )
    .option('--data <folder>', 'where everything of the index lies', 'rind-data')
    .option('--index <name>', 'which index', '')
    .action(async (folder: string, options: ArchiveCommandOptions) => {
      const { makeArchive } = await import('../run-archive.ts');
      process.exitCode = await makeArchive(folder, options);
    });
  archive
    .command('verify <folder>')
    .summary('verify an archive without the server')
    .option('--state <version>', 'the state of this version of timestamp (default: the youngest)')
    .action(async (folder: string, options: { readonly state?: string }) => {
      const { checkArchive } = await import('../run-archive.ts');
      process.exitCode = await checkArchive(folder, options);
    });
}
