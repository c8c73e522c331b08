import { Argument, type Command } from 'commander';
import { completionScript, SHELLS, type Shell } from '../completion.ts';

/** `rind completion` */
export function registerCompletion(program: Command): void {
  program
    .command('completion')
    .summary('print the completion script of a shell')
    .description(
      'bash: eval "$(rind completion bash)"; zsh: eval "$(rind completion zsh)"; fish: rind completion fish | source',
    )
    .addArgument(new Argument('<shell>').choices(SHELLS))
    .action((shell: Shell) => {
      process.stdout.write(completionScript(program, shell));
    });
}
