import { execFileSync } from 'node:child_process';
import { createReadStream, statSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from '../tools/process.ts';
import type { RindServer } from '../tools/rind-program.ts';
import { makeWheel } from '../tools/distribution.ts';
import { Uploader, uploadForm } from '../tools/upload.ts';
import { isQuick, residentMemory, type Table } from './report.ts';

/** The most memory a process held while something ran, in MiB. */
async function peakDuring<Result>(
  pid: number,
  work: Promise<Result>,
): Promise<{ result: Result; peak: number }> {
  let peak = residentMemory(pid);
  const timer = setInterval(() => (peak = Math.max(peak, residentMemory(pid))), 50);
  try {
    return { result: await work, peak };
  } finally {
    clearInterval(timer);
  }
}

let made = 0;

const RAMP = isQuick ? 2 : 10;

/** Uploads a second that were answered 200, with so many clients that each try again as they are told. */
async function uploadFor(
  server: RindServer,
  clients: number,
  seconds: number,
): Promise<{ goodput: number; refused: number; failed: number }> {
  const uploader = new Uploader(server.uploadUrl, server.token, clients);
  // The first ones come all at once: what counts is how it goes on.
  const begin = performance.now() + RAMP * 1000;
  const end = begin + seconds * 1000;
  let [good, refused, failed] = [0, 0, 0];
  const client = async (): Promise<void> => {
    while (performance.now() < end) {
      const form = uploadForm(
        makeWheel({ name: `load-${made % 40}`, version: `1.${made++}`, padding: 20_000 }),
      );
      for (let open = true; open && performance.now() < end;) {
        const { status } = await uploader.post(form).catch(() => ({ status: 0 }));
        open = status === 503;
        if (status === 200) good += performance.now() >= begin && performance.now() < end ? 1 : 0;
        else if (status === 503) refused += 1;
        else failed += 1;
        if (open) await sleep(5_000 * (0.5 + Math.random()));
      }
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  uploader.close();
  return { goodput: good / seconds, refused, failed };
}

async function pagesPerSecond(url: string, connections: number): Promise<number> {
  const args = ['-t1', `-c${connections}`, `-d${isQuick ? 2 : 6}s`, '--timeout', '30s', url];
  const { output } = await run('wrk', args);
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1] ?? 0);
}

/** Ten times what the server takes at its best: what still gets done, and in how much memory. */
export async function benchOverload(server: RindServer): Promise<Table> {
  const seconds = isQuick ? 5 : 20;
  const rows: string[][] = [];
  const before = residentMemory(server.pid);
  const calm = await peakDuring(server.pid, uploadFor(server, 32, seconds));
  const wild = await peakDuring(server.pid, uploadFor(server, 640, seconds));
  const show = (what: string, goodput: number, share: number, note: string, peak: number): void => {
    rows.push([what, goodput.toFixed(1), `${(share * 100).toFixed(0)} %`, note, `${peak.toFixed(0)} MiB`]);
  };
  show('uploads, 32 clients', calm.result.goodput, 1, '', calm.peak);
  const note = `${wild.result.refused} told to come again, ${wild.result.failed} failed`;
  show(
    'uploads, 640 clients',
    wild.result.goodput,
    wild.result.goodput / calm.result.goodput,
    note,
    wild.peak,
  );
  const page = `${server.url}simple/load-0/`;
  const few = await peakDuring(server.pid, pagesPerSecond(page, 32));
  const many = await peakDuring(server.pid, pagesPerSecond(page, 1_000));
  show('cached page, 32 connections', few.result, 1, '', few.peak);
  show('cached page, 1000 connections', many.result, many.result / few.result, '', many.peak);
  return {
    title: 'Overload',
    method: `Clients that ask again as soon as they are answered, those that are refused after the time they are told; ${seconds} s after ${RAMP} s of getting there. Goodput is what was answered 200 in that time. Resident memory before: ${before.toFixed(0)} MiB.`,
    columns: ['load', 'goodput /s', 'of the first', 'refusals', 'peak memory'],
    rows,
    missing: [],
  };
}

const MAKE_WHEEL = `
import base64, hashlib, os, sys, zipfile
path, size = sys.argv[1], int(sys.argv[2])
record = []
with zipfile.ZipFile(path, 'w', zipfile.ZIP_STORED, allowZip64=False) as archive:
    def add(name, chunks):
        digest, length = hashlib.sha256(), 0
        with archive.open(name, 'w') as member:
            for chunk in chunks:
                digest.update(chunk); member.write(chunk); length += len(chunk)
        text = base64.urlsafe_b64encode(digest.digest()).rstrip(b'=').decode()
        record.append(f'{name},sha256={text},{length}')
    add('large/data.bin', (os.urandom(1 << 20) for _ in range(size >> 20)))
    add('large-1.0.dist-info/METADATA', [b'Metadata-Version: 2.1\\nName: large\\nVersion: 1.0\\n'])
    add('large-1.0.dist-info/WHEEL', [b'Wheel-Version: 1.0\\nGenerator: bench\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n'])
    record.append('large-1.0.dist-info/RECORD,,')
    archive.writestr('large-1.0.dist-info/RECORD', '\\n'.join(record) + '\\n')
`;

/** One upload of a gigabyte, and one download of it: how much memory the server takes for it. */
export async function benchLargeFile(server: RindServer, folder: string): Promise<Table> {
  const path = join(folder, 'large-1.0-py3-none-any.whl');
  const size = isQuick ? 64 * 2 ** 20 : 1_000_000_000;
  execFileSync('python3', ['-c', MAKE_WHEEL, path, String(size)]);
  const sha256 = execFileSync('sha256sum', [path], { encoding: 'utf8' }).slice(0, 64);
  const { length } = { length: statSync(path).size };
  const before = residentMemory(server.pid);
  const started = performance.now();
  const upload = await peakDuring(server.pid, postFile(server, path, sha256));
  const uploadSeconds = (performance.now() - started) / 1000;
  if (upload.result !== 200) throw new Error(`the large upload was answered ${upload.result}`);
  const again = performance.now();
  const url = `${server.url}packages/large/large-1.0-py3-none-any.whl`;
  const download = await peakDuring(
    server.pid,
    run('curl', ['-sf', '-o', '/dev/null', url], { timeout: 600_000 }),
  );
  if (download.result.code !== 0) throw new Error('the large file could not be fetched');
  const row = (what: string, peak: number, seconds: number): string[] => [
    what,
    `${before.toFixed(0)} MiB`,
    `${peak.toFixed(0)} MiB`,
    `+${(peak - before).toFixed(0)} MiB`,
    `${seconds.toFixed(1)} s`,
  ];
  return {
    title: 'A large file',
    method: `One wheel of ${(length / 1e6).toFixed(0)} MB uploaded, checked, signed and fetched; resident memory of the server, looked at every 50 ms.`,
    columns: ['what', 'before', 'peak', 'for it', 'took'],
    rows: [
      row('upload', upload.peak, uploadSeconds),
      row('download', download.peak, (performance.now() - again) / 1000),
    ],
    missing: [],
  };
}

function postFile(server: RindServer, path: string, sha256: string): Promise<number> {
  const empty = uploadForm(
    { ...makeWheel({ name: 'large', version: '1.0' }), bytes: Buffer.alloc(0) },
    { sha256_digest: sha256 },
  );
  const split = empty.body.lastIndexOf('\r\n--');
  const [head, tail] = [empty.body.subarray(0, split), empty.body.subarray(split)];
  return new Promise((resolve, reject) => {
    const headers = {
      authorization: `Basic ${Buffer.from(`__token__:${server.token}`).toString('base64')}`,
      'content-type': empty.contentType,
      'content-length': String(head.length + statSync(path).size + tail.length),
    };
    const sent = request(server.uploadUrl, { method: 'POST', headers }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0));
    }).on('error', reject);
    sent.write(head);
    createReadStream(path, { highWaterMark: 2 ** 20 })
      .on('end', () => sent.end(tail))
      .on('error', reject)
      .pipe(sent, { end: false });
  });
}
