import { setTimeout as sleep } from 'node:timers/promises';
import { makeWheel } from '../tools/distribution.ts';
import { Uploader, uploadForm, type UploadForm } from '../tools/upload.ts';

/** Uploads over some projects, none twice. */
export class Load {
  readonly #uploader: Uploader;
  readonly #projects: number;
  #made = 0;

  constructor(url: string, token: string, projects = 40) {
    this.#uploader = new Uploader(url, token, 128);
    this.#projects = projects;
  }

  /** Forms made before the clock runs. */
  forms(count: number, padding = 20_000): UploadForm[] {
    return Array.from({ length: count }, () => {
      const number = this.#made++;
      const name = `load-${number % this.#projects}`;
      return uploadForm(makeWheel({ name, version: `1.${Date.now()}${number}`, padding }));
    });
  }

  /** Milliseconds until each upload was answered 200; started at this rate, however long the answers take. */
  async atRate(perSecond: number, seconds: number): Promise<number[]> {
    const forms = this.forms(perSecond * seconds);
    const started = performance.now();
    const posts: Promise<number>[] = [];
    for (const [index, form] of forms.entries()) {
      await sleep(Math.max(0, started + (index * 1000) / perSecond - performance.now()));
      posts.push(this.post(form));
    }
    return Promise.all(posts);
  }

  /** Uploads a second while so many are under way. */
  async together(count: number, connections: number): Promise<number> {
    const forms = this.forms(count);
    const started = performance.now();
    const work = async (): Promise<void> => {
      for (let form = forms.pop(); form !== undefined; form = forms.pop()) await this.post(form);
    };
    await Promise.all(Array.from({ length: connections }, work));
    return (count * 1000) / (performance.now() - started);
  }

  async post(form: UploadForm): Promise<number> {
    const { status, reason, milliseconds } = await this.#uploader.post(form);
    if (status !== 200) throw new Error(`an upload was answered ${status} ${reason}`);
    return milliseconds;
  }

  close(): void {
    this.#uploader.close();
  }
}
