// Writes docs/api.md: everything that rind/tuf, rind/updater and rind/testing export, from the built declarations.
//
//   node scripts/api-page.mjs            writes the page (after `npm run build`)
//   node scripts/api-page.mjs --check    ends with 1 when the page is not what it would write
//
// An export without a docstring is an error.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { parseAst } from 'rolldown/parseAst';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const page = join(root, 'docs', 'api.md');
const ENTRIES = [
  [
    'tuf',
    'The Update Framework without files, network or clock: models of the metadata, signatures, and the client workflow as a state machine over bytes. It runs in Node.js and in browsers.',
  ],
  [
    'updater',
    'The TUF client: it fetches, verifies, keeps what is trusted in a folder, and hands out verified files.',
  ],
  ['testing', 'A TUF repository in memory for tests of clients, which misbehaves on demand.'],
];
const KINDS = [
  ['ClassDeclaration', 'Classes'],
  ['TSDeclareFunction', 'Functions'],
  ['VariableDeclaration', 'Constants'],
  ['TSInterfaceDeclaration', 'Types'],
  ['TSTypeAliasDeclaration', 'Types'],
];
const undocumented = [];
const parsed = new Map();

/** The declarations of a .d.ts file by name: kind, docstring, text. */
function declarationsOf(file) {
  const known = parsed.get(file);
  if (known !== undefined) return known;
  const source = readFileSync(file, 'utf8');
  const declarations = new Map();
  for (const node of parseAst(source, { lang: 'dts' }).body) {
    const declared = node.type === 'ExportNamedDeclaration' ? node.declaration : node;
    const kind = KINDS.find(([type]) => type === declared?.type)?.[1];
    if (kind === undefined) continue;
    const { name } = declared.id ?? declared.declarations[0].id;
    const comment = /\/\*\*((?:[^*]|\*(?!\/))*)\*\/\s*$/.exec(source.slice(0, node.start))?.[1];
    const text = source.slice(node.start, node.end).replace(/^(?:export )?(?:declare )?/, '');
    declarations.set(name, { name, kind, comment, text, file });
  }
  parsed.set(file, declarations);
  return declarations;
}

/** What an index.d.ts exports, in the order of their names. */
function exportsOf(index) {
  const found = [];
  for (const node of parseAst(readFileSync(index, 'utf8'), { lang: 'dts' }).body) {
    if (node.type !== 'ExportNamedDeclaration' || node.source === null) continue;
    const file = resolve(dirname(index), node.source.value.replace(/\.(?:ts|js)$/, '.d.ts'));
    for (const { local } of node.specifiers) {
      const declaration = declarationsOf(file).get(local.name);
      if (declaration === undefined) throw new Error(`${index}: ${local.name} is not declared in ${file}`);
      found.push(declaration);
    }
  }
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** A docstring as Markdown: its example as code, its errors as sentences. */
function prose(comment) {
  const text = comment
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, '').trimEnd())
    .join('\n')
    .trim()
    .replaceAll(/\{@link ([^}]+)\}/g, '`$1`');
  const [described = '', example] = text.split(/\n?@example\n/);
  const sentences = described
    .replaceAll(
      /\s*@throws \{([^}]+)\} ?/g,
      (_, types) => `\n\nThrows \`${types.replaceAll(' | ', '`, `')}\` `,
    )
    .replaceAll(/\s*@returns /g, '\n\nReturns ')
    .trim();
  return example === undefined ? sentences : `${sentences}\n\n\`\`\`ts\n${example}\n\`\`\``;
}

function section({ name, comment, text, file }) {
  if (comment === undefined) {
    undocumented.push(`${name} (src/${relative(join(root, 'dist'), file).replace('.d.ts', '.ts')})`);
    return '';
  }
  const shown = text.replaceAll(/^ *(?:#private;|private constructor\(\);)\n/gm, '');
  return `#### ${name}\n\n${prose(comment)}\n\n\`\`\`ts\n${shown}\n\`\`\`\n`;
}

function chapter([entry, about]) {
  const found = exportsOf(join(root, 'dist', entry, 'index.d.ts'));
  const parts = [...new Set(KINDS.map(([, kind]) => kind))].map((kind) => {
    const own = found.filter((declaration) => declaration.kind === kind);
    return own.length === 0 ? '' : `### ${kind} of rind/${entry}\n\n${own.map(section).join('\n')}`;
  });
  return `## rind/${entry}\n\n${about}\n\n${parts.join('\n')}`;
}

const text = `# API

Written by \`npm run api\` from the declarations of the built package; change the docstrings, not this page.
"spec" is the [TUF specification](https://theupdateframework.github.io/specification/latest/). Runnable examples lie in
\`examples/\`. What is not listed here is not public.

${ENTRIES.map(chapter).join('\n')}`;
if (undocumented.length > 0) {
  console.error(`error: exported without a docstring: ${undocumented.join(', ')}`);
  process.exit(1);
}
const formatted = await format(text, { ...(await resolveConfig(page)), parser: 'markdown' });
if (!process.argv.includes('--check')) writeFileSync(page, formatted);
else if (readFileSync(page, 'utf8') !== formatted) {
  console.error('error: docs/api.md is out of date\nhint: run `npm run api`');
  process.exitCode = 1;
}
