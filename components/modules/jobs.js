// What this page knows of the jobs, for every component that shows some of it.
// Filled by the job feed: a snapshot when the browser connects, then small batches.
import { reactive } from "vue";

export const state = reactive({
  loaded: false,
  jobs: new Map(),
  queue: { paused: false, queued: 0, running: 0 },
  moreFinished: false,
  recent: null, // the newest pictures, once known
  gone: new Set(), // pictures deleted while this page was open
  past: new Map(), // jobs of groups that left the list as finished, for the groups' sums
  kept: null, // the job a link leads to; stays on the list however old it is
});

const STRIP = 5;
const MAX_FINISHED = 60;

export function snapshot({ jobs, queue, moreFinished }) {
  const fresh = new Map(jobs.map((job) => [job.id, job]));
  state.past.clear();
  for (const id of state.jobs.keys()) if (!fresh.has(id)) drop(id);
  for (const job of jobs) put(job);
  Object.assign(state, { queue, moreFinished, loaded: true });
}

export function apply(batch) {
  for (const [id, job] of Object.entries(batch.jobs ?? {})) {
    if (job.removed) {
      drop(id);
    } else if (job.prompt !== undefined) {
      put(job);
    } else if (state.jobs.has(id)) {
      update(state.jobs.get(id), job);
    }
  }
  if (batch.figures?.queue) state.queue = batch.figures.queue;
  forgetOld();
}

function drop(id) {
  state.past.delete(id);
  const job = state.jobs.get(id);
  if (job) forget(job.steps);
  state.jobs.delete(id);
}

function forgetOld() {
  const finished = [...state.jobs.values()].filter((job) => isFinished(job) && job.id !== state.kept);
  if (finished.length <= MAX_FINISHED) return;
  state.moreFinished = true;
  for (const job of finished.sort(newestFirst).slice(MAX_FINISHED)) {
    state.jobs.delete(job.id);
    if (job.groupId) state.past.set(job.id, { id: job.id, groupId: job.groupId, rank: job.rank, status: job.status, prompt: job.prompt });
  }
}

function put(job) {
  const known = state.jobs.get(job.id);
  if (known) return update(known, job);
  state.jobs.set(job.id, { steps: [], frame: null, heardAt: 0, ...job });
  hear(state.jobs.get(job.id), job);
}

function update(known, patch) {
  hear(Object.assign(known, patch), patch);
}

// Notes when an estimate came in, so that the clock can count it down, and fetches new previews.
function hear(job, patch) {
  if (patch.progress) job.heardAt = Date.now();
  if (job.status === "running") loadFrames(job);
  else if (job.steps.length) forgetFrames(job);
}

const loading = new Set();

// Fetches previews one after the other; those that come meanwhile are passed over for the newest.
async function loadFrames(job) {
  if (loading.has(job.id)) return;
  loading.add(job.id);
  while (job.status === "running" && job.previewRev > (job.frame?.rev ?? 0)) {
    if (!(await loadFrame(job, { rev: job.previewRev, step: job.progress?.step ?? 0 }))) break;
  }
  loading.delete(job.id);
}

async function loadFrame(job, { rev, step }) {
  try {
    const answer = await fetch(`/api/jobs/${job.id}/preview?rev=${rev}`);
    const picture = await answer.blob();
    if (answer.status !== 200 || job.status !== "running") return false;
    job.frame = { rev, step, url: URL.createObjectURL(picture) };
  } catch {
    return false;
  }
  const kept = spread([...job.steps, job.frame], job.progress?.steps ?? 0);
  forget(job.steps.filter((entry) => !kept.some((other) => other.rev === entry.rev)));
  job.steps = kept;
  return true;
}

function forgetFrames(job) {
  forget(job.steps);
  job.steps = [];
  job.frame = null;
}

// A little later, because a fade may still show it.
function forget(entries) {
  for (const { url } of entries) setTimeout(() => URL.revokeObjectURL(url), 3000);
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
