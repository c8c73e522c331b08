import { InvalidArgumentError, type Command } from 'commander';

const SECRET = 'where its passphrase or PIN comes from: terminal, file:PATH, fd:NUMBER, credential:NAME';
/** Where an API token comes from; what ApiClient reads. */
export const TOKEN_SOURCE =
  'where the API token comes from: auto (~/.netrc, otherwise asked for), terminal, file:PATH, fd:NUMBER, credential:NAME';

/** `--expect-keys` of every command that signs for a project. */
export const EXPECT_KEYS = [
  '--expect-keys <ids>',
  'the ids of the only owners’ keys that the project may have beside yours, parted by commas; needed with --yes where this machine does not know them',
  keyIds,
] as const;

function keyIds(text: string): readonly string[] {
  const ids = text.split(',').map((id) => id.trim());
  if (ids.every((id) => /^[0-9a-f]{64}$/.test(id))) return ids;
  throw new InvalidArgumentError('The id of a key is 64 hexadecimal digits; rind key show prints it.');
}

/** What every command that signs for a claimed project is told. */
export function withSigningOptions(command: Command): Command {
  return command
    .option('--index <url>', 'an index that is trusted here; may be left out when there is only one')
    .option('--token <source>', TOKEN_SOURCE, 'auto')
    .option('--key <uri>', 'your key; without it the developer key of this machine (rind key new)')
    .option('--secret <source>', SECRET, 'terminal')
    .option('--yes', 'do not ask')
    .option(...EXPECT_KEYS)
    .option('--json', 'print the outcome as JSON');
}
