// Bringing in workflows: files that are dropped, pasted or chosen, and what others keep.
const LIMIT_MS = 60000;
const MAX_BYTES = 50 * 2 ** 20;

export const importing = {
  data: () => ({ busy: false }),
  mounted() {
    addEventListener("paste", this.paste);
  },
  unmounted() {
    removeEventListener("paste", this.paste);
  },
  methods: {
    drop(event) {
      this.dragging = false;
      const [file] = event.dataTransfer.files;
      if (file) this.bringFile(file);
    },
    choose(event) {
      const [file] = event.target.files;
      event.target.value = "";
      if (file) this.bringFile(file);
    },
    paste(event) {
      if (event.target.closest?.("input, textarea, select, dialog")) return;
      const [file] = event.clipboardData.files;
      const text = event.clipboardData.getData("text/plain").trim();
      if (file) this.bringFile(file);
      else if (text) this.bring({ name: this.t("Pasted workflow") }, new Blob([text]));
    },
    bringFile(file) {
      if (file.size > MAX_BYTES) return this.$emit("failed", this.t("The file is larger than 50 MB."));
      return this.bring({ name: file.name }, file);
    },
    async bring(query, body = null) {
      if (this.busy) return;
      this.busy = true;
      try {
        const address = `/api/workflows/import?${new URLSearchParams(query)}`;
        const headers = { "content-type": "application/octet-stream" };
        const answer = await fetch(address, { method: "POST", body, headers, signal: AbortSignal.timeout(LIMIT_MS) });
        const made = await answer.json();
        if (answer.ok) this.$emit("open", { id: made.id, report: made.report?.length ?? 0 });
        else this.$emit("failed", [made.detail, made.fix].filter(Boolean).join(" "));
      } catch {
        this.$emit("failed", this.t("The server did not answer. Is it still running?"));
      } finally {
        this.busy = false;
      }
    },
  },
};
