import type { Command } from 'commander';
import type { ProjectOptions, ReasonOptions } from '../projects.ts';

type Projects = typeof import('../projects.ts');

/** `rind project`, `rind release`, `rind file` */
export function registerProject(program: Command): void {
  const project = program.command('project').summary('what happens to a project after its uploads');
  registerReading(project);
  registerStatus(project);
  registerOwning(project);
  registerFiles(program, 'release');
  registerFiles(program, 'file');
}

function registerReading(project: Command): void {
  withIndex(project.command('list'))
    .summary('list the projects, their status and size')
    .action(runs((projects, options) => projects.list(options)));
  withIndex(project.command('show'))
    .summary('show a project and its files')
    .argument('<project>')
    .action((name: string, options: ProjectOptions) => run((projects) => projects.show(options, name)));
}

const STATUSES = [
  ['archive', 'archived', 'take no more uploads'],
  ['quarantine', 'quarantined', 'offer none of its files until it is active again'],
  ['deprecate', 'deprecated', 'warn whoever looks at it'],
  ['activate', 'active', 'take a status back: un-archive, un-quarantine, un-deprecate'],
] as const;

function registerStatus(project: Command): void {
  for (const [verb, status, summary] of STATUSES) {
    withReason(withIndex(project.command(verb)))
      .summary(`${summary} (PEP 792)`)
      .argument('<project>')
      .action((name: string, options: ReasonOptions) =>
        run((projects) => projects.mark(options, name, status)),
      );
  }
}

function registerOwning(project: Command): void {
  withReason(withIndex(project.command('delete')))
    .summary('delete it with all its files; its name stays closed, its filenames are never used again')
    .argument('<project>')
    .action((name: string, options: ReasonOptions) =>
      run((projects) => projects.removeProject(options, name)),
    );
  withIndex(project.command('restore'))
    .summary('open the name of a deleted project again, without its files')
    .argument('<project>')
    .action((name: string, options: ProjectOptions) => run((projects) => projects.restore(options, name)));
  withIndex(project.command('transfer'))
    .summary('make another user the only owner')
    .argument('<project>')
    .argument('<user>')
    .option('--leave', 'the owners before keep no role')
    .action((name: string, user: string, options: ProjectOptions & { readonly leave?: boolean }) =>
      run((projects) => projects.transfer(options, name, user)),
    );
  withIndex(project.command('limit'))
    .summary('set quotas and retention: limits.maxProjectBytes=1000000000, retention.keepReleases=10')
    .argument('<project>')
    .argument('<setting...>', 'SECTION.NAME=VALUE; null takes one back')
    .action((name: string, settings: readonly string[], options: ProjectOptions) =>
      run((projects) => projects.limit(options, name, settings)),
    );
  withIndex(project.command('retention'))
    .summary('show what the retention rules would delete, or delete it')
    .argument('[project]', 'all of them when absent')
    .option('--apply', 'delete it')
    .action((name: string | undefined, options: ProjectOptions & { readonly apply?: boolean }) =>
      run((projects) => projects.retention(options, name)),
    );
}

function registerFiles(program: Command, kind: 'release' | 'file'): void {
  const what = kind === 'release' ? 'every file of a release' : 'one file';
  const group = program.command(kind).summary(`yank, un-yank and delete ${what}`);
  const choice = (value: string): { version: string } | { filename: string } =>
    kind === 'release' ? { version: value } : { filename: value };
  const argument = kind === 'release' ? '<version>' : '<filename>';
  withReason(withIndex(group.command('yank')))
    .summary(`yank ${what}: installers skip it unless it is pinned (PEP 592)`)
    .argument('<project>')
    .argument(argument)
    .action((project: string, value: string, options: ReasonOptions) =>
      run((projects) => projects.yankFiles(options, project, choice(value))),
    );
  withIndex(group.command('unyank'))
    .summary('take the yank back')
    .argument('<project>')
    .argument(argument)
    .action((project: string, value: string, options: ProjectOptions) =>
      run((projects) => projects.unyankFiles(options, project, choice(value))),
    );
  withReason(withIndex(group.command('delete')))
    .summary(`delete ${what} for ever: clients see that it is gone with the next snapshot`)
    .argument('<project>')
    .argument(argument)
    .action((project: string, value: string, options: ReasonOptions) =>
      run((projects) => projects.removeFiles(options, project, choice(value))),
    );
}

function runs(work: (projects: Projects, options: ProjectOptions) => Promise<number>) {
  return (options: ProjectOptions): Promise<void> => run((projects) => work(projects, options));
}

async function run(work: (projects: Projects) => Promise<number>): Promise<void> {
  process.exitCode = await work(await import('../projects.ts'));
}

function withIndex(command: Command): Command {
  return command
    .option('--data <folder>', 'where everything of the server lies', 'rind-data')
    .option('--index <name>', 'which index of the server', '')
    .option('--json', 'print the outcome as JSON');
}

function withReason(command: Command): Command {
  return command.option('--reason <text>', 'one line for whoever asks why');
}
