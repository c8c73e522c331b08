import { basename } from 'node:path';
import { readRequirementsFiles } from './requirements-file.ts';

/** What an installer is called with, as far as the check of its arguments needs it. */
export interface InstallerCommand {
  readonly tool: 'pip' | 'uv' | 'poetry' | 'pdm' | 'pipenv' | 'other';
  /** The installer's own arguments: of `python -m pip install x` only `install x`. */
  readonly args: readonly string[];
}

/** Recognises the installers whose arguments are understood. */
export function recognizeInstaller(command: string, args: readonly string[]): InstallerCommand {
  const name = basename(command).replace(/\.exe$/i, '');
  if (/^pip(?:[0-9.]*)$/.test(name)) return { tool: 'pip', args };
  if (name === 'uvx') return { tool: 'uv', args: ['tool', 'run', ...args] };
  if (name === 'uv') return { tool: 'uv', args };
  if (name === 'poetry' || name === 'pdm' || name === 'pipenv') return { tool: name, args };
  if (/^(?:python|pypy)[0-9.]*$/.test(name)) {
    const flag = args.findIndex((arg) => arg === '-m' || /^-m(?:pip|uv|poetry|pdm|pipenv)$/.test(arg));
    const joined = args[flag]?.slice(2) ?? '';
    const module = flag < 0 ? '' : joined || (args[flag + 1] ?? '');
    if (module !== '') return recognizeModule(module, args.slice(flag + (joined === '' ? 2 : 1)));
  }
  return { tool: 'other', args };
}

function recognizeModule(module: string, args: readonly string[]): InstallerCommand {
  return ['pip', 'uv', 'poetry', 'pdm', 'pipenv'].includes(module)
    ? recognizeInstaller(module, args)
    : { tool: 'other', args };
}

/** The options of one installer that matter here. */
interface Options {
  /** Long options that lead to bytes nobody verified, with the short letters for them. */
  readonly refused: readonly string[];
  readonly refusedLetters: string;
  /** Short letters that take a value, so that what follows them is not read as more letters. */
  readonly valueLetters: string;
  /** Whether a long option may be cut short, as optparse allows. */
  readonly abbreviates: boolean;
  /** Subcommands that look at an index or a file of requirements; the others are not checked. */
  readonly commands: ReadonlySet<string>;
}

const PIP: Options = {
  refused: [
    '--index-url',
    '--pypi-url',
    '--extra-index-url',
    '--find-links',
    '--no-index',
    '--trusted-host',
    '--proxy',
    '--isolated',
  ],
  refusedLetters: 'if',
  valueLetters: 'rcetdwCb',
  abbreviates: true,
  commands: new Set(['install', 'download', 'wheel', 'index', 'list', 'lock']),
};

const UV: Options = {
  refused: [
    '--index',
    '--default-index',
    '--index-url',
    '--extra-index-url',
    '--find-links',
    '--no-index',
    '--config-file',
    '--allow-insecure-host',
    '--trusted-host',
    '--frozen',
  ],
  refusedLetters: 'if',
  valueLetters: 'rcbepCPw',
  abbreviates: false,
  commands: new Set([
    'pip',
    'add',
    'sync',
    'lock',
    'run',
    'tool',
    'x',
    'build',
    'export',
    'remove',
    'venv',
    'tree',
  ]),
};

/** Why a command is not started, and the way out. */
export interface ArgumentRefusal {
  readonly message: string;
  readonly hint: string;
}

/**
 * Why an installer called like this would go around the verification, or `undefined` when it would not. Requirements
 * files that it names are read too.
 */
export async function refuseArguments(
  { tool, args }: InstallerCommand,
  environment: NodeJS.ProcessEnv,
): Promise<ArgumentRefusal | undefined> {
  if (tool === 'poetry') return POETRY;
  if (tool !== 'pip' && tool !== 'uv') return undefined;
  const options = tool === 'pip' ? PIP : UV;
  if (!args.some((arg) => options.commands.has(arg))) return undefined;
  if (tool === 'uv' && (args[0] === 'run' || args[0] === 'tool')) return refuseUvRun(args);
  const refusal = refuseOptions(tool, options, args) ?? refuseUrls(tool, args);
  return refusal ?? (await refuseRequirements(tool, args, environment));
}

/** `uv run` and `uvx` hand most of their arguments to another program: only what can be meant for uv is looked at. */
function refuseUvRun(args: readonly string[]): ArgumentRefusal | undefined {
  const requirements = args.filter((_, index) =>
    /^--(?:with|with-editable|from)$/.test(args[index - 1] ?? ''),
  );
  const refusal = refuseOptions('uv', { ...UV, refusedLetters: '' }, args);
  return refusal ?? refuseUrls('uv', requirements);
}

