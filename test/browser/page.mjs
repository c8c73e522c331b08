// Runs in the browser: a small TUF client made of `rind/tuf`, fetch and WebCrypto, and nothing else.
import { defaultCrypto, metadataFileName, targetFileName, TrustedMetadataSet, WebCrypto } from 'rind/tuf';

const crypto = new WebCrypto();

async function get(url) {
  const answer = await fetch(url, { cache: 'no-store' });
  if (answer.status === 404) return undefined;
  if (!answer.ok) throw new Error(`${url}: status ${answer.status}`);
  return new Uint8Array(await answer.arrayBuffer());
}

/** The client workflow (specification 5.3 to 5.7) up to the verified bytes of one target. */
async function download({ root, metadataUrl, targetUrl, path, now }) {
  const trusted = await TrustedMetadataSet.create(await get(root), { referenceTime: new Date(now), crypto });
  const asked = [];
  const metadata = async (role, version) => {
    asked.push(role);
    return get(metadataUrl + metadataFileName(role, version));
  };
  for (let next; (next = await metadata('root', trusted.root.version + 1)) !== undefined;)
    await trusted.updateRoot(next);
  const timestamp = await trusted.updateTimestamp(await metadata('timestamp'));
  const snapshot = await metadata('snapshot', timestamp.snapshotMeta.version);
  await trusted.updateSnapshot(snapshot);

  const waiting = [['targets', 'root']];
  for (let next; (next = waiting.pop()) !== undefined;) {
    const [role, delegator] = next;
    const bytes = await metadata(role, trusted.snapshotEntry(role).version);
    const targets = await trusted.updateDelegatedTargets(bytes, role, delegator);
    const target = targets.targets.get(path);
    if (target !== undefined) {
      const content = await get(targetUrl + targetFileName(path, target.hashes.get('sha256')));
      await target.verify(content, crypto);
      return { asked, content: Array.from(content) };
    }
    const delegated = targets.delegations?.rolesForTarget(path) ?? [];
    waiting.push(...delegated.map(({ name }) => [name, role]).reverse());
  }
  return { asked, content: undefined };
}

/** As `download`, with the error as data: errors do not come out of a page whole. */
globalThis.verifyTarget = async (request) => {
  try {
    return await download(request);
  } catch ({ name, code, role, message }) {
    return { error: { name, code, role, message } };
  }
};

globalThis.surroundings = () => ({
  hasProcess: typeof globalThis.process !== 'undefined',
  hasBuffer: typeof globalThis.Buffer !== 'undefined',
  defaultIsWebCrypto: defaultCrypto instanceof WebCrypto,
});
