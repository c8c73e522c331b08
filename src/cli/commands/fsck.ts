import type { Command } from 'commander';
import type { RunFsckOptions } from '../run-fsck.ts';

/** `rind fsck` */
export function registerFsck(program: Command): void {
  program
    .command('fsck')
    .summary('verify a whole index as a client would')
    .description(
      'Reads every metadata file, page and file of an index, verifies all of it from the first root on, and compares it\n' +
        'with the database. Exit code 0: nothing found. May run beside the server.',
    )
    .option('--data <folder>', 'where everything of the index lies', 'rind-data')
    .option('--repair', 'mend what the database proves; the server must not run')
    .option('--json', 'print the findings as JSON')
    .action(async (options: RunFsckOptions) => {
      const { runFsck } = await import('../run-fsck.ts');
      process.exitCode = await runFsck(options);
    });
}
