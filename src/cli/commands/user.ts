import { InvalidArgumentError, Option, type Command } from 'commander';
import type { PublisherRule } from '../../registry/publisher-rule.ts';
import { CliError } from '../cli-error.ts';
import type { DataOptions, InIndexOptions, PasswordSource } from '../accounts.ts';

const DATA = ['--data <folder>', 'where everything of the index lies', 'rind-data'] as const;
const INDEX = ['--index <name>', 'the index; the default one when left out', ''] as const;
const JSON_OPTION = ['--json', 'print it as JSON'] as const;
const PASSWORD = ['--password-file <file>', 'read the password there, - for stdin; asked otherwise'] as const;

/** `rind user` */
export function registerUser(program: Command): void {
  const user = program.command('user').summary('add, list and remove the users of a server on this machine');
  user
    .command('add')
    .summary('add a user; the password is asked for')
    .argument('<name>', 'a-z, 0-9, dot, hyphen, underscore')
    .option('--admin', 'may do everything')
    .option('--no-password', 'uses tokens only')
    .option(...PASSWORD)
    .option(...DATA)
    .option(...JSON_OPTION)
    .action(
      async (
        name: string,
        options: DataOptions & PasswordSource & { readonly admin?: boolean; readonly password?: boolean },
      ) => {
        const { addOneUser } = await import('../accounts.ts');
        process.exitCode = await addOneUser(options, name);
      },
    );
  user
    .command('list')
    .summary('list the users')
    .option(...DATA)
    .option(...JSON_OPTION)
    .action(async (options: DataOptions) => {
      const { listAllUsers } = await import('../accounts.ts');
      process.exitCode = await listAllUsers(options);
    });
  user
    .command('passwd')
    .summary('set a new password')
    .argument('<name>', 'the user')
    .option(...PASSWORD)
    .option(...DATA)
    .action(async (name: string, options: DataOptions & PasswordSource) => {
      const { changePassword } = await import('../accounts.ts');
      process.exitCode = await changePassword(options, name);
    });
  registerStates(user);
}

const STATES = [
  ['disable', 'disabled', 'shut a user out at once, her tokens included'],
  ['enable', 'enabled', 'let a user in again'],
  ['remove', 'removed', 'take a user away for ever, with her roles and tokens'],
  ['promote', 'administrator', 'make a user an administrator'],
  ['demote', 'no administrator', 'make an administrator an ordinary user'],
] as const;

function registerStates(user: Command): void {
  for (const [command, state, summary] of STATES) {
    user
      .command(command)
      .summary(summary)
      .argument('<name>', 'the user')
      .option(...DATA)
      .action(async (name: string, options: DataOptions) => {
        const { changeUserState } = await import('../accounts.ts');
        process.exitCode = await changeUserState(options, name, state);
      });
  }
}

/** `rind project roles|grant|ungrant`, beside the commands about the life of projects. */
export function registerProjectRoles(program: Command): void {
  const project =
    program.commands.find((command) => command.name() === 'project') ?? program.command('project');
  project
    .command('roles')
    .summary('who owns and maintains a project')
    .argument('<project>')
    .option(...INDEX)
    .option(...DATA)
    .option(...JSON_OPTION)
    .action(async (name: string, options: InIndexOptions) => {
      const { showRoles } = await import('../accounts.ts');
      process.exitCode = await showRoles(options, name);
    });
  project
    .command('grant')
    .summary('make a user owner or maintainer of a project')
    .argument('<project>')
    .argument('<user>')
    .addOption(
      new Option('--role <role>', 'what she is to be').choices(['owner', 'maintainer']).default('maintainer'),
    )
    .option(...INDEX)
    .option(...DATA)
    .action(
      async (name: string, user: string, options: InIndexOptions & { role: 'owner' | 'maintainer' }) => {
        const { changeRole } = await import('../accounts.ts');
        process.exitCode = await changeRole(options, name, user, options.role);
      },
    );
  project
    .command('ungrant')
    .summary('take the role of a user in a project')
    .argument('<project>')
    .argument('<user>')
    .option(...INDEX)
    .option(...DATA)
    .action(async (name: string, user: string, options: InIndexOptions) => {
      const { changeRole } = await import('../accounts.ts');
      process.exitCode = await changeRole(options, name, user, undefined);
    });
}

