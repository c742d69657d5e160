/** Pictures as ZIP files, which the browser streams to disk by itself. */

const PER_FILE = 10_000; // what the server takes at once

/**
 * Download the pictures with these ids (an async iterable) as one ZIP, or as several when there
 * are more than fit in one request. `onPart` hears the number of each part as it starts.
 */
export async function downloadZip(ids, { onPart = () => {}, onError = () => {} } = {}) {
  let part = [];
  let number = 0;
  const flush = () => {
    number += 1;
    onPart(number);
    post(part, onError);
    part = [];
  };
  for await (const id of ids) {
    part.push(id);
    if (part.length === PER_FILE) flush();
  }
  if (part.length) flush();
}

/** A form, not fetch: its answer goes straight to disk instead of through this page's memory. */
function post(ids, onError) {
  const frame = document.createElement("iframe");
  frame.hidden = true;
  frame.name = `archive-${Date.now()}-${Math.random()}`;
  const form = document.createElement("form");
  Object.assign(form, { method: "post", action: "/api/images/archive", target: frame.name, hidden: true });
  const field = document.createElement("input");
  Object.assign(field, { type: "hidden", name: "ids", value: ids.join(",") });
  form.append(field);
  document.body.append(frame, form);
  form.submit();
  form.remove();
  // A download loads nothing into the frame; what does load is an answer that is none.
  frame.addEventListener("load", () => {
    frame.remove();
    onError();
  });
}
