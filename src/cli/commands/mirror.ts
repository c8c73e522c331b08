import type { Command } from 'commander';
import type { MirrorOptions } from '../mirror-index.ts';

/** `rind mirror` */
export function registerMirror(program: Command): void {
  program
    .command('mirror')
    .summary('copy a trusted index, verified, for any web server')
    .description(
      'Verifies everything and copies it: pages, files, metadata, roots and log, the timestamp last. What is there already is\n' +
        'not fetched again, and a copy that was cut off goes on. Clients verify the copy as they do the index.',
    )
    .argument('<url>', 'a trusted index')
    .argument('<folder>', 'what a web server serves')
    .option('--projects <patterns...>', 'only the pages and files of these, such as acme-*')
    .option('--recheck', 'hash again what is there already')
    .option('--json', 'print what was copied as JSON')
    .action(async (url: string, folder: string, options: MirrorOptions) => {
      const { mirrorIndex } = await import('../mirror-index.ts');
      process.exitCode = await mirrorIndex(url, folder, options);
    });
}
