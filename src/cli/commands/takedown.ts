import type { Command } from 'commander';
import type { TakedownOptions } from '../takedowns.ts';

/** `rind takedown` */
export function registerTakedown(program: Command): void {
  const takedown = program
    .command('takedown')
    .summary('withhold files from everybody, whoever has signed them; nothing is deleted');
  common(takedown.command('add'))
    .summary('withhold a file, or every file of a project')
    .argument('<project>')
    .argument('[filename]')
    .requiredOption('--reason <text>', 'why, for the people who miss it')
    .action((project: string, filename: string | undefined, options: TakedownOptions & { reason: string }) =>
      run((parts) => parts.takeDown(options, project, filename)),
    );
  common(takedown.command('list'))
    .summary('list what is withheld')
    .action((options: TakedownOptions) => run((parts) => parts.listTakenDown(options)));
  common(takedown.command('remove'))
    .summary('offer a file, or a project, again')
    .argument('<project>')
    .argument('[filename]')
    .action((project: string, filename: string | undefined, options: TakedownOptions) =>
      run((parts) => parts.endTakeDown(options, project, filename)),
    );
}

async function run(work: (parts: typeof import('../takedowns.ts')) => Promise<number>): Promise<void> {
  process.exitCode = await work(await import('../takedowns.ts'));
}

function common(command: Command): Command {
  return command
    .option('--data <folder>', 'where everything of the index lies', 'rind-data')
    .option('--index <name>', 'the index; the default one when left out', '')
    .option('--json', 'print the outcome as JSON');
}
