import type { Command, Option } from 'commander';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** What can be written after some words of a command line. */
interface Place {
  /** The words so far, `rind` left out: "project yank". */
  readonly path: string;
  readonly commands: readonly { readonly name: string; readonly summary: string }[];
  readonly options: readonly Option[];
}

/** A completion script for a shell, made of the commands that there are. File names are completed by the shell itself. */
export function completionScript(program: Command, shell: Shell): string {
  const places = [...placesOf(program, '')];
  switch (shell) {
    case 'bash':
      return bashScript(places);
    case 'zsh':
      return `#compdef rind\nautoload -U +X bashcompinit && bashcompinit\n${bashScript(places)}`;
    case 'fish':
      return fishScript(places);
  }
}

function* placesOf(command: Command, path: string): Generator<Place> {
  const commands = command.commands.map((one) => ({ name: one.name(), summary: one.summary() }));
  yield { path, commands, options: command.options.filter(({ hidden }) => !hidden) };
  for (const one of command.commands)
    yield* placesOf(one, path === '' ? one.name() : `${path} ${one.name()}`);
}

function flags({ short, long }: Option): readonly string[] {
  return [short, long].filter((flag) => flag !== undefined);
}

/** One case per place: its words, and the options that want a value, after which the shell completes file names. */
function bashScript(places: readonly Place[]): string {
  const cases = places.map(({ path, commands, options }) => {
    const words = [...commands.map(({ name }) => name), ...options.flatMap(flags), '--help'];
    const valued = options.filter(({ required, optional }) => required || optional).flatMap(flags);
    return `    ${quoted(path)}) words=${quoted(words.join(' '))}; valued=${quoted(` ${valued.join(' ')} `)} ;;`;
  });
  const all = places.filter(({ path }) => path !== '').map(({ path }) => path);
  return `# rind completion bash; eval "$(rind completion bash)"
_rind() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" path="" words="" valued="" word
  local known=${quoted(`|${all.join('|')}|`)}
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$known" in *"|\${path:+$path }$word|"*) path="\${path:+$path }$word" ;; esac
  done
  case "$path" in
${cases.join('\n')}
  esac
  case "$valued" in *" $previous "*) COMPREPLY=($(compgen -f -- "$current")); return ;; esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  if [ \${#COMPREPLY[@]} -eq 0 ]; then COMPREPLY=($(compgen -f -- "$current")); fi
}
complete -o filenames -F _rind rind
`;
}

function fishScript(places: readonly Place[]): string {
  const lines = places.flatMap(({ path, commands, options }) => {
    const here = `-n ${quoted(`__rind_at ${path}`.trimEnd())}`;
    return [
      ...commands.map(({ name, summary }) => `complete -c rind -f ${here} -a ${name} -d ${quoted(summary)}`),
      ...options.map((option) => {
        const names = flags(option).map((flag) =>
          flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`,
        );
        const value = option.required || option.optional ? ' -r' : '';
        return `complete -c rind ${here} ${names.join(' ')}${value} -d ${quoted(option.description)}`;
      }),
    ];
  });
  return `# rind completion fish | source
function __rind_at
    set -l words (commandline -opc | string match -v -- '-*')[2..-1]
    set -l wanted $argv
    test (count $words) -ge (count $wanted); or return 1
    for i in (seq (count $wanted))
        test "$words[$i]" = "$wanted[$i]"; or return 1
    end
end
${lines.join('\n')}
`;
}

/** In single quotation marks, for all of these shells; a mark inside becomes a typographic one: these are words for people. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", '’').replaceAll(/\s+/g, ' ')}'`;
}
