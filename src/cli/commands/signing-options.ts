import type { Command } from 'commander';

const SECRET = 'where its passphrase or PIN comes from: terminal, file:PATH, fd:NUMBER, credential:NAME';
/** Where an API token comes from; what ApiClient reads. */
export const TOKEN_SOURCE =
  'where the API token comes from: auto (~/.netrc, otherwise asked for), terminal, file:PATH, fd:NUMBER, credential:NAME';

/** What every command that signs for a claimed project is told. */
export function withSigningOptions(command: Command): Command {
  return command
    .option('--index <url>', 'an index that is trusted here; may be left out when there is only one')
    .option('--token <source>', TOKEN_SOURCE, 'auto')
    .option('--key <uri>', 'your key; without it the developer key of this machine (rind key new)')
    .option('--secret <source>', SECRET, 'terminal')
    .option('--yes', 'do not ask')
    .option('--json', 'print the outcome as JSON');
}
