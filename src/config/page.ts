import { SECTIONS, type Key, type Section } from './keys.ts';
import { variableOf } from './settings.ts';

const HEAD = `# Settings

A server is told what to do by one file, \`rind.toml\`, by the environment and by the command line: the command line wins over the environment, the environment over the file, the file over the defaults. Nothing needs to be set. This page is made of the table that the program reads settings with (\`npm run config-page\`).

\`rind serve\` takes the file named by \`--config\`, else the one named by \`RIND_CONFIG\`, else \`rind.toml\` in the data folder if there is one. What is misspelt or impossible is refused with the line and what to write instead; nothing is half used.

\`\`\`console
$ rind config check --config rind.toml
$ rind config show
\`\`\`

\`rind config check\` says everything that is wrong, \`--json\` for programs; \`rind config show\` prints what holds and where it comes from, without secrets.

\`\`\`toml
[server]
host = "0.0.0.0"
public-url = "https://packages.example.com/"
trusted-proxies = ["10.0.0.0/8"]

[log]
level = "info"
access = "/var/log/rind/access.log"

[uploads]
max-project-size = "5GiB"
\`\`\`

Every key has a variable \`RIND_<SECTION>_<KEY>\`; lists are parted by commas there, an empty variable sets nothing. Durations are written \`"500ms"\`, \`"30s"\`, \`"15m"\`, \`"12h"\`, \`"7d"\`; sizes \`"64KiB"\`, \`"100MiB"\`, \`"1GiB"\` or with kB, MB, GB. SIGHUP reads what is said to be read again; everything else needs a restart. Tokens and passphrases never stand in this file: where one is needed, the file names a file.
`;

/** The page docs/configuration.md, from the table of keys. */
export function renderConfigurationPage(): string {
  const sections = Object.entries<Section>(SECTIONS).map(([name, section]) => renderSection(name, section));
  return `${HEAD}\n${sections.join('\n')}`;
}

function renderSection(name: string, { about, keys }: Section): string {
  const entries = Object.entries(keys).map(([word, key]) => renderKey(name, word, key));
  return `## [${name}]\n\n${about}\n\n${entries.join('\n')}\n`;
}

function renderKey(section: string, word: string, key: Key<unknown>): string {
  const standard = key.standard === undefined ? 'not set' : `\`${tomlText(key.standard)}\``;
  const kind = key.kind.name.startsWith('"') ? `one of ${key.kind.name}` : key.kind.name;
  const secret = key.isSecret ? ' Not shown by `rind config show`.' : '';
  return `- \`${word}\` (${kind}; default ${standard}; \`${variableOf(section, word)}\`): ${key.about}${secret}`;
}

/** A value as TOML writes it. */
export function tomlText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(tomlText).join(', ')}]`;
  if (typeof value === 'object' && value !== null)
    return `{ ${Object.entries(value)
      .map(([name, one]) => `${name} = ${tomlText(one)}`)
      .join(', ')} }`;
  return JSON.stringify(value);
}
