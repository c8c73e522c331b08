import type { Command } from 'commander';
import { addRunOptions, type RunCommandOptions } from '../run-options.ts';

/** `rind pip ARGS…` */
export function registerPip(program: Command): void {
  const pip = program
    .command('pip')
    .summary('run pip; it can install verified packages only')
    .description(
      'Runs the pip of the active virtual environment, or the one on the PATH, with ARGS as they are.\n' +
        'If anything does not verify, pip is ended, the reason is printed and the exit code is 3;\n' +
        "otherwise the exit code is pip's own.",
    )
    .usage('[--index URL] ARGS...')
    .argument('[args...]')
    .passThroughOptions()
    .allowUnknownOption()
    .addHelpText('after', '\nExample:\n  rind pip install flask');
  addRunOptions(pip).action(async (args: string[], options: RunCommandOptions) => {
    const [{ findPip }, { runInstaller }, { endLike }] = await Promise.all([
      import('../find-pip.ts'),
      import('../run-installer.ts'),
      import('../installer-process.ts'),
    ]);
    const found = await findPip(process.env);
    endLike(await runInstaller(found.command, [...found.args, ...args], options));
  });
}

/** `rind uv ARGS…`, `rind poetry ARGS…`, `rind pdm ARGS…`, `rind pipenv ARGS…` */
export function registerInstallers(program: Command): void {
  for (const [tool, example] of [
    ['uv', 'uv sync'],
    ['poetry', 'poetry install'],
    ['pdm', 'pdm sync'],
    ['pipenv', 'pipenv sync'],
  ] as const) {
    const command = program
      .command(tool)
      .summary(`run ${tool}; it can install verified packages only`)
      .description(`Runs the ${tool} on the PATH with ARGS as they are: short for rind run -- ${tool} ARGS.`)
      .usage('[--index URL] ARGS...')
      .argument('[args...]')
      .passThroughOptions()
      .allowUnknownOption()
      .addHelpText('after', `\nExample:\n  rind ${example}`);
    addRunOptions(command).action(async (args: string[], options: RunCommandOptions) => {
      const [{ runInstaller }, { endLike }] = await Promise.all([
        import('../run-installer.ts'),
        import('../installer-process.ts'),
      ]);
      endLike(await runInstaller(tool, args, options));
    });
  }
}
