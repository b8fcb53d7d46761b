/** Upper bounds of the buckets in seconds: from a fast local call to the longest one that is allowed. */
const bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 600] as const
const width = bounds.length + 1

/** Durations in fixed buckets, for a fixed number of series. Observing allocates nothing. */
export class Histogram {
  readonly #counts: Float64Array
  readonly #sums: Float64Array

  constructor(series: number) {
    this.#counts = new Float64Array(series * width)
    this.#sums = new Float64Array(series)
  }

  observe(series: number, seconds: number): void {
    let bucket = 0
    while (bucket < bounds.length && seconds > (bounds[bucket] ?? 0)) bucket++
    const cell = series * width + bucket
    this.#counts[cell] = (this.#counts[cell] ?? 0) + 1
    this.#sums[series] = (this.#sums[series] ?? 0) + seconds
  }

  /** Prometheus lines of every series that saw anything; `labels` writes those of a series: `method="ping"`. */
  lines(name: string, labels: (series: number) => string): string[] {
    return Array.from(this.#sums, (sum, series) => {
      const counts = this.#counts.subarray(series * width, (series + 1) * width)
      const total = counts.reduce((all, count) => all + count, 0)
      if (total === 0) return ''
      return `${buckets(name, labels(series), counts)}${name}_sum{${labels(series)}} ${sum}\n${name}_count{${labels(series)}} ${total}\n`
    })
  }
}

function buckets(name: string, labels: string, counts: Float64Array): string {
  let below = 0
  let text = ''
  counts.forEach((count, bucket) => {
    below += count
    text += `${name}_bucket{${labels},le="${bounds[bucket] ?? '+Inf'}"} ${below}\n`
  })
  return text
}
