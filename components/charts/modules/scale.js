// Numbers of a chart, without a browser: how samples become points.

// The smallest round number that is not below: 1, 2, 5, 10, 20, 50, …
export function roundUp(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((round) => round >= value * 0.999);
}

// At most `count` points of time: each the mean (or the worst) of the samples that fall into it.
export function thinned(times, values, count, join = "mean") {
  const size = Math.ceil(times.length / Math.max(1, count));
  if (size <= 1) return { times, values };
  const thin = { times: [], values: [] };
  for (let end = times.length; end > 0; end -= size) {
    const start = Math.max(0, end - size);
    const known = values.slice(start, end).filter((value) => value !== null && value !== undefined);
    thin.times.unshift(times[end - 1]);
    thin.values.unshift(known.length ? joined(known, join) : null);
  }
  return thin;
}

function joined(values, how) {
  if (how === "max") return Math.max(...values);
  const sum = values.reduce((total, value) => total + value, 0);
  return how === "sum" ? sum : sum / values.length;
}

// What happened in each minute, newest last; `values` are counts since the sample before.
export function perMinute(times, values, minutes, now) {
  const bars = Array.from({ length: minutes }, () => 0);
  times.forEach((time, index) => {
    const ago = Math.floor((now - time) / 60000);
    if (ago >= 0 && ago < minutes) bars[minutes - 1 - ago] += values[index];
  });
  return bars;
}

export function nearest(times, time) {
  let best = 0;
  for (let index = 1; index < times.length; index += 1) {
    if (Math.abs(times[index] - time) < Math.abs(times[best] - time)) best = index;
  }
  return best;
}
