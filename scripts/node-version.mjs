// Which Node.js runs this, and may it? Plain syntax: a very old Node must get this far to say so.
const minimum = [20, 19];

/** A sentence why this Node cannot run Rind, or undefined. */
export function refusedNode(version = process.versions.node) {
  const [major, minor] = version.split('.').map(Number);
  if (major > minimum[0] || (major === minimum[0] && minor >= minimum[1])) return undefined;
  return `Rind needs Node.js ${minimum.join('.')} or newer; this is ${version}. Node.js 24 is the version to install.`;
}

/** A sentence about a Node past its end of life, or undefined. */
export function agedNode(version = process.versions.node) {
  const major = Number(version.split('.')[0]);
  if (major >= 22) return undefined;
  return `Node.js ${major} gets no more security fixes since April 2026; Rind runs on it, but use Node.js 24 for anything that matters.`;
}
