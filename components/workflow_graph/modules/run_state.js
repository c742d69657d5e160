// How the nodes of a test run are doing. A subgraph node sums up what is inside it.
const RANK = ["failed", "running", "waiting", "done", "cached"];

export function runOf(graph, path, isSubgraph) {
  const own = graph.run.nodes[path];
  if (own || !isSubgraph) return own ?? null;
  const inside = Object.entries(graph.run.nodes).filter(([each]) => each.startsWith(`${path}:`)).map(([, node]) => node);
  if (!inside.length) return null;
  const state = RANK.find((each) => inside.some((node) => node.state === each));
  const busy = inside.find((node) => node.state === state);
  const finished = inside.filter((node) => node.state === "done" || node.state === "cached").length;
  const images = inside.flatMap((node) => node.images ?? []);
  // Started and not all done: what still waits inside must not look as if nothing had begun.
  const shown = state === "waiting" && finished ? "running" : state;
  return { ...busy, state: shown, images, ...(state === "running" ? {} : { value: finished, max: inside.length }) };
}

// Replaces only what differs, so that one node's progress draws one node.
export function takeRun(graph, run) {
  graph.run.state = run?.state ?? null;
  keep(graph.run.nodes, run?.nodes ?? {});
}

export function keep(target, source) {
  for (const key of Object.keys(target)) if (!(key in source)) delete target[key];
  for (const [key, value] of Object.entries(source)) {
    if (JSON.stringify(target[key]) !== JSON.stringify(value)) target[key] = value;
  }
}
