import type { Command } from 'commander';
import type { RunGcOptions } from '../run-gc.ts';

/** `rind gc` */
export function registerGc(program: Command): void {
  program
    .command('gc')
    .summary('take away what no reader needs any more')
    .description(
      'Removes metadata and pages that no snapshot of the last hour and none of the last ten lists, and files that were\n' +
        'removed from the index a day ago. Roots stay for ever. A running server does this by itself every quarter of an\n' +
        'hour, and is asked to do it now; without one this process does it.',
    )
    .option('--data <folder>', 'where everything of the index lies', 'rind-data')
    .option('--dry-run', 'only say what would be taken away')
    .option('--json', 'print the result as JSON')
    .action(async (options: RunGcOptions) => {
      const { runGc } = await import('../run-gc.ts');
      process.exitCode = await runGc(options);
    });
}
