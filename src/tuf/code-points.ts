/**
 * Compares two strings by Unicode code points, as OLPC canonical JSON orders keys (JavaScript's `<` orders by
 * UTF-16 code units, which puts U+10000 before U+E000).
 * @returns a negative number, 0 or a positive number, as `Array.sort` wants.
 */
export function compareCodePoints(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let index = 0; index < shared; index++) {
    const unitA = a.charCodeAt(index);
    const unitB = b.charCodeAt(index);
    if (unitA !== unitB) return order(unitA) - order(unitB);
  }
  return a.length - b.length;
}

/** Lifts surrogates above U+E000..U+FFFF, where the code points they stand for belong. */
function order(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
