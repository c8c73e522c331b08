import { readFile } from 'node:fs/promises';
import { text as readAll } from 'node:stream/consumers';
import { SignerError } from '../keys/signer-error.ts';
import { readHidden } from '../keys/terminal-secret.ts';
import type { PublisherRule } from '../registry/publisher-rule.ts';
import { DEFAULT_PUBLISHING_SETTINGS } from '../registry/publishing-settings.ts';
import {
  changeIndexAccess,
  changeIndexRole,
  grantProjectRole,
  indexAccess,
  projectRoles,
  revokeProjectRole,
  type IndexAccess,
} from '../registry/roles.ts';
import { addPublisher, projectPublishers, removePublisher } from '../registry/trusted-publishers.ts';
import { addUser, allUsers, removeUser, setAdmin, setDisabled, setPassword } from '../registry/users.ts';
import { CliError } from './cli-error.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { withData, withIndex } from './index-change.ts';
import { print, say } from './terminal.ts';

/** Where a password comes from; never an argument, which every process of the machine could read. */
export interface PasswordSource {
  /** A file, `-` for stdin; absent: asked on the terminal. */
  readonly passwordFile?: string;
}

export interface DataOptions {
  readonly data: string;
  readonly json?: boolean;
}

export interface InIndexOptions extends DataOptions {
  readonly index: string;
}

const MAX_PASSWORD_FILE = 4096;

async function readPassword({ passwordFile }: PasswordSource, name: string): Promise<string> {
  if (passwordFile !== undefined) {
    const text = passwordFile === '-' ? await readAll(process.stdin) : await readFile(passwordFile, 'utf8');
    if (text.length > MAX_PASSWORD_FILE) throw new CliError('usage', 'That is no password: it is too long.');
    return text.replace(/\r?\n$/, '');
  }
  const first = await hidden(`new password of ${name}: `);
  const second = await hidden('the same again: ');
  if (first === undefined || first !== second)
    throw new CliError('failure', 'The two differ; nothing was changed.');
  return first;
}

async function hidden(question: string): Promise<string | undefined> {
  try {
    return await readHidden(question);
  } catch (cause) {
    if (!(cause instanceof SignerError)) throw cause;
    const hints = ['--password-file FILE reads it there, --password-file - from standard input'];
    throw new CliError('usage', 'There is no terminal to ask for the password at.', hints, { cause });
  }
}

function show(value: unknown, asJson: boolean | undefined, lines: readonly string[], nothing: string): void {
  if (asJson === true) print(JSON.stringify(value, undefined, 2));
  else if (lines.length === 0) say(nothing);
  else for (const line of lines) print(line);
}

/** `rind user add` */
export function addOneUser(
  options: DataOptions & PasswordSource & { readonly admin?: boolean; readonly password?: boolean },
  name: string,
): Promise<ExitCode> {
  return withData(options.data, async (opened) => {
    const password = options.password === false ? undefined : await readPassword(options, name);
    const user = await addUser(opened, opened.principal, { name, password, isAdmin: options.admin === true });
    if (options.json === true) print(JSON.stringify(user, undefined, 2));
    say(`The user ${name} is there${password === undefined ? ', without a password' : ''}.`);
    return EXIT.ok;
  });
}

/** `rind user list` */
export function listAllUsers(options: DataOptions): Promise<ExitCode> {
  return withData(options.data, async (opened) => {
    const users = await allUsers(opened, opened.principal);
    const lines = users.map(
      (user) =>
        `${user.name.padEnd(24)}  ${user.isAdmin ? 'administrator' : 'user'}${user.hasPassword ? '' : ', no password'}${user.disabled === null ? '' : `, disabled ${user.disabled}`}`,
    );
    show(users, options.json, lines, 'There are no users.');
    return EXIT.ok;
  });
}

/** `rind user passwd` */
export function changePassword(options: DataOptions & PasswordSource, name: string): Promise<ExitCode> {
  return withData(options.data, async (opened) => {
    await setPassword(opened, opened.principal, name, await readPassword(options, name));
    say(`The password of ${name} is changed.`);
    return EXIT.ok;
  });
}

/** `rind user disable|enable|remove|promote|demote` */
export function changeUserState(
  options: DataOptions,
  name: string,
  state: 'disabled' | 'enabled' | 'removed' | 'administrator' | 'no administrator',
): Promise<ExitCode> {
  return withData(options.data, async (opened) => {
    const { principal } = opened;
    if (state === 'removed') await removeUser(opened, principal, name);
    else if (state === 'disabled' || state === 'enabled')
      await setDisabled(opened, principal, name, state === 'disabled');
    else await setAdmin(opened, principal, name, state === 'administrator');
    say(`The user ${name} is ${state}.`);
    return EXIT.ok;
  });
}

