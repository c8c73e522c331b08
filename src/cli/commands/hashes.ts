import { InvalidArgumentError, type Command } from 'commander';
import type { RunHashesOptions } from '../run-hashes.ts';

/** `rind hashes` */
export function registerHashes(program: Command): void {
  program
    .command('hashes')
    .summary('list further hashes of every file beside sha256')
    .description(
      'Without --list it says what is listed. With it, every page and file gets a copy under the new hash while the server\n' +
        'runs, and the bins list it as they are renewed, within a day. Needs no offline key; clients notice nothing.',
    )
    .option('--data <folder>', 'where everything of the index lies', 'rind-data')
    .option('--index <name>', 'which index; the default one without', '')
    .option('--list <hashes>', 'sha384, sha512, both parted by a comma, or none', parseHashes)
    .action(async (options: RunHashesOptions) => {
      const { runHashes } = await import('../run-hashes.ts');
      process.exitCode = await runHashes(options);
    });
}

function parseHashes(text: string): readonly string[] {
  if (text === 'none') return [];
  const names = text.split(',');
  if (names.every((name) => name === 'sha384' || name === 'sha512')) return names;
  throw new InvalidArgumentError('Say sha384, sha512, both parted by a comma, or none.');
}
