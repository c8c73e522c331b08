import { readFileSync } from 'node:fs';
import { parseAst } from 'rolldown/parseAst';

interface AstNode {
  readonly type: string;
  readonly [name: string]: unknown;
}

/** The titles of all `describe` and `it` of a file; what is filled in when they run is an ellipsis. */
export function titlesOf(path: string): readonly string[] {
  const titles: string[] = [];
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(visit);
    if (typeof value !== 'object' || value === null || !('type' in value)) return;
    const node = value as AstNode;
    if (node.type === 'CallExpression' && isTestFunction(node['callee'] as AstNode)) {
      const title = titleOf((node['arguments'] as readonly AstNode[])[0]);
      if (title !== undefined) titles.push(title);
    }
    Object.values(node).forEach(visit);
  };
  visit(parseAst(readFileSync(path, 'utf8'), { lang: 'ts' }));
  return titles;
}

/** `it`, `it.each(...)`, `describe.skipIf(...)` and the like. */
function isTestFunction(callee: AstNode): boolean {
  if (callee.type === 'Identifier') return ['describe', 'it', 'test'].includes(String(callee['name']));
  if (callee.type === 'MemberExpression') return isTestFunction(callee['object'] as AstNode);
  return callee.type === 'CallExpression' && isTestFunction(callee['callee'] as AstNode);
}

function titleOf(node: AstNode | undefined): string | undefined {
  if (node?.type === 'Literal' && typeof node['value'] === 'string')
    return node['value'].replace(/%[sijdop]|\$\w+/g, '…');
  if (node?.type !== 'TemplateLiteral') return undefined;
  return (node['quasis'] as readonly { readonly value: { readonly cooked: string } }[])
    .map(({ value }) => value.cooked)
    .join('…');
}
