import { describe, expect, it } from 'vitest';
import { DocumentCache, type DocumentSource } from './document-cache.ts';
import { HotDocuments } from './hot-documents.ts';

/** A source that the test changes, and that counts what it is asked. */
class Source implements DocumentSource {
  readonly lifetime = 1_000;
  readonly options = { contentType: 'text/plain', cacheControl: 'no-cache' };
  text: string | undefined = 'one';
  tags = 0;
  reads = 0;
  gate: Promise<void> = Promise.resolve();

  async tag(): Promise<string | undefined> {
    this.tags += 1;
    return this.text;
  }

  async bytes(): Promise<Uint8Array | undefined> {
    this.reads += 1;
    const bytes = this.text === undefined ? undefined : Buffer.from(this.text);
    await this.gate;
    return bytes;
  }
}

function setUp(maxBytes = 1_000_000) {
  let now = 0;
  const cache = new DocumentCache({ maxBytes, now: () => now });
  const text = async (source: Source, address = '/a') =>
    (await cache.get(address, source))?.identity.body.toString();
  return { cache, text, advance: (milliseconds: number) => void (now += milliseconds) };
}

describe('DocumentCache', () => {
  it('asks the source once per lifetime, and reads it only when its tag changed', async () => {
    const { text, advance } = setUp();
    const source = new Source();
    for (let round = 0; round < 5; round += 1) expect(await text(source)).toBe('one');
    expect([source.tags, source.reads]).toEqual([1, 1]);
    advance(1_001);
    expect(await text(source)).toBe('one');
    expect([source.tags, source.reads]).toEqual([2, 1]);
    source.text = 'two';
    expect(await text(source)).toBe('one');
    advance(1_001);
    expect(await text(source)).toBe('two');
    expect(source.reads).toBe(2);
  });

  it('loads once however many ask at the same time', async () => {
    const { text } = setUp();
    const source = new Source();
    expect(await Promise.all(Array.from({ length: 50 }, () => text(source)))).toEqual(Array(50).fill('one'));
    expect([source.tags, source.reads]).toEqual([1, 1]);
  });

  it('gives the new document after forget, even while the old one is still being loaded', async () => {
    const { cache, text } = setUp();
    const source = new Source();
    let open = (): void => undefined;
    source.gate = new Promise((resolve) => (open = resolve));
    const old = text(source);
    await expect.poll(() => source.reads).toBe(1);
    source.text = 'two';
    source.gate = Promise.resolve();
    cache.forget('/a');
    expect(await text(source)).toBe('two');
    open();
    expect(await old).toBe('one');
    expect(await text(source)).toBe('two');
    expect(cache.fresh('/a')?.identity.body.toString()).toBe('two');
  });

  it('does not remember that something is not there', async () => {
    const { text } = setUp();
    const source = new Source();
    source.text = undefined;
    expect(await text(source)).toBeUndefined();
    source.text = 'born';
    expect(await text(source)).toBe('born');
  });

  it('stops giving out what is gone once its lifetime is over', async () => {
    const { text, advance } = setUp();
    const source = new Source();
    await text(source);
    source.text = undefined;
    advance(1_001);
    expect(await text(source)).toBeUndefined();
  });

  it('keeps what was used last when it is full', async () => {
    const { cache } = setUp(10 * 2_100);
    for (let number = 0; number < 100; number += 1) await cache.get(`/${number}`, new Source());
    const kept = Array.from({ length: 100 }, (_, number) => number).filter(
      (number) => cache.fresh(`/${number}`) !== undefined,
    );
    expect(kept.length).toBeGreaterThan(5);
    expect(kept.length).toBeLessThanOrEqual(10);
    expect(kept.at(-1)).toBe(99);
  });

  it('passes on what the source throws, and tries again next time', async () => {
    const { cache, text } = setUp();
    const source = new Source();
    const broken: DocumentSource = {
      lifetime: source.lifetime,
      options: source.options,
      tag: () => Promise.reject(new Error('disk')),
      bytes: () => source.bytes(),
    };
    await expect(cache.get('/a', broken)).rejects.toThrow('disk');
    expect(await text(source)).toBe('one');
  });
});

describe('HotDocuments', () => {
  const accept = 'text/plain';
  async function hotSetUp(maxBytes?: number) {
    const world = setUp(maxBytes);
    const hot = new HotDocuments(world.cache);
    const source = new Source();
    const load = async (): Promise<void> => {
      await world.text(source);
      hot.remember('/a', accept, world.cache.freshEntry('/a')!);
    };
    await load();
    const text = (asked: string | undefined = accept) => hot.get('/a', asked)?.identity.body.toString();
    return { ...world, hot, source, load, text };
  }

  it('gives out what the cache holds and finds fresh, for the same Accept header only', async () => {
    const { text, advance } = await hotSetUp();
    expect([text(), text('text/html')]).toEqual(['one', undefined]);
    advance(1_001);
    expect(text()).toBeUndefined();
  });

  it('gives out nothing that the cache has forgotten, replaced or dropped, and keeps no memory of it', async () => {
    const { cache, text, source, load, advance } = await hotSetUp(10_000);
    const entry = cache.freshEntry('/a')!;
    cache.forget('/a');
    expect([text(), entry.document]).toEqual([undefined, undefined]);
    await load();
    cache.clear();
    expect(text()).toBeUndefined();
    await load();
    advance(1_001);
    source.text = 'two';
    const replaced = cache.get('/a', source);
    await replaced;
    expect(text()).toBeUndefined();
    await load();
    expect(text()).toBe('two');
    for (const address of ['/b', '/c', '/d', '/e', '/f']) await cache.get(address, new Source());
    expect(text()).toBeUndefined();
  });

  it('remembers a bounded number of addresses, and no long ones', async () => {
    const { cache, hot } = await hotSetUp();
    const entry = cache.freshEntry('/a')!;
    hot.remember('/'.repeat(1_000), accept, entry);
    expect(hot.get('/'.repeat(1_000), accept)).toBeUndefined();
    for (let address = 0; address < 4_096; address += 1) hot.remember(`/${address}`, accept, entry);
    expect(hot.get('/a', accept)).toBeUndefined();
    expect(hot.get('/4095', accept)).toBeDefined();
  });
});
