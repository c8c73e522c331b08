// All mutants of one source file in one text: every changed place asks at run time whether it is the active mutant, so
// that one compilation serves them all. `rindMutation` is what scripts/mutation/setup.mjs puts into the global object.
import { parseAst } from 'rolldown/parseAst';

const FLIPPED = {
  '<': ['<=', '>='],
  '<=': ['<', '>'],
  '>': ['>=', '<='],
  '>=': ['>', '<'],
  '===': ['!=='],
  '!==': ['==='],
  '+': ['-'],
  '-': ['+'],
  '*': ['/'],
  '/': ['*'],
  '%': ['*'],
  '&&': ['||'],
  '||': ['&&'],
  '??': ['&&'],
  '&': ['|'],
  '|': ['&'],
  '<<': ['>>'],
  '>>': ['<<'],
  '>>>': ['<<'],
  '||=': ['&&='],
  '&&=': ['||='],
  '+=': ['-='],
  '-=': ['+='],
};
const SWAPPED_METHODS = new Map([
  ['some', 'every'],
  ['every', 'some'],
  ['min', 'max'],
  ['max', 'min'],
  ['startsWith', 'endsWith'],
]);
const TRANSPARENT = new Set(['TSAsExpression', 'TSSatisfiesExpression', 'TSNonNullExpression']);

/**
 * @typedef {{ file: string, line: number, was: string, becomes: string }} Mutant
 * @param {string} source TypeScript
 * @param {string} file its name in descriptions
 * @param {number} firstId the id of the first mutant; the next ones count on
 * @returns {{ text: string, mutants: Mutant[] }}
 */
export function mutate(source, file, firstId) {
  /** @type {Mutant[]} */
  const mutants = [];
  const lineOf = (offset) => source.slice(0, offset).split('\n').length;
  const short = (text) => text.replace(/\s+/g, ' ').trim();

  /** Registers a mutant and returns the test for it. */
  function active(node, becomes) {
    const was = short(source.slice(node.start, node.end));
    mutants.push({ file, line: lineOf(node.start), was, becomes: short(becomes) });
    return `rindMutation(${firstId + mutants.length - 1})`;
  }

  function original(node) {
    return source.slice(node.start, node.end);
  }

  /** The node's text with whatever is mutated inside it. */
  function inside(node, replaced = new Map()) {
    let text = '';
    let from = node.start;
    for (const child of childrenOf(node)) {
      text += source.slice(from, child.start) + (replaced.get(child) ?? render(child));
      from = child.end;
    }
    return text + source.slice(from, node.end);
  }

  function operator(node) {
    const left = render(node.left);
    const right = render(node.right);
    let text = `((${left}) ${node.operator} (${right}))`;
    for (const sign of FLIPPED[node.operator] ?? []) {
      const becomes = `${original(node.left)} ${sign} ${original(node.right)}`;
      text = `(${active(node, becomes)} ? ((${left}) ${sign} (${right})) : ${text})`;
    }
    return text;
  }

  /** A condition is made constant instead of being flipped: that says more. */
  function condition(node) {
    const plain = node.operator === '===' || node.operator === '!==' ? inside(node) : render(node);
    return `(${active(node, 'true')} ? true : ${active(node, 'false')} ? false : (${plain}))`;
  }

  function render(node) {
    switch (node.type) {
      case 'BinaryExpression':
        return node.left.type === 'PrivateIdentifier' ? inside(node) : operator(node);
      case 'LogicalExpression':
        return operator(node);
      case 'AssignmentExpression': {
        const [sign] = FLIPPED[node.operator] ?? [];
        if (sign === undefined) return inside(node);
        const target = original(node.left);
        const value = render(node.right);
        const test = active(node, `${target} ${sign} ${original(node.right)}`);
        return `(${test} ? (${target} ${sign} ${value}) : (${target} ${node.operator} ${value}))`;
      }
      case 'UnaryExpression': {
        if (node.operator !== '!') return inside(node);
        const argument = render(node.argument);
        return `(${active(node, original(node.argument))} ? (${argument}) : !(${argument}))`;
      }
      case 'Literal': {
        if (typeof node.value === 'boolean')
          return `(${active(node, String(!node.value))} ? ${!node.value} : ${node.value})`;
        if (typeof node.value !== 'number') return original(node);
        return `(${active(node, String(node.value + 1))} ? ${node.value + 1} : ${node.raw})`;
      }
      case 'IfStatement':
      case 'ConditionalExpression':
        return inside(node, new Map([[node.test, condition(node.test)]]));
      case 'WhileStatement':
      case 'ForStatement': {
        if (!node.test) return inside(node);
        const test = `(${active(node.test, 'false')} ? false : (${render(node.test)}))`;
        return inside(node, new Map([[node.test, test]]));
      }
      case 'ExpressionStatement': {
        if (node.directive || original(node).startsWith('super(')) return inside(node);
        const text = inside(node);
        return `{ if (!${active(node, '(removed)')}) { ${text} } }`;
      }
      case 'ThrowStatement': {
        const text = inside(node);
        return `{ if (!${active(node, '(removed)')}) { ${text} } }`;
      }
      case 'CallExpression': {
        const method = node.callee.property?.name;
        const other = SWAPPED_METHODS.get(method);
        if (other === undefined || node.callee.computed) return inside(node);
        const text = inside(node);
        const { property } = node.callee;
        const becomes =
          source.slice(node.start, property.start) + other + source.slice(property.end, node.end);
        return `(${active(node, becomes)} ? ${becomes} : ${text})`;
      }
      default:
        return inside(node);
    }
  }

  return { text: render(parseAst(source, { lang: 'ts' })), mutants };
}

/** The children that hold run-time code, in the order of the text. */
function childrenOf(node) {
  const children = [];
  if (node.type.startsWith('TS') && !TRANSPARENT.has(node.type)) return children;
  for (const [name, value] of Object.entries(node)) {
    if (name === 'key' && node.computed !== true) continue;
    if (name === 'typeAnnotation' || name === 'typeArguments' || name === 'returnType') continue;
    for (const child of Array.isArray(value) ? value : [value]) {
      if (typeof child?.type !== 'string' || typeof child.start !== 'number') continue;
      children.push(child);
    }
  }
  // A shorthand property has its name and its value at the same place.
  return children
    .filter((child, index) => children.findIndex(({ start }) => start === child.start) === index)
    .sort((a, b) => a.start - b.start);
}
