import type { Command } from 'commander';
import type { ClaimsOptions, MoveOptions } from '../claims.ts';

/** `rind claims`: what administrators do about projects that their developers sign (PEP 480). */
export function registerClaims(program: Command): void {
  const claims = program
    .command('claims')
    .summary('what administrators do about claimed projects: list them, move them to claimed, undo a claim');
  common(claims.command('list'))
    .summary('every claimed project, its keys, and whether it waits for the administrators')
    .action((options: ClaimsOptions) => run((parts) => parts.listProjects(options)));
  common(claims.command('move'))
    .summary('open the signing event that moves projects to claimed, with the keys that their owners signed')
    .argument('[project...]')
    .option('--all', 'every project that waits')
    .option('--remove <project...>', 'take these out of claimed: the index signs them again')
    .action((projects: readonly string[], options: MoveOptions) =>
      run((parts) => parts.moveProjects(projects, options)),
    );
  common(claims.command('reset'))
    .summary('undo the claim of a recently claimed project, so that its owners can claim it with another key')
    .argument('<project>')
    .action((project: string, options: ClaimsOptions) =>
      run((parts) => parts.resetProject(project, options)),
    );
}

async function run(work: (parts: typeof import('../claims.ts')) => Promise<number>): Promise<void> {
  process.exitCode = await work(await import('../claims.ts'));
}

function common(command: Command): Command {
  return command
    .option('--data <folder>', 'where everything of the index lies', 'rind-data')
    .option('--index <name>', 'the index; the default one when left out', '')
    .option('--json', 'print the outcome as JSON');
}
