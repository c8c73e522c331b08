const TOKEN = /\(|\)|[A-Za-z0-9][A-Za-z0-9.-]*\+?/y;
const MAX_LENGTH = 2048;
const MAX_DEPTH = 32;

/**
 * Whether `text` has the syntax of an SPDX license expression (PEP 639): identifiers joined by AND, OR and WITH, with
 * parentheses. The identifiers are not looked up.
 */
export function isLicenseExpression(text: string): boolean {
  const tokens = tokenize(text);
  if (tokens === undefined) return false;
  // One pass with a counter instead of recursion: an operand is expected, or an operator.
  let depth = 0;
  let expectsOperand = true;
  let afterWith = false;
  for (const [index, token] of tokens.entries()) {
    const operator = token.toUpperCase();
    if (expectsOperand) {
      if (token === '(' && !afterWith) {
        if (++depth > MAX_DEPTH) return false;
        continue;
      }
      if (token === '(' || token === ')' || isOperator(operator)) return false;
      expectsOperand = false;
      continue;
    }
    if (token === ')') {
      if (--depth < 0) return false;
    } else if (operator === 'WITH') {
      const previous = tokens[index - 1];
      if (previous === ')' || afterWith) return false;
      [expectsOperand, afterWith] = [true, true];
      continue;
    } else if (operator === 'AND' || operator === 'OR') {
      expectsOperand = true;
    } else {
      return false;
    }
    afterWith = false;
  }
  return depth === 0 && !expectsOperand;
}

function isOperator(token: string): boolean {
  return token === 'AND' || token === 'OR' || token === 'WITH';
}

function tokenize(text: string): string[] | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  const tokens: string[] = [];
  let position = 0;
  while (position < text.length) {
    if (text[position] === ' ') {
      position++;
      continue;
    }
    TOKEN.lastIndex = position;
    const token = TOKEN.exec(text)?.[0];
    if (token === undefined) return undefined;
    tokens.push(token);
    position += token.length;
  }
  return tokens;
}
