import type { Command } from 'commander';
import type { SigningOptions } from '../project-signing.ts';
import { withSigningOptions } from './signing-options.ts';
import { wholeNumber } from './whole-number.ts';

type ClaimOptions = SigningOptions & { readonly threshold: number; readonly dist?: string };

/** `rind claim`, `rind publish`, `rind amend`, `rind staging`: what maintainers sign themselves (PEP 480). */
export function registerClaim(program: Command): void {
  withSigningOptions(program.command('claim'))
    .summary('sign a project with your own key, so that not even the index can forge its releases')
    .argument('<project>')
    .option('--dist <folder>', 'compare the files on the index with yours')
    .option(
      '--threshold <number>',
      'how many owners must sign once an administrator has moved it',
      wholeNumber,
      1,
    )
    .action(async (project: string, options: ClaimOptions) => {
      const { claimProject } = await import('../project-signing.ts');
      process.exitCode = await claimProject(project, options);
    });
  withSigningOptions(program.command('publish'))
    .summary('publish files of a claimed project, signed with your key: all of them or none')
    .argument('<file...>', 'wheels and sdists of one project')
    .action(async (files: readonly string[], options: SigningOptions) => {
      const { publishFiles } = await import('../project-signing.ts');
      process.exitCode = await publishFiles(files, options);
    });
  registerAmend(program);
  withSigningOptions(program.command('staging'))
    .summary('keep what twine or uv upload to a claimed project until its owners sign it, or refuse it')
    .argument('<project>')
    .argument('<on|off>')
    .action(async (project: string, state: string, options: SigningOptions) => {
      const { setStaging } = await import('../amend-project.ts');
      process.exitCode = await setStaging(project, state, options);
    });
}

type AmendOptions = import('../amend-project.ts').AmendOptions;

function registerAmend(program: Command): void {
  withSigningOptions(program.command('amend'))
    .summary('yank, remove or mark what a claimed project has, signed with your key')
    .argument('<project>')
    .option('--yank <file...>', 'installers skip them unless they are pinned (PEP 592)')
    .option('--unyank <file...>', 'take the yank back')
    .option('--remove <file...>', 'take them away; their names are never used again')
    .option('--status <status>', 'active, archived or deprecated (PEP 792)')
    .option('--reason <text>', 'one line for whoever asks why')
    .action(async (project: string, options: AmendOptions) => {
      const { amendProject } = await import('../amend-project.ts');
      process.exitCode = await amendProject(project, options);
    });
}
