// What others keep: the official templates, or the workflows on a backend.
const LIMIT_MS = 30000;
const SHOWN = 60;

export const Templates = {
  props: { t: Function, tn: Function, backends: Array, busy: Boolean },
  emits: ["back", "bring", "failed"],
  template: `
    <div class="o-lib-in" data-testid="templates">
      <div class="o-lib-head">
        <button type="button" class="o-icon-btn" data-testid="templates-back" :title="t('All workflows')" :aria-label="t('All workflows')" @click="$emit('back')"><svg class="o-i" aria-hidden="true"><use href="#o-i-cl" /></svg></button>
        <h1 class="o-h1">{{ backends ? t("From a backend") : t("Templates") }}</h1>
        <label class="o-lib-search"><svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-search" /></svg><input ref="search" v-model="words" type="search" :placeholder="t('Search')" :aria-label="t('Search')" data-testid="templates-search" @keydown.stop /></label>
        <select v-if="backends" v-model="backend" class="o-wp-input o-lib-sort" :aria-label="t('Backend')" data-testid="userdata-backend" @change="load"><option v-for="each in backends" :key="each.id" :value="each.id">{{ each.name }}</option></select>
        <select v-else v-model="category" class="o-wp-input o-lib-sort" :aria-label="t('Category')" data-testid="templates-category"><option value="">{{ t("All categories") }}</option><option v-for="each in categories" :key="each" :value="each">{{ each }}</option></select>
      </div>
      <div v-if="loading" class="o-lib-cards" aria-hidden="true"><i v-for="n in 6" :key="n" class="o-skeleton o-lib-wait"></i></div>
      <p v-else-if="!found.length" class="o-sec o-lib-none">{{ backends ? t("No workflow is kept there.") : t("No template matches.") }}</p>
      <ul v-else class="o-lib-cards">
        <li v-for="each in found.slice(0, limit)" :key="each.key"><button type="button" class="o-lib-card" :disabled="busy" :data-testid="'template-' + each.key" @click="choose(each)">
          <span class="o-lib-text"><span class="o-row"><b class="o-lib-title o-grow" :title="each.title" dir="auto">{{ each.title }}</b><span v-if="each.paid" class="o-badge" data-st="cancelled">{{ t("paid") }}</span></span><span class="o-sec o-lib-about" dir="auto">{{ each.about }}</span><span class="o-mut o-trunc" dir="auto">{{ each.needs }}</span></span></button></li>
      </ul>
      <dialog ref="needs" class="o-bb-dialog" data-testid="template-dialog" :aria-label="chosen?.title" @keydown.stop>
        <form v-if="chosen" method="dialog" @submit.prevent="use">
          <h2 class="o-h1" dir="auto">{{ chosen.title }}</h2><p class="o-sec" dir="auto">{{ chosen.about }}</p><p v-if="chosen.needs" class="o-mut">{{ chosen.needs }}</p>
          <div v-if="needs" class="o-lib-needs" data-testid="template-needs">
            <p v-if="needs.missingClasses.length" class="o-lib-lacks"><svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-alert" /></svg><span>{{ t("No known backend has: {names}", { names: needs.missingClasses.join(", ") }) }}</span></p>
            <p v-else class="o-lib-has"><svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-done" /></svg><span>{{ t("Every node class is known.") }}</span></p>
            <ul><li v-for="file in needs.models" :key="file.folder + file.name"><span class="o-mono o-wrap" dir="auto">{{ file.folder }}/{{ file.name }}</span> <a v-if="isWeb(file.url)" :href="file.url" target="_blank" rel="noopener noreferrer">{{ t("Download") }}</a></li></ul>
          </div>
          <div v-else class="o-skeleton o-lib-needs-wait" aria-hidden="true"></div>
          <div class="o-row o-dialog-acts"><button type="button" class="o-btn o-btn-quiet" @click="$refs.needs.close()">{{ t("Cancel") }}</button><button type="submit" class="o-btn o-btn-primary" data-testid="template-use" :disabled="busy">{{ t("Open in the builder") }}</button></div>
        </form>
      </dialog>
      <p v-if="found.length > limit" class="o-lib-none"><button type="button" class="o-btn" data-testid="templates-more" @click="limit += 60">{{ tn("{n} more", found.length - limit) }}</button></p>
    </div>`,
  data() {
    return { all: [], words: "", category: "", backend: this.backends?.[0]?.id ?? "", loading: true, limit: SHOWN, chosen: null, needs: null };
  },
  created() {
    this.load();
  },
  mounted() {
    // On a touch screen the keyboard would cover what is to be looked at.
    if (!matchMedia("(pointer: coarse)").matches) this.$refs.search.focus();
  },
  computed: {
    categories() {
      return [...new Set(this.all.map((each) => each.category).filter(Boolean))];
    },
    found() {
      const words = this.words.toLowerCase().split(/\s+/).filter(Boolean);
      return this.all.filter((each) => (!this.category || each.category === this.category) && words.every((word) => each.searched.includes(word)));
    },
  },
  watch: {
    words() {
      this.limit = SHOWN;
    },
  },
  methods: {
    async load() {
      Object.assign(this, { loading: true, all: [] });
      try {
        const address = this.backends ? `/api/backends/${encodeURIComponent(this.backend)}/workflows` : "/api/templates";
        const answer = await fetch(address, { signal: AbortSignal.timeout(LIMIT_MS) });
        const body = await answer.json();
        if (!answer.ok) return this.$emit("failed", [body.detail, body.fix].filter(Boolean).join(" "));
        this.all = this.backends ? body.workflows.map((path) => this.ofBackend(path)) : body.templates.map((each) => this.ofTemplate(each));
      } catch {
        this.$emit("failed", this.t("The server did not answer. Is it still running?"));
      } finally {
        this.loading = false;
      }
    },
    async choose(each) {
      if (this.backends) return this.$emit("bring", each.query);
      Object.assign(this, { chosen: each, needs: null });
      this.$refs.needs.showModal();
      try {
        const answer = await fetch(`/api/templates/${encodeURIComponent(each.key)}`, { signal: AbortSignal.timeout(LIMIT_MS) });
        const body = await answer.json();
        if (answer.ok && this.chosen === each) this.needs = body;
      } catch {
        this.needs = null; // it can be opened all the same: what it needs is said there, too
      }
    },
    use() {
      this.$refs.needs.close();
      this.$emit("bring", this.chosen.query);
    },
    isWeb(url) {
      return /^https?:\/\//.test(url);
    },
    ofBackend(path) {
      const title = path.replace(/\.json$/, "");
      return { key: path, title, about: "", needs: "", category: "", searched: title.toLowerCase(), query: { userdata: path, backend: this.backend } };
    },
    ofTemplate(each) {
      const needs = [each.size ? this.t("{n} GB of models", { n: (each.size / 1e9).toFixed(1) }) : "", each.minVersion ? `ComfyUI ${each.minVersion}` : ""].filter(Boolean).join(" · ");
      const searched = `${each.title} ${each.name} ${each.description} ${(each.tags || []).join(" ")} ${(each.models || []).join(" ")}`.toLowerCase();
      return { key: each.name, title: each.title, about: each.description, needs, category: each.category, searched, paid: each.paid, query: { template: each.name } };
    },
  },
};