/** `rind project roles` */
export function showRoles(options: InIndexOptions, project: string): Promise<ExitCode> {
  return withIndex(options.data, options.index, async (opened) => {
    const roles = await projectRoles(opened, opened.principal, project);
    show(
      roles,
      options.json,
      roles.map(({ user, role }) => `${user.padEnd(24)}  ${role}`),
      'Nobody has a role.',
    );
    return EXIT.ok;
  });
}

/** `rind project grant` and `ungrant` (without a role) */
export function changeRole(
  options: InIndexOptions,
  project: string,
  user: string,
  role: 'owner' | 'maintainer' | undefined,
): Promise<ExitCode> {
  return withIndex(options.data, options.index, async (opened) => {
    const { principal } = opened;
    if (role === undefined) await revokeProjectRole(opened, principal, { project, user });
    else await grantProjectRole(opened, principal, { project, user, role });
    say(`${user} is ${role === undefined ? 'nothing any more' : role} in ${project}.`);
    return EXIT.ok;
  });
}

/** `rind access show|set|grant|ungrant` */
export function showAccess(options: InIndexOptions): Promise<ExitCode> {
  return withIndex(options.data, options.index, async (opened) => {
    const access = await indexAccess(opened, opened.principal);
    show(access, options.json, [`read      ${access.read}`, `creation  ${access.creation}`], '');
    return EXIT.ok;
  });
}

export function setAccess(
  options: InIndexOptions & {
    readonly read?: IndexAccess['read'];
    readonly creation?: IndexAccess['creation'];
  },
): Promise<ExitCode> {
  return withIndex(options.data, options.index, async (opened) => {
    await changeIndexAccess(opened, opened.principal, options);
    say('Done; a running server follows within a second.');
    return EXIT.ok;
  });
}

export function changeMember(
  options: InIndexOptions,
  user: string,
  role: 'reader' | 'uploader' | undefined,
): Promise<ExitCode> {
  return withIndex(options.data, options.index, async (opened) => {
    await changeIndexRole(opened, opened.principal, user, role);
    say(`${user} is ${role ?? 'nothing'} in the index.`);
    return EXIT.ok;
  });
}

/** `rind publisher add` */
export function addOnePublisher(
  options: InIndexOptions & { readonly issuer: string },
  project: string,
  rule: PublisherRule,
): Promise<ExitCode> {
  return withIndex(options.data, options.index, async (opened) => {
    const known = DEFAULT_PUBLISHING_SETTINGS.issuers.some(({ url }) => url === options.issuer);
    // Which other issuers a server believes is its settings' business; here nothing is believed yet.
    const issuers = known ? [] : [{ url: options.issuer, kind: rule.kind }];
    const settings = {
      ...DEFAULT_PUBLISHING_SETTINGS,
      issuers: [...DEFAULT_PUBLISHING_SETTINGS.issuers, ...issuers],
    };
    const wish = { project, issuer: options.issuer, rule };
    const publisher = await addPublisher({ ...opened, settings }, opened.principal, wish);
    if (options.json === true) print(JSON.stringify(publisher, undefined, 2));
    say(
      `Publisher ${publisher.number} may upload to ${publisher.project}${publisher.isPending ? ', and makes it' : ''}.`,
    );
    return EXIT.ok;
  });
}

/** `rind publisher list` */
export function listPublishers(options: InIndexOptions, project: string): Promise<ExitCode> {
  return withIndex(options.data, options.index, async (opened) => {
    const publishers = await projectPublishers(opened, opened.principal, project);
    const lines = publishers.map(
      ({ number, issuer, rule, isPending }) =>
        `${String(number).padStart(4)}  ${issuer}  ${JSON.stringify(rule)}${isPending ? '  pending' : ''}`,
    );
    show(publishers, options.json, lines, 'The project has no publishers.');
    return EXIT.ok;
  });
}

/** `rind publisher remove` */
export function removeOnePublisher(
  options: InIndexOptions,
  project: string,
  number: number,
): Promise<ExitCode> {
  return withIndex(options.data, options.index, async (opened) => {
    await removePublisher(opened, opened.principal, { project, number });
    say(`Publisher ${number} is removed, and what it was given ended.`);
    return EXIT.ok;
  });
}
