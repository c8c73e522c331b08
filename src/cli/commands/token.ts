import { InvalidArgumentError, Option, type Command } from 'commander';
import { VERBS } from '../../registry/principal.ts';
import type { CreateTokenOptions } from '../tokens.ts';

/** `rind token` */
export function registerToken(program: Command): void {
  const token = program
    .command('token')
    .summary('make, list and revoke API tokens of an index on this machine');
  token
    .command('create')
    .summary('make a token; it is printed once and can never be read again')
    .argument('<name>', 'what the token is for, shown in lists')
    .addOption(new Option('--verb <verb...>', 'what it may do; upload when left out').choices([...VERBS]))
    .option('--index <name>', 'the index it is for; the default one when left out', '')
    .option('--every-index', 'good for every index')
    .option('--project <name...>', 'good for these projects only')
    .option('--user <name>', 'whose it is; it can never do more than its user')
    .option('--days <number>', 'it expires after so many days', parseDays)
    .option('--data <folder>', 'where everything of the index lies', 'rind-data')
    .option('--json', 'print it as JSON, with its number')
    .action(async (name: string, options: CreateTokenOptions) => {
      const { createToken } = await import('../tokens.ts');
      process.exitCode = await createToken(options, name);
    });
  token
    .command('list')
    .summary('list the tokens')
    .option('--data <folder>', 'where everything of the index lies', 'rind-data')
    .option('--json', 'print them as JSON')
    .action(async (options: { readonly data: string; readonly json?: boolean }) => {
      const { listAllTokens } = await import('../tokens.ts');
      process.exitCode = await listAllTokens(options.data, options.json === true);
    });
  token
    .command('revoke')
    .summary('make a token useless at once')
    .argument('<number>', 'its number in the list')
    .option('--data <folder>', 'where everything of the index lies', 'rind-data')
    .action(async (number: string, options: { readonly data: string }) => {
      const { revokeTokenNumber } = await import('../tokens.ts');
      process.exitCode = await revokeTokenNumber(options.data, number);
    });
}

function parseDays(text: string): number {
  const days = Number(text);
  if (/^[0-9]{1,5}$/.test(text) && days > 0) return days;
  throw new InvalidArgumentError('A token lives for at least one day.');
}
