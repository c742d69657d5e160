// The rows of the queue board: sections, the heads of groups, and the jobs.
import { inQueueOrder, isFinished, newestFirst, state } from "./jobs.js";

const FOLD_FROM = 4;
const byStart = (a, b) => (a.startedAt < b.startedAt ? -1 : 1);

export const isRetryable = (job) => job.status === "failed" || job.status === "cancelled";
export const backendOf = (job) => job.backendId ?? job.backend;

// What a filter lets through: a state, words that are all in the prompt, a backend.
export function matches(job, { status, words, backend }) {
  const prompt = job.prompt.toLowerCase();
  return (
    (status === "all" || job.status === status) &&
    (!backend || backendOf(job) === backend) &&
    words.toLowerCase().split(/\s+/).every((word) => prompt.includes(word))
  );
}

// `hidden` is how many waiting jobs there are beyond those this page was told of.
export function sectionsOf(jobs, { hidden }) {
  const of = (status, order) => jobs.filter((job) => job.status === status).sort(order);
  const waiting = of("queued", inQueueOrder);
  const finished = jobs.filter(isFinished).sort(newestFirst);
  const section = (name, title, jobs, more = {}) => ({ name, title, jobs, count: jobs.length, ...more });
  return [
    section("running", "Running", of("running", byStart)),
    section("waiting", "Waiting", waiting, { count: waiting.length + hidden }),
    section("held", "Held", of("created", inQueueOrder)),
    section("finished", "Finished", finished, { more: state.moreFinished }),
  ].filter((each) => each.jobs.length);
}

// Neighbours of one submission stand together under a head that folds them.
export function rowsOf({ name, jobs }, { folded, groups }) {
  const rows = [];
  const seen = new Map(); // a group split by others keeps its parts apart, whichever jobs they hold
  for (let i = 0; i < jobs.length; ) {
    const { groupId } = jobs[i];
    let end = i + 1;
    while (name !== "running" && groupId && jobs[end]?.groupId === groupId) end += 1;
    const isGroup = end - i > 1;
    const part = isGroup ? (seen.get(groupId) ?? 0) : 0;
    if (isGroup) seen.set(groupId, part + 1);
    const key = `${name}-${groupId}-${part}`;
    const isFolded = isGroup && (folded[`${name}-${groupId}`] ?? end - i > FOLD_FROM);
    if (isGroup) rows.push({ key, section: name, folded: isFolded, group: groups.get(groupId), members: jobs.slice(i, end) });
    if (!isFolded) {
      jobs.slice(i, end).forEach((job, n) =>
        rows.push({ key: job.id, job, position: i + n, last: i + n === jobs.length - 1, reorder: name === "waiting", grouped: isGroup }),
      );
    }
    i = end;
  }
  return rows;
}

// Every submission of several jobs with what its jobs come to, also those that left the list.
export function groupsOf() {
  const groups = new Map();
  const add = (groupId, id, job) => {
    if (!groups.has(groupId)) groups.set(groupId, { id: groupId, members: new Map() });
    groups.get(groupId).members.set(id, job);
  };
  for (const [id, old] of state.past) add(old.groupId, id, old);
  for (const job of state.jobs.values()) if (job.groupId) add(job.groupId, job.id, job);
  for (const group of groups.values()) Object.assign(group, summed([...group.members.values()]));
  return groups;
}

function summed(members) {
  const jobs = members.sort((a, b) => (a.rank < b.rank ? -1 : 1));
  const done = jobs.filter(isFinished).length;
  const part = jobs.filter((job) => job.status === "running").reduce((sum, job) => sum + (job.progress?.fraction ?? 0), 0);
  return { jobs, done, total: jobs.length, percent: Math.floor(((done + part) / jobs.length) * 100), prompt: jobs.at(-1).prompt };
}
