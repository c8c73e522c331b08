import { InvalidArgumentError, type Command } from 'commander';
import { wholeNumber } from './whole-number.ts';
import type { RunImportOptions } from '../run-import.ts';

/** `rind import` */
export function registerImport(program: Command): void {
  program
    .command('import')
    .summary('take in many targets or files at once')
    .description(
      'Takes in another index (its list of projects, as pip has it: https://devpi.example/team/prod/+simple/), folders of wheels and sdists, both\n' +
        'with every check of an upload, or files of lines (CSV: path,size,sha256, or one JSON object a line), each a target without\n' +
        'its file. What is here already is passed by: an import that was killed is run again. Credentials for the other index come from\n' +
        '~/.netrc, or from RIND_IMPORT_USERNAME and RIND_IMPORT_PASSWORD. Lines are all read and checked before the first of them is signed; a server of this\n' +
        'folder must not run meanwhile. Indexes and folders may be imported beside a running server, which signs what comes in.',
    )
    .argument('[sources...]', 'folders, files of lines, or the URL of the /simple/ list of another index')
    .option('--data <folder>', 'where everything of the index lies', 'rind-data')
    .option(
      '--index <url|name>',
      'take everything from the index at this URL; or: import into that index of the folder',
      collect,
      [],
    )
    .option(
      '--project <names...>',
      'of another index: only these projects; acme-* stands for all whose name begins so',
    )
    .option(
      '--newest <count>',
      'of another index: only so many of the newest versions of each project',
      wholeNumber,
    )
    .option('--upload-times <keep|now>', 'of another index: when files count as uploaded', parseTimes, 'keep')
    .option(
      '--as-is',
      'take files that the upload rules of this index forbid; unsafe and contradictory ones are refused all the same',
    )
    .option('--allow-unencrypted-http', 'take files from another machine without TLS')
    .option('--resume', 'go on with the import that was interrupted')
    .option('--abandon', 'give up the import that was interrupted; what is public stays')
    .option('--json', 'print a summary as JSON')
    .action(async (sources: string[], options: Omit<RunImportOptions, 'sources'>) => {
      const { runImportCommand } = await import('../run-import.ts');
      process.exitCode = await runImportCommand({ ...options, sources });
    });
}

function collect(text: string, before: readonly string[]): readonly string[] {
  return [...before, text];
}

function parseTimes(text: string): string {
  if (text === 'keep' || text === 'now') return text;
  throw new InvalidArgumentError('Say keep or now.');
}
