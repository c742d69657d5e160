import { importing } from "orchestrator-library/importing.js";
import { speaker } from "orchestrator/i18n.js";
import { Templates } from "orchestrator-library/templates.js";

const SORTS = ["changed", "name", "version"];

// The workflows that are kept, and every way to bring in another.
export default {
  components: { Templates },
  mixins: [importing],
  props: { texts: Object, backends: Array, featured: Array },
  emits: ["open", "blank", "duplicate", "tag", "remove", "failed"],
  template: `
    <div class="o-lib" data-testid="workflow-library" :class="{ 'o-lib-drop': dragging }" @dragover.prevent="dragging = true" @dragleave.self="dragging = false">
      <div v-if="view === 'own'" class="o-lib-in">
        <template v-if="!state.loaded"><div class="o-lib-cards" aria-hidden="true"><i v-for="n in 6" :key="n" class="o-skeleton o-lib-wait"></i></div></template>
        <div v-else-if="!state.cards.length" class="o-empty o-lib-empty" data-testid="builder-empty">
          <svg class="o-lib-art" viewBox="0 0 250 84" aria-hidden="true"><g fill="none" stroke="var(--line-3)"><rect x="1" y="2" width="78" height="38" rx="6" fill="var(--bg-2)" /><rect x="1" y="50" width="78" height="27" rx="6" stroke-dasharray="4 4" /></g><path d="M79 22c32 0 26 29 58 29" fill="none" stroke="var(--t-MODEL)" stroke-width="2" /><path d="M79 64c26 0 30 6 58 6" fill="none" stroke="var(--t-LATENT)" stroke-width="2" stroke-dasharray="4 4" /><path d="M215 44h34" stroke="var(--accent)" stroke-width="2" stroke-dasharray="4 4" /><rect x="137" y="22" width="78" height="59" rx="6" fill="var(--bg-2)" stroke="var(--accent)" /><path d="M147 36h33" stroke="var(--accent)" stroke-width="4" stroke-linecap="round" /><path d="M186 36h20M11 13h44M11 27h52" stroke="var(--line-3)" stroke-width="3" stroke-linecap="round" /><circle cx="79" cy="22" r="5" fill="var(--t-MODEL)" /><circle cx="137" cy="51" r="5" fill="var(--t-MODEL)" /><circle cx="79" cy="64" r="5" fill="var(--t-LATENT)" /><circle cx="215" cy="44" r="5" fill="var(--accent)" /></svg>
          <h1 class="o-h1">{{ t("No workflows yet") }}</h1>
          <p>{{ t("A workflow is a graph of nodes that ends in a picture. Start from one that works, or bring your own.") }}</p>
          <div class="o-acts">
            <button v-if="featured[0]" type="button" class="o-btn o-btn-primary" data-testid="start-template" :disabled="busy" @click="bring({ template: featured[0].name })"><svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-nodes" /></svg>{{ t("Start from {name}", { name: featured[0].title }) }}</button>
            <button type="button" class="o-btn" data-testid="library-import" :disabled="busy" @click="$refs.file.click()"><svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-up" /></svg>{{ t("Import JSON or PNG") }}</button>
            <button type="button" class="o-btn o-btn-quiet o-lib-new" data-testid="library-new" :disabled="busy" @click="$emit('blank')"><svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-plus" /></svg>{{ t("Blank graph") }}</button>
          </div>
          <div class="o-lib-cards o-lib-featured">
            <button v-for="each in featured" :key="each.name" type="button" class="o-lib-card" :data-testid="'template-' + each.name" :disabled="busy" @click="bring({ template: each.name })"><span class="o-lib-text"><b dir="auto">{{ each.title }}</b><span class="o-sec o-lib-about" dir="auto">{{ each.about }}</span></span></button>
          </div>
          <p><button type="button" class="o-link" data-testid="all-templates" @click="view = 'templates'">{{ t("All templates") }}</button><template v-if="backends.length"> · <button type="button" class="o-link" data-testid="from-backend" @click="view = 'backend'">{{ t("From a backend") }}</button></template></p>
          <p class="o-hint">{{ t("You can also drop a picture made by ComfyUI here: its workflow is inside the PNG.") }}</p>
        </div>
        <template v-else>
          <div class="o-lib-head">
            <h1 class="o-h1">{{ t("Workflows") }}</h1>
            <label class="o-lib-search"><svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-search" /></svg><input v-model="words" type="search" :placeholder="t('Name or tag')" :aria-label="t('Search the workflows')" data-testid="library-search" @keydown.stop /></label>
            <select v-model="sort" class="o-wp-input o-lib-sort" :aria-label="t('Order')" data-testid="library-sort"><option v-for="each in sorts" :key="each" :value="each">{{ sortName(each) }}</option></select>
            <span class="o-grow"></span>
            <button type="button" class="o-btn o-btn-quiet" data-testid="all-templates" @click="view = 'templates'">{{ t("Templates") }}</button>
            <button v-if="backends.length" type="button" class="o-btn o-btn-quiet" data-testid="from-backend" @click="view = 'backend'">{{ t("From a backend") }}</button>
            <button type="button" class="o-btn" data-testid="library-import" :disabled="busy" @click="$refs.file.click()"><svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-up" /></svg>{{ t("Import") }}</button>
            <button type="button" class="o-btn o-btn-primary o-lib-new" data-testid="library-new" :disabled="busy" @click="$emit('blank')"><svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-plus" /></svg>{{ t("New") }}</button>
          </div>
          <div v-if="tags.length" class="o-lib-tags" role="group" :aria-label="t('Tags')"><button v-for="tag in tags" :key="tag" type="button" class="o-chip" :class="{ 'o-chip-on': picked.has(tag) }" :aria-pressed="picked.has(tag)" @click="toggle(tag)"><span dir="auto">{{ tag }}</span></button></div>
          <ul class="o-lib-cards">
            <li v-for="each in shown" :key="each.id" class="o-lib-card" :data-testid="'workflow-' + each.id">
              <a :href="'/builder/' + each.id" class="o-lib-open" :aria-label="each.hasDraft ? each.name + ', ' + t('unsaved') : each.name"><span v-if="each.hasDraft" class="o-badge o-lib-draft" data-st="cancelled">{{ t("unsaved") }}</span><img v-if="each.thumb" :src="each.thumb" alt="" loading="lazy" /><svg v-else class="o-i" aria-hidden="true"><use href="#o-i-nodes" /></svg></a>
              <div class="o-lib-text">
                <div class="o-row"><a :href="'/builder/' + each.id" class="o-lib-name o-trunc" :title="each.name" dir="auto">{{ each.name }}</a><span class="o-mut o-num o-grow">{{ each.version ? "v" + each.version : "" }}</span></div>
                <p class="o-sec o-lib-state" :title="each.runs.text" dir="auto"><i class="o-dot" :class="each.runs.ok ? 'o-lib-on' : 'o-lib-off'"></i> {{ each.runs.text }}</p>
                <div class="o-row o-lib-foot"><span class="o-trunc o-mut o-grow" dir="auto">{{ each.tags.join(" · ") }}</span>
                  <button type="button" class="o-icon-btn o-icon-btn-compact" :title="t('Tags')" :aria-label="t('Tags of {name}', { name: each.name })" data-testid="workflow-tags" @click="editTags(each)"><svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-tag" /></svg></button>
                  <button type="button" class="o-icon-btn o-icon-btn-compact" :title="t('Duplicate')" :aria-label="t('Duplicate {name}', { name: each.name })" data-testid="workflow-duplicate" @click="$emit('duplicate', each.id)"><svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-copy" /></svg></button>
                  <button type="button" class="o-icon-btn o-icon-btn-compact" :title="t('Delete')" :aria-label="t('Delete {name}', { name: each.name })" data-testid="workflow-delete" @click="$emit('remove', each.id)"><svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-trash" /></svg></button>
                </div>
              </div>
            </li>
          </ul>
          <div v-if="!shown.length" class="o-empty"><p>{{ t("No workflow matches.") }}</p><div class="o-acts"><button type="button" class="o-btn" @click="showAll">{{ t("Show all") }}</button></div></div>
        </template>
      </div>
      <Templates v-else :t="t" :tn="tn" :backends="view === 'backend' ? backends : null" :busy="busy" @back="view = 'own'" @bring="bring" @failed="$emit('failed', $event)" />
      <input ref="file" type="file" accept=".json,.png,.webp,.jpg,.jpeg,.txt,application/json,image/*" hidden data-testid="library-file" @change="choose" />
      <div v-if="busy" class="o-lib-busy" role="status"><svg class="o-i o-spin" aria-hidden="true"><use href="#o-i-run" /></svg>{{ t("Reading the workflow…") }}</div>
      <dialog ref="tagging" class="o-bb-dialog" :aria-label="t('Tags')" @keydown.stop>
        <form method="dialog" @submit.prevent="saveTags"><h2 class="o-h1">{{ t("Tags of {name}", { name: tagged.name }) }}</h2>
          <label class="o-field"><span class="o-label">{{ t("Tags, with commas between them") }}</span><input v-model="tagged.text" class="o-wp-input" maxlength="500" dir="auto" data-testid="tags-input" /></label>
          <div class="o-row o-dialog-acts"><button type="button" class="o-btn o-btn-quiet" @click="$refs.tagging.close()">{{ t("Cancel") }}</button><button type="submit" class="o-btn o-btn-primary" data-testid="tags-save">{{ t("Save") }}</button></div></form>
      </dialog>
    </div>`,
  data: () => ({ state: { loaded: false, cards: [] }, view: "own", words: "", sort: "changed", picked: new Set(), tagged: { id: "", name: "", text: "" }, dragging: false }),
  created() {
    Object.assign(this, speaker(this.texts));
  },
  computed: {
    sorts: () => SORTS,
    tags() {
      return [...new Set(this.state.cards.flatMap((each) => each.tags))].sort((a, b) => a.localeCompare(b));
    },
    shown() {
      const words = this.words.toLocaleLowerCase().split(/\s+/).filter(Boolean);
      const fits = (each) => words.every((word) => `${each.name} ${each.description} ${each.tags.join(" ")}`.toLocaleLowerCase().includes(word));
      const cards = this.state.cards.filter((each) => fits(each) && [...this.picked].every((tag) => each.tags.includes(tag)));
      if (this.sort === "name") cards.sort((a, b) => a.name.localeCompare(b.name));
      if (this.sort === "version") cards.sort((a, b) => b.version - a.version);
      return cards;
    },
  },
  methods: {
    apply(part) {
      Object.assign(this.state, part);
    },
    sortName(sort) {
      return { changed: this.t("Changed last"), name: this.t("Name"), version: this.t("Most versions") }[sort];
    },
    toggle(tag) {
      if (!this.picked.delete(tag)) this.picked.add(tag);
    },
    showAll() {
      Object.assign(this, { words: "", picked: new Set() });
    },
    editTags(each) {
      this.tagged = { id: each.id, name: each.name, text: each.tags.join(", ") };
      this.$refs.tagging.showModal();
    },
    saveTags() {
      const tags = this.tagged.text.split(",").map((tag) => tag.trim()).filter(Boolean);
      this.$emit("tag", { id: this.tagged.id, tags });
      this.$refs.tagging.close();
    },
  },
};
