import type { Command } from 'commander';

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
