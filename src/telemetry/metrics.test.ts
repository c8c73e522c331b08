import { expect, it } from 'vitest';
import { Counter, Histogram, MetricsRegistry } from './metrics.ts';

it('writes counters, histograms and gauges as Prometheus reads them', async () => {
  const registry = new MetricsRegistry();
  const counter = registry.add(new Counter('a_total', 'Of a.', 'class', ['2xx', '5xx']));
  const histogram = registry.add(new Histogram('b_seconds', 'Of b.', [0.1, 1]));
  registry.gauge('c', 'Of c.', () => [{ labels: { name: 'x"\\\ny' }, value: 1.5 }]);
  counter.add('2xx');
  counter.add('2xx', 2);
  for (const seconds of [0.05, 0.1, 0.5, 7]) histogram.observe(seconds);
  expect(await registry.text()).toBe(
    [
      '# HELP a_total Of a.',
      '# TYPE a_total counter',
      'a_total{class="2xx"} 3',
      'a_total{class="5xx"} 0',
      '# HELP b_seconds Of b.',
      '# TYPE b_seconds histogram',
      'b_seconds_bucket{le="0.1"} 2',
      'b_seconds_bucket{le="1"} 3',
      'b_seconds_bucket{le="+Inf"} 4',
      'b_seconds_sum 7.65',
      'b_seconds_count 4',
      '# HELP c Of c.',
      '# TYPE c gauge',
      'c{name="x\\"\\\\\\ny"} 1.5',
      '',
    ].join('\n'),
  );
});

it('a gauge that cannot be read leaves the others in peace', async () => {
  const registry = new MetricsRegistry();
  registry.gauge('broken', 'x', () => {
    throw new Error('no');
  });
  registry.gauge('late', 'x', () => Promise.reject(new Error('no')));
  registry.gauge('whole', 'x', () => [{ value: 1 }]);
  expect(await registry.text()).toBe('# HELP whole x\n# TYPE whole gauge\nwhole 1\n');
});

it('a histogram takes over the state of one in another thread, of the same form only', () => {
  const here = new Histogram('h', 'x', [1]);
  const there = new Histogram('h', 'x', [1]);
  there.observe(0.5);
  there.observe(2);
  here.state = structuredClone(there.state);
  expect(here.lines()).toEqual(there.lines());
  here.state = { counts: [1], sum: 1 };
  expect(here.lines()).toEqual(there.lines());
});
