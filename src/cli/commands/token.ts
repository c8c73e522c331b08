import type { Command } from 'commander';

/** `rind token` */
export function registerToken(program: Command): void {
  const token = program
    .command('token')
    .summary('make, list and revoke API tokens of an index on this machine');
  token
    .command('create')
    .summary('make a token for uploads; it is printed once and can never be read again')
    .argument('<name>', 'what the token is for, shown in lists')
    .option('--data <folder>', 'where everything of the index lies', 'rind-data')
    .action(async (name: string, options: { readonly data: string }) => {
      const { createToken } = await import('../tokens.ts');
      process.exitCode = await createToken(options.data, name);
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