const POETRY: ArgumentRefusal = {
  message:
    'poetry takes its indexes from pyproject.toml alone, so rind run cannot stand between it and them.',
  hint: 'start rind proxy and name its URL as [[tool.poetry.source]] with priority = "primary"',
};

function refuseOptions(tool: string, options: Options, args: readonly string[]): ArgumentRefusal | undefined {
  for (const arg of args) {
    if (arg === '--') break;
    const option = refusedOption(options, arg);
    if (option !== undefined) return optionRefusal(tool, option);
  }
  return undefined;
}

function refuseUrls(tool: string, args: readonly string[]): ArgumentRefusal | undefined {
  const url = args.find((arg) => isDirectUrl(arg));
  return url === undefined ? undefined : urlRefusal(tool, url);
}

/** The refused option that `arg` is, in full. */
function refusedOption(options: Options, arg: string): string | undefined {
  if (arg.startsWith('--')) {
    const name = arg.split('=', 1)[0] ?? '';
    if (name === '--') return undefined;
    return options.refused.find((refused) =>
      options.abbreviates ? refused.startsWith(name) : refused === name,
    );
  }
  if (!arg.startsWith('-')) return undefined;
  for (const letter of arg.slice(1)) {
    if (options.refusedLetters.includes(letter)) return `-${letter}`;
    if (options.valueLetters.includes(letter)) return undefined;
  }
  return undefined;
}

/**
 * Reads the options of one line of a requirements file, which are pip's.
 *
 * @returns the first that is refused
 */
export function refusedRequirementsOption(words: readonly string[]): string | undefined {
  for (const word of words) {
    const option = refusedOption(PIP, word);
    if (option !== undefined) return option;
  }
  return undefined;
}

/** Whether a requirement, or an option with its value run together, names a place on the network. */
export function isDirectUrl(text: string): boolean {
  // Of `-egit+https://…` the letters before `git+` are options.
  const start = /^-[A-Za-z]/.test(text) ? '' : String.raw`(?:^|[\s@=])`;
  if (new RegExp(`${start}(?:git|hg|svn|bzr)\\+`, 'i').test(text)) return true;
  const scheme = new RegExp(`${start}([a-z][a-z0-9+.-]*)://`, 'i').exec(text)?.[1];
  return scheme !== undefined && scheme.toLowerCase() !== 'file';
}

function optionRefusal(tool: string, option: string): ArgumentRefusal {
  return {
    message: `${option} would make ${tool} install what nobody verified.`,
    hint: 'rind gives it the trusted index: leave the option out; rind run --index URL chooses among several',
  };
}

function urlRefusal(tool: string, url: string): ArgumentRefusal {
  return {
    message: `${url} does not come from the trusted index, so nobody could verify what ${tool} installs from it.`,
    hint: 'upload it to the index, or install it by itself without rind',
  };
}

async function refuseRequirements(
  tool: string,
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
): Promise<ArgumentRefusal | undefined> {
  for (const path of [...requirementsPaths(args), ...requirementsPathsOf(environment)]) {
    if (/(?:^|[\\/])pylock(?:\.[^\\/]*)?\.toml$/.test(path)) {
      return {
        message: `${path} names the files to install by their own URLs, which go around the index.`,
        hint: HASHES,
      };
    }
    for await (const line of readRequirementsFiles(path, environment)) {
      const option = refusedRequirementsOption(line.words);
      const where = `${line.path}, line ${line.number}`;
      if (option !== undefined) {
        return {
          message: `${where}: ${option} would make ${tool} install what nobody verified.`,
          hint: LINE,
        };
      }
      if (isDirectUrl(line.words.join(' '))) {
        return { message: `${where}: ${line.text} does not come from the trusted index.`, hint: LINE };
      }
    }
  }
  return undefined;
}

const LINE = 'take the line out: rind chooses the index';
const HASHES = 'install from requirements with --require-hashes instead';

/** The requirements and constraints files that pip's arguments name. */
function requirementsPaths(args: readonly string[]): string[] {
  const paths: string[] = [];
  for (const [index, arg] of args.entries()) {
    const long = /^--(?:requirements?|constraints?|build-constraints?|req?\w*|cons\w*)(?:=(.*))?$/.exec(arg);
    const short = /^-[A-Za-z]*?[rc](.*)$/.exec(arg);
    const match = long ?? (arg.startsWith('--') ? null : short);
    if (match === null) continue;
    const path = match[1] || args[index + 1];
    if (path !== undefined) paths.push(path);
  }
  return paths;
}

function requirementsPathsOf(environment: NodeJS.ProcessEnv): string[] {
  const variables = [
    'PIP_REQUIREMENT',
    'PIP_CONSTRAINT',
    'PIP_BUILD_CONSTRAINT',
    'UV_CONSTRAINT',
    'UV_OVERRIDE',
  ];
  return variables.flatMap((name) => (environment[name] ?? '').split(/\s+/).filter((path) => path !== ''));
}