/** `rind access`: who may read an index and make projects in it. */
export function registerAccess(program: Command): void {
  const access = program.command('access').summary('who may read an index and make projects in it');
  access
    .command('show')
    .summary('show what holds now')
    .option(...INDEX)
    .option(...DATA)
    .option(...JSON_OPTION)
    .action(async (options: InIndexOptions) => {
      const { showAccess } = await import('../accounts.ts');
      process.exitCode = await showAccess(options);
    });
  access
    .command('set')
    .summary('open or close an index; a running server follows within a second')
    .addOption(
      new Option('--read <who>', 'open: everybody; token: who is known and may').choices(['open', 'token']),
    )
    .addOption(new Option('--creation <who>', 'who makes new projects').choices(['uploaders', 'admins']))
    .option(...INDEX)
    .option(...DATA)
    .action(
      async (options: InIndexOptions & { read?: 'open' | 'token'; creation?: 'uploaders' | 'admins' }) => {
        const { setAccess } = await import('../accounts.ts');
        process.exitCode = await setAccess(options);
      },
    );
  access
    .command('grant')
    .summary('let a user read an index, or read it and make projects')
    .argument('<user>')
    .addOption(
      new Option('--role <role>', 'what she is to be').choices(['reader', 'uploader']).default('reader'),
    )
    .option(...INDEX)
    .option(...DATA)
    .action(async (user: string, options: InIndexOptions & { role: 'reader' | 'uploader' }) => {
      const { changeMember } = await import('../accounts.ts');
      process.exitCode = await changeMember(options, user, options.role);
    });
  access
    .command('ungrant')
    .summary('take the role of a user in an index; her projects stay hers')
    .argument('<user>')
    .option(...INDEX)
    .option(...DATA)
    .action(async (user: string, options: InIndexOptions) => {
      const { changeMember } = await import('../accounts.ts');
      process.exitCode = await changeMember(options, user, undefined);
    });
}

interface PublisherOptions extends InIndexOptions {
  readonly issuer?: string;
  readonly workflow?: string;
  readonly environment?: string;
  readonly ownerId?: string;
  readonly claim?: readonly string[];
}

/** `rind publisher`: trusted publishing. */
export function registerPublisher(program: Command): void {
  const publisher = program
    .command('publisher')
    .summary('let workflows elsewhere upload without a stored token');
  publisher
    .command('add')
    .summary('trust a workflow; a project that does not exist yet is made by its first use')
    .argument('<project>')
    .argument('<where>', 'github:OWNER/REPOSITORY, gitlab:GROUP/PROJECT, or claims')
    .option('--workflow <file>', 'release.yml in .github/workflows, or the path of the CI file on GitLab')
    .option('--environment <name>', 'only from this environment')
    .option('--owner-id <number>', 'the number GitHub gave the owner')
    .option('--issuer <url>', 'another issuer than GitHub or GitLab; the settings of the server name it too')
    .option('--claim <name=value...>', 'with claims: what each must be')
    .option(...INDEX)
    .option(...DATA)
    .option(...JSON_OPTION)
    .action(async (project: string, where: string, options: PublisherOptions) => {
      const { addOnePublisher } = await import('../accounts.ts');
      const { issuer, rule } = publisherRule(where, options);
      process.exitCode = await addOnePublisher({ ...options, issuer }, project, rule);
    });
  publisher
    .command('list')
    .summary('list the publishers of a project')
    .argument('<project>')
    .option(...INDEX)
    .option(...DATA)
    .option(...JSON_OPTION)
    .action(async (project: string, options: InIndexOptions) => {
      const { listPublishers } = await import('../accounts.ts');
      process.exitCode = await listPublishers(options, project);
    });
  publisher
    .command('remove')
    .summary('trust a workflow no longer; what it was given ends at once')
    .argument('<project>')
    .argument('<number>', 'its number in the list', parseNumber)
    .option(...INDEX)
    .option(...DATA)
    .action(async (project: string, number: number, options: InIndexOptions) => {
      const { removeOnePublisher } = await import('../accounts.ts');
      process.exitCode = await removeOnePublisher(options, project, number);
    });
}

function publisherRule(where: string, options: PublisherOptions): { issuer: string; rule: PublisherRule } {
  const environment = options.environment === undefined ? {} : { environment: options.environment };
  const [kind, path] = [where.split(':', 1)[0], where.slice(where.indexOf(':') + 1)];
  const slash = path.lastIndexOf('/');
  const [space, name] = [path.slice(0, Math.max(slash, 0)), path.slice(slash + 1)];
  if (kind === 'github') {
    const ownerId = options.ownerId === undefined ? {} : { ownerId: options.ownerId };
    const workflow = options.workflow ?? 'release.yml';
    return {
      issuer: options.issuer ?? 'https://token.actions.githubusercontent.com',
      rule: { kind, owner: space, repository: name, workflow, ...environment, ...ownerId },
    };
  }
  if (kind === 'gitlab') {
    const workflow = options.workflow ?? '.gitlab-ci.yml';
    return {
      issuer: options.issuer ?? 'https://gitlab.com',
      rule: { kind, namespace: space, project: name, workflow, ...environment },
    };
  }
  if (kind !== 'claims' || options.issuer === undefined) {
    throw new CliError(
      'usage',
      'Say github:OWNER/REPOSITORY, gitlab:GROUP/PROJECT, or claims with --issuer.',
    );
  }
  const claims = (options.claim ?? []).map((text) => {
    const equals = text.indexOf('=');
    return [text.slice(0, Math.max(equals, 0)), text.slice(equals + 1)] as const;
  });
  return { issuer: options.issuer, rule: { kind, claims: Object.fromEntries(claims) } };
}

function parseNumber(text: string): number {
  if (/^[0-9]{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('That is no number.');
}
