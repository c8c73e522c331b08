import type { Command } from 'commander';

/** `rind witness` */
export function registerWitness(program: Command): void {
  program
    .command('witness')
    .summary('show heads of public logs that others reported to this server')
    .description('Exit code 1 when two of them contradict each other: then that index has two histories.')
    .option('--data <folder>', 'where everything of the index lies', 'rind-data')
    .option('--origin <url>', 'only of the index with this public URL')
    .action(async (options: { readonly data: string; readonly origin?: string }) => {
      const { showWitnessed } = await import('../run-witness.ts');
      process.exitCode = await showWitnessed(options);
    });
}
