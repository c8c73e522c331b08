import type { Command } from 'commander';
import type { RunImportOptions } from '../run-import.ts';

/** `rind import` */
export function registerImport(program: Command): void {
  program
    .command('import')
    .summary('take in many targets or files at once')
    .description(
      'Takes in files of lines (CSV: path,size,sha256, or one JSON object a line), each a target without its file, or folders of wheels\n' +
        'and sdists with every check of an upload. Lines are all read and checked before the first of them is signed; a server of this\n' +
        'folder must not run meanwhile. Folders may be imported beside a running server, which signs what comes in.',
    )
    .argument('[sources...]', 'files of lines, or folders')
    .option('--data <folder>', 'where everything of the index lies', 'rind-data')
    .option('--index <name>', 'another index of that folder than the default one', '')
    .option('--resume', 'go on with the import that was interrupted')
    .option('--abandon', 'give up the import that was interrupted; what is public stays')
    .option('--json', 'print a summary as JSON')
    .action(async (sources: string[], options: Omit<RunImportOptions, 'sources'>) => {
      const { runImportCommand } = await import('../run-import.ts');
      process.exitCode = await runImportCommand({ ...options, sources });
    });
}
