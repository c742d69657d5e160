// Bringing in workflows: files that are dropped, pasted or chosen, and what others keep. A file that
// nothing else takes is taken wherever it is dropped: left alone, it would replace the page.
// Who has a use for pictures that hold no workflow brings a method `takePicture(file, [x, y] or null)`.
const LIMIT_MS = 60000;
const MAX_BYTES = 50 * 2 ** 20;
const REFUSED = 422;

export const importing = {
  data: () => ({ busy: false }),
  mounted() {
    addEventListener("paste", this.paste);
    addEventListener("dragover", this.allow);
    addEventListener("drop", this.drop);
  },
  unmounted() {
    removeEventListener("paste", this.paste);
    removeEventListener("dragover", this.allow);
    removeEventListener("drop", this.drop);
  },
  methods: {
    allow(event) {
      if (event.dataTransfer?.types.includes("Files")) event.preventDefault();
    },
    drop(event) {
      this.dragging = false;
      const [file] = event.dataTransfer?.files ?? [];
      if (!file || event.defaultPrevented) return;
      event.preventDefault();
      this.bringFile(file, [event.clientX, event.clientY]);
    },
    choose(event) {
      const [file] = event.target.files;
      event.target.value = "";
      if (file) this.bringFile(file);
    },
    paste(event) {
      if (event.defaultPrevented || event.target.closest?.("input, textarea, select, dialog")) return;
      const [file] = event.clipboardData.files;
      const text = event.clipboardData.getData("text/plain").trim();
      if (file) this.bringFile(file);
      else if (this.takesText(text)) this.bring({ name: this.t("Pasted workflow") }, new Blob([text]));
    },
    takesText: (text) => text !== "",
    bringFile(file, point = null) {
      if (file.size > MAX_BYTES) return this.$emit("failed", this.t("The file is larger than 50 MB."));
      return this.bring({ name: file.name }, file, point);
    },
    async bring(query, body = null, point = null) {
      if (this.busy) return;
      this.busy = true;
      try {
        const address = `/api/workflows/import?${new URLSearchParams(query)}`;
        const headers = { "content-type": "application/octet-stream" };
        const answer = await fetch(address, { method: "POST", body, headers, signal: AbortSignal.timeout(LIMIT_MS) });
        const made = await answer.json();
        if (answer.ok) this.$emit("open", { id: made.id, name: made.name, report: made.report?.length ?? 0 });
        else if (answer.status === REFUSED && body?.type.startsWith("image/") && this.takePicture) await this.takePicture(body, point);
        else this.$emit("failed", [made.detail, made.fix].filter(Boolean).join(" "));
      } catch {
        this.$emit("failed", this.t("The server did not answer. Is it still running?"));
      } finally {
        this.busy = false;
      }
    },
  },
};
