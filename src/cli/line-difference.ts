/**
 * What changes between two texts, line by line: `- ` taken away, `+ ` added, `  ` around them. For files of some hundred lines.
 */
export function lineDifference(before: string, after: string): readonly string[] {
  const [left, right] = [linesOf(before), linesOf(after)];
  const common = commonLengths(left, right);
  const lines: string[] = [];
  let [row, column] = [0, 0];
  while (row < left.length || column < right.length) {
    const isSame = row < left.length && column < right.length && left[row] === right[column];
    const skipLeft = common[row + 1]?.[column] ?? -1;
    const skipRight = common[row]?.[column + 1] ?? -1;
    if (isSame) {
      lines.push(`  ${left[row]}`);
      row += 1;
      column += 1;
    } else if (row < left.length && (column >= right.length || skipLeft >= skipRight)) {
      lines.push(`- ${left[row]}`);
      row += 1;
    } else {
      lines.push(`+ ${right[column]}`);
      column += 1;
    }
  }
  return lines;
}

/** Of the longest common subsequence of what is left of both, by position. */
function commonLengths(left: readonly string[], right: readonly string[]): readonly (readonly number[])[] {
  const table = Array.from({ length: left.length + 1 }, () =>
    Array.from({ length: right.length + 1 }, () => 0),
  );
  for (let row = left.length - 1; row >= 0; row -= 1) {
    for (let column = right.length - 1; column >= 0; column -= 1) {
      const [here, below] = [table[row] ?? [], table[row + 1] ?? []];
      here[column] =
        left[row] === right[column]
          ? (below[column + 1] ?? 0) + 1
          : Math.max(below[column] ?? 0, here[column + 1] ?? 0);
    }
  }
  return table;
}

function linesOf(text: string): readonly string[] {
  return text === '' ? [] : text.replace(/\n$/, '').split('\n');
}
