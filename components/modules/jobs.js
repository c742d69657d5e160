// What this page knows of the jobs, for every component that shows some of it.
// Filled by the job feed: a snapshot when the browser connects, then small batches.
import { reactive } from "vue";

export const state = reactive({
  loaded: false,
  jobs: new Map(),
  queue: { paused: false, queued: 0, running: 0 },
  moreFinished: false,
});

const STRIP = 5;
const MAX_FINISHED = 60;

export function snapshot({ jobs, queue, moreFinished }) {
  const fresh = new Map(jobs.map((job) => [job.id, job]));
  for (const id of state.jobs.keys()) if (!fresh.has(id)) state.jobs.delete(id);
  for (const job of jobs) put(job);
  Object.assign(state, { queue, moreFinished, loaded: true });
}

export function apply(batch) {
  for (const [id, job] of Object.entries(batch.jobs ?? {})) {
    if (job.removed) {
      state.jobs.delete(id);
    } else if (job.prompt !== undefined) {
      put(job);
    } else if (state.jobs.has(id)) {
      update(state.jobs.get(id), job);
    }
  }
  if (batch.figures?.queue) state.queue = batch.figures.queue;
  forgetOld();
}

function forgetOld() {
  const finished = [...state.jobs.values()].filter(isFinished);
  if (finished.length <= MAX_FINISHED) return;
  state.moreFinished = true;
  for (const job of finished.sort(newestFirst).slice(MAX_FINISHED)) state.jobs.delete(job.id);
}

function put(job) {
  const known = state.jobs.get(job.id);
  if (known) update(known, job);
  else state.jobs.set(job.id, remember({ steps: [], ...job }, job));
}

function update(known, patch) {
  if (patch.status !== undefined && patch.status !== "running") known.steps = [];
  remember(Object.assign(known, patch), patch);
}

// Notes when an estimate came in, so that the clock can count it down, and which previews there were.
function remember(job, patch) {
  if (patch.progress) job.heardAt = Date.now();
  if (job.status !== "running") return job;
  const revs = patch.previewRevs?.length ? patch.previewRevs.map((rev, i) => ({ rev, step: patch.previewSteps[i] })) : [];
  if (!revs.length && patch.previewRev) revs.push({ rev: patch.previewRev, step: job.progress?.step ?? 0 });
  for (const entry of revs) if (!job.steps.some((known) => known.rev >= entry.rev)) job.steps.push(entry);
  job.steps = spread(job.steps, job.progress?.steps ?? 0);
  return job;
}

// At most five, evenly over what was drawn so far, always with the newest.
function spread(steps, total) {
  if (steps.length < 2) return steps;
  const gap = Math.max(1, Math.ceil((total || steps.at(-1).step) / STRIP));
  const kept = [];
  for (const entry of steps.slice(0, -1)) {
    if (!kept.length || entry.step - kept.at(-1).step >= gap) kept.push(entry);
  }
  return [...kept, steps.at(-1)].slice(-STRIP);
}

export const isWaiting = (job) => job.status === "queued";
export const isFinished = (job) => ["done", "failed", "cancelled"].includes(job.status);

export function inQueueOrder(a, b) {
  return b.priority - a.priority || (a.rank < b.rank ? -1 : a.rank > b.rank ? 1 : 0);
}

export function newestFirst(a, b) {
  return (b.finishedAt ?? "") < (a.finishedAt ?? "") ? -1 : 1;
}

export function secondsLeft(job, now) {
  const eta = job.progress?.etaSeconds;
  return eta === null || eta === undefined ? null : Math.max(0, eta - (now - job.heardAt) / 1000);
}

export const previewUrl = (job, rev = job.previewRev) => `/api/jobs/${job.id}/preview?rev=${rev}`;
