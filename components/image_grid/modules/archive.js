/** Pictures as ZIP files, which the browser saves by itself. */

const PER_FILE = 1000;

/**
 * Download the pictures with these ids (an async iterable) as one ZIP, or as several when there
 * are more than fit in one request. `onPart` hears the number of each part as it starts.
 */
export async function downloadZip(ids, { onPart = () => {} } = {}) {
  let part = [];
  let number = 0;
  const flush = async () => {
    number += 1;
    onPart(number);
    await fetchPart(part, number);
    part = [];
  };
  for await (const id of ids) {
    part.push(id);
    if (part.length === PER_FILE) await flush();
  }
  if (part.length) await flush();
}

async function fetchPart(ids, number) {
  const response = await fetch("/api/images/download", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ ids }),
  });
  if (!response.ok) {
    const problem = await response.json().catch(() => ({}));
    throw new Error(problem.detail || `HTTP ${response.status}`);
  }
  const named = /filename="?([^";]+)"?/.exec(response.headers.get("Content-Disposition") ?? "");
  save(await response.blob(), named?.[1] ?? `images-${number}.zip`);
}

function save(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
