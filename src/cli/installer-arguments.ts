import { basename } from 'node:path';
import { includedPaths, readRequirementsFiles } from './requirements-file.ts';

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
  /** Long options that lead around the proxy, with the short letters for them. */
  readonly refused: readonly string[];
  /** Long options that name an index or a folder: refused when that is on this machine. */
  readonly places: readonly string[];
  readonly placeLetters: string;
  /** Short letters that take a value, so that what follows them is not read as more letters. */
  readonly valueLetters: string;
  /** Whether a long option may be cut short, as optparse allows. */
  readonly abbreviates: boolean;
  /** Subcommands that look at an index or a file of requirements; the others are not checked. */
  readonly commands: ReadonlySet<string>;
}

const PIP: Options = {
  refused: ['--proxy', '--isolated'],
  places: ['--index-url', '--pypi-url', '--extra-index-url', '--find-links'],
  placeLetters: 'if',
  valueLetters: 'rcetdwCb',
  abbreviates: true,
  commands: new Set(['install', 'download', 'wheel', 'index', 'list', 'lock']),
};

const UV: Options = {
  refused: ['--config-file'],
  places: ['--index', '--default-index', '--index-url', '--extra-index-url', '--find-links'],
  placeLetters: 'if',
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
  const refusal = refuseOptions('uv', { ...UV, placeLetters: '' }, args);
  return refusal ?? refuseUrls('uv', requirements);
}

function refuseOptions(tool: string, options: Options, args: readonly string[]): ArgumentRefusal | undefined {
  for (const [position, arg] of args.entries()) {
    if (arg === '--') break;
    const option = refusedOption(options, arg, args[position + 1]);
    if (option !== undefined) return optionRefusal(tool, option);
  }
  return undefined;
}

function refuseUrls(tool: string, args: readonly string[]): ArgumentRefusal | undefined {
  const url = args.find((arg) => isUnseenUrl(arg));
  return url === undefined ? undefined : urlRefusal(tool, url);
}

/** The refused option that `arg` is, in full. `next` is the argument after it. */
function refusedOption(options: Options, arg: string, next: string | undefined): string | undefined {
  if (arg.startsWith('--')) return refusedLongOption(options, arg, next);
  if (!arg.startsWith('-')) return undefined;
  for (let position = 1; position < arg.length; position += 1) {
    const letter = arg.charAt(position);
    if (options.placeLetters.includes(letter)) {
      return isRemote(arg.slice(position + 1).replace(/^=/, '') || next) ? undefined : `-${letter}`;
    }
    if (options.valueLetters.includes(letter)) return undefined;
  }
  return undefined;
}

function refusedLongOption(options: Options, arg: string, next: string | undefined): string | undefined {
  const [, name = '', value] = /^(--[^=]+)(?:=(.*))?$/s.exec(arg) ?? [];
  if (name === '') return undefined;
  const isNamed = (option: string): boolean =>
    options.abbreviates ? option.startsWith(name) : option === name;
  const refused = options.refused.find(isNamed);
  if (refused !== undefined) return refused;
  return isRemote(value ?? next) ? undefined : options.places.find(isNamed);
}

/** Whether the proxy sees what is fetched from there; uv may give an index a name first. */
function isRemote(place: string | undefined): boolean {
  return /^(?:[a-z0-9._-]+=)?https?:\/\//i.test(place ?? '');
}

/**
 * Reads the options of one line of a requirements file, which are pip's.
 *
 * @returns the first that is refused
 */
export function refusedRequirementsOption(words: readonly string[]): string | undefined {
  for (const [position, word] of words.entries()) {
    const option = refusedOption(PIP, word, words[position + 1]);
    if (option !== undefined) return option;
  }
  return undefined;
}

/**
 * Whether a requirement, or an option with its value run together, names a place on the network that is not reached over
 * http or https, so that no proxy sees what comes from it. Of version control only git uses the proxy of the environment.
 */
export function isUnseenUrl(text: string): boolean {
  // Of `-egit+https://…` the letters before `git+` are options.
  const start = /^-[A-Za-z]/.test(text) ? '' : String.raw`(?:^|[\s@=])`;
  if (new RegExp(`${start}(?:hg|svn|bzr)\\+`, 'i').test(text)) return true;
  const git = new RegExp(`${start}git\\+(https?://|file:)?`, 'i').exec(text);
  if (git !== null) return git[1] === undefined;
  const scheme = new RegExp(`${start}([a-z][a-z0-9+.-]*)://`, 'i').exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined) return false;
  return start === '' ? !/(?:file|https?)$/.test(scheme) : !['file', 'http', 'https'].includes(scheme);
}

function optionRefusal(tool: string, option: string): ArgumentRefusal {
  const message = `${option} would make ${tool} install what nobody verified.`;
  return { message, hint: 'leave the option out: rind sees only what is fetched over http and https' };
}

function urlRefusal(tool: string, url: string): ArgumentRefusal {
  return {
    message: `${url} is not reached over https, so nobody could verify what ${tool} installs from it.`,
    hint: 'upload it to the index, or install it by itself without rind',
  };
}

async function refuseRequirements(
  tool: string,
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
): Promise<ArgumentRefusal | undefined> {
  for (const path of [...requirementsPaths(args), ...requirementsPathsOf(environment)]) {
    for await (const line of readRequirementsFiles(path, environment)) {
      const option = refusedRequirementsOption(line.words);
      const where = `${line.path}, line ${line.number}`;
      if (option !== undefined) {
        return {
          message: `${where}: ${option} would make ${tool} install what nobody verified.`,
          hint: LINE,
        };
      }
      if (isUnseenUrl(line.words.join(' '))) {
        return { message: `${where}: ${line.text} is not reached over https.`, hint: LINE };
      }
    }
  }
  return undefined;
}

const LINE = 'take the line out: rind sees only what is fetched over http and https';

/** The requirements and constraints files that pip's arguments name. */
function requirementsPaths(args: readonly string[]): string[] {
  const clusters = args.map((arg) => arg.replace(/^-[A-Za-z]*?([rc])/, '-$1'));
  return includedPaths(clusters);
}

/** Those that variables name. */
export function requirementsPathsOf(environment: NodeJS.ProcessEnv): string[] {
  const variables = [
    'PIP_REQUIREMENT',
    'PIP_CONSTRAINT',
    'PIP_BUILD_CONSTRAINT',
    'UV_CONSTRAINT',
    'UV_BUILD_CONSTRAINT',
    'UV_OVERRIDE',
  ];
  return variables.flatMap((name) => (environment[name] ?? '').split(/\s+/).filter((path) => path !== ''));
}
