import type { Command } from 'commander';
import type { CreateIndexOptions, IndexOptions, removeOneIndex as RemoveOneIndex } from '../indexes.ts';

/** `rind index` */
export function registerIndex(program: Command): void {
  const index = program.command('index').summary('make, list, change and remove the indexes of a server');
  withData(index.command('create'))
    .summary('make an index with keys of its own, in the trial form; a running server serves it at once')
    .argument('<name>', 'lower-case letters, digits, hyphens; it is served at index/<name>/')
    .option('--profile <name>', 'team or pypi: how many bins, how often they are signed', 'team')
    .option('--public', 'strangers upload here: the rules of PyPI')
    .option('--for-ceremony', 'write down the name only; a key ceremony makes the repository')
    .action(async (name: string, options: CreateIndexOptions) => {
      const { createIndex } = await import('../indexes.ts');
      process.exitCode = await createIndex(options, name);
    });
  withData(index.command('list'))
    .summary('list the indexes')
    .action(async (options: IndexOptions) => {
      const { listAllIndexes } = await import('../indexes.ts');
      process.exitCode = await listAllIndexes(options);
    });
  withData(index.command('show'))
    .summary('print the settings of an index as JSON')
    .argument('<name>', 'its name, or default')
    .action(async (name: string, options: IndexOptions) => {
      const { showIndex } = await import('../indexes.ts');
      process.exitCode = await showIndex(options, name);
    });
  withData(index.command('set'))
    .summary(
      'change settings: kind=public, upload.linuxWheels=false, limits.maxFileBytes=1000000, retention.keepReleases=null',
    )
    .argument('<name>', 'its name, or default')
    .argument('<setting...>', 'SECTION.NAME=VALUE; null takes one back to its default')
    .action(async (name: string, settings: readonly string[], options: IndexOptions) => {
      const { setIndex } = await import('../indexes.ts');
      process.exitCode = await setIndex(options, name, settings);
    });
  withData(index.command('remove'))
    .summary('end serving an index; its files stay on the disk, unless --purge is said')
    .argument('<name>', 'its name')
    .option('--yes', 'it is meant')
    .option('--purge', 'delete all its files for ever; no server may run meanwhile')
    .action(async (name: string, options: Parameters<typeof RemoveOneIndex>[0]) => {
      const { removeOneIndex } = await import('../indexes.ts');
      process.exitCode = await removeOneIndex(options, name);
    });
}

/** `rind promote` */
export function registerPromote(program: Command): void {
  withData(program.command('promote'))
    .summary('copy a tested release from one index of a server to another, without another upload')
    .argument('<release>', 'PROJECT==VERSION')
    .argument('<from>', 'an index; default is the default one')
    .argument('<to>', 'another index')
    .action(async (release: string, from: string, to: string, options: IndexOptions) => {
      const { promote } = await import('../projects.ts');
      process.exitCode = await promote(options, release, from, to);
    });
}

function withData(command: Command): Command {
  return command
    .option('--data <folder>', 'where everything of the server lies', 'rind-data')
    .option('--json', 'print the outcome as JSON');
}
