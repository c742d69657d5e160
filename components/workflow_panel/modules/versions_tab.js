// The versions that were saved, what differs between two, and the workflow as a file.
const ICONS = { added: "plus", removed: "minus", changed: "sliders", moved: "grip", layout: "grip" };

export const VersionsTab = {
  props: { versions: Array, comparison: Object, dirty: Boolean, workflow: String, t: Function, tn: Function, locked: Boolean },
  emits: ["compare", "restore", "show"],
  template: `
    <div class="o-wp-versions" data-testid="versions">
      <p v-if="!versions.length" class="o-sec">{{ t("Nothing is saved yet. Each Save makes a version that never changes.") }}</p>
      <ol v-else>
        <li v-for="each in versions" :key="each.number" :data-testid="'version-' + each.number">
          <div class="o-row"><b class="o-num">{{ t("version {n}", { n: each.number }) }}</b><span class="o-mut o-trunc o-grow" dir="auto">{{ each.author }}</span><time class="o-mut" :datetime="each.at" :title="when(each.at)">{{ when(each.at) }}</time></div>
          <p v-if="each.note" dir="auto">{{ each.note }}</p>
          <div class="o-row">
            <button type="button" class="o-link" :data-testid="'version-compare-' + each.number" @click="compare(each.number)">{{ t("Compare with now") }}</button>
            <button v-if="each.number !== versions[0].number || dirty" type="button" class="o-link" :disabled="locked" :data-testid="'version-restore-' + each.number" @click="$emit('restore', each.number)">{{ t("Restore") }}</button>
          </div>
        </li>
      </ol>
      <template v-if="versions.length">
        <h3>{{ t("Compare") }}</h3>
        <div class="o-wp-two">
          <select v-model="old" class="o-wp-input" :aria-label="t('From')" data-testid="compare-old" @change="ask"><option v-for="each in versions" :key="each.number" :value="each.number">{{ t("version {n}", { n: each.number }) }}</option></select>
          <select v-model="now" class="o-wp-input" :aria-label="t('To')" data-testid="compare-new" @change="ask"><option :value="0">{{ t("as it is now") }}</option><option v-for="each in versions" :key="each.number" :value="each.number">{{ t("version {n}", { n: each.number }) }}</option></select>
        </div>
        <div v-if="comparison" data-testid="comparison" class="o-wp-diff">
          <p v-if="!comparison.changes.length" class="o-sec">{{ t("Nothing differs.") }}</p>
          <ul v-else><li v-for="(each, i) in comparison.changes" :key="i" :data-kind="each.kind"><svg class="o-i o-i-xs" aria-hidden="true"><use :href="'#o-i-' + icon(each)" /></svg><button v-if="each.node" type="button" class="o-wp-jump" dir="auto" @click="$emit('show', each.node)">{{ each.text }}</button><span v-else dir="auto">{{ each.text }}</span></li></ul>
          <button type="button" class="o-btn o-btn-compact" data-testid="compare-end" @click="$emit('compare', null)">{{ t("End comparison") }}</button>
        </div>
      </template>
      <h3>{{ t("Download") }}</h3>
      <div class="o-wp-files">
        <select v-if="versions.length" v-model="picked" class="o-wp-input" :aria-label="t('What the file holds')" data-testid="export-what"><option v-if="dirty" :value="0">{{ t("as it is now, not saved") }}</option><option v-for="each in versions" :key="each.number" :value="each.number">{{ t("version {n}", { n: each.number }) }}</option></select>
        <button v-for="[format, name, hint] in formats" :key="format" type="button" class="o-btn o-btn-compact" :data-testid="'export-' + format" :title="hint" :disabled="busy" @click="download(format)"><svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-down" /></svg>{{ name }}</button>
      </div>
      <p v-if="failed" class="o-error" role="alert">{{ failed }}</p>
    </div>`,
  data: () => ({ old: null, now: 0, wanted: null, busy: false, failed: "" }),
  computed: {
    // The version that files hold; 0 is what is drawn, which people mean unless they choose another.
    picked: {
      get() {
        if (this.versions.some((each) => each.number === this.wanted)) return this.wanted;
        return this.dirty ? 0 : (this.versions[0]?.number ?? 0);
      },
      set(number) {
        this.wanted = number;
      },
    },
    formats() {
      return [["ui", this.t("ComfyUI file"), this.t("Opens in ComfyUI with every node at its place")], ["api", this.t("API JSON"), this.t("What is sent to a server")], ["png", "PNG", this.t("A picture with the workflow in it")]];
    },
  },
  watch: {
    versions: {
      immediate: true,
      handler(now) {
        if (!now.some((each) => each.number === this.old)) this.old = this.comparison?.old ?? now[0]?.number ?? null;
      },
    },
    comparison: {
      immediate: true,
      handler(found) {
        if (found) Object.assign(this, { old: found.old, now: found.new });
      },
    },
  },
  methods: {
    icon(each) {
      return ICONS[each.kind] || "sliders";
    },
    when(at) {
      return new Date(at).toLocaleString(document.documentElement.lang || "en", { dateStyle: "medium", timeStyle: "short" });
    },
    compare(number) {
      Object.assign(this, { old: number, now: 0 });
      this.ask();
    },
    ask() {
      this.$emit("compare", { old: this.old, new: this.now });
    },
    async download(format) {
      Object.assign(this, { busy: true, failed: "" });
      try {
        const what = this.picked ? `version=${this.picked}` : "draft=true";
        const answer = await fetch(`/api/workflows/${this.workflow}/export?format=${format}&${what}`, { method: "POST", signal: AbortSignal.timeout(60000) });
        if (!answer.ok) throw new Error((await answer.json()).detail);
        const name = /filename\*?=(?:UTF-8'')?"?([^";]+)/.exec(answer.headers.get("content-disposition") || "")?.[1];
        const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(await answer.blob()), download: decodeURIComponent(name || `workflow.${format === "png" ? "png" : "json"}`) });
        link.click();
        setTimeout(() => URL.revokeObjectURL(link.href), 10000);
      } catch (error) {
        this.failed = error.message || this.t("The server did not answer. Is it still running?");
      } finally {
        this.busy = false;
      }
    },
  },
};
