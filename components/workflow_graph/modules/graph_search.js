// Finding nodes by title, class, id or value: those of the level in sight at once, those of others
// as the server names them. Emits `find {text}` (answered by `elsewhere`: `[{path, title, class,
// where, hint}]`), `show` with the full path of a node, and `close`.
import { rank } from "./fuzzy.js";
import { t, tn } from "./say.js";

const SHOWN = 30;
const ASK_MS = 150;

const parent = (path) => path.split(":").slice(0, -1).join(":");

// What of a node the words are in, for a second line: the first value that holds the first word.
function hintOf(node, query) {
  const word = query.trim().toLowerCase().split(/\s+/)[0] ?? "";
  const hit = node.widgets?.find((widget) => word && String(widget.value ?? "").toLowerCase().includes(word));
  return hit ? `${hit.label || hit.name}: ${String(hit.value)}` : "";
}

export const GraphSearch = {
  name: "GraphSearch",
  props: { graph: Object, elsewhere: Array },
  emits: ["find", "show", "close"],
  template: `
    <div class="o-find nodrag nopan nowheel" role="search" :aria-label="t('Find in the workflow')" data-testid="graph-search" @keydown="key" @pointerdown.stop @mousedown.stop @dblclick.stop @wheel.stop>
      <div class="o-wd-find">
        <svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-search" /></svg>
        <input ref="find" type="text" autocomplete="off" spellcheck="false" data-testid="graph-search-text" :placeholder="t('Title, class or value')" :aria-label="t('Find in the workflow')" :value="query" @input="search($event.target.value)" />
        <span v-if="query.trim()" class="o-mut o-num" role="status">{{ count }}</span>
        <button type="button" class="o-icon-btn o-icon-btn-compact" :title="t('Close')" :aria-label="t('Close')" @click="$emit('close')"><svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-x" /></svg></button>
      </div>
      <div v-if="query.trim()" ref="list" class="o-find-rows" role="listbox" :aria-label="t('Found')">
        <div v-for="(row, i) in rows" :key="row.path" class="o-find-row" role="option" :aria-selected="i === n" :data-at="i === n || null" :data-testid="'found-' + row.path" @click="jump(i)">
          <span class="o-trunc">{{ row.title }}</span><span class="o-find-id o-num">#{{ row.path }}</span>
          <span v-if="row.hint || row.where || row.title !== row.class" class="o-find-hint o-trunc">{{ [row.where, row.hint || row.class].filter(Boolean).join(" · ") }}</span>
        </div>
      </div>
    </div>`,
  data: () => ({ query: "", n: 0 }),
  computed: {
    here() {
      const textsOf = (node) => [[node.title || node.name, 4], [node.class, 3], [node.id, 3], [values(node), 1]];
      return rank(this.query, Object.values(this.graph.nodes), textsOf, { limit: SHOWN }).map((node) => ({
        path: node.path ?? node.id,
        title: node.title || node.name,
        class: node.class,
        hint: hintOf(node, this.query),
      }));
    },
    rows() {
      const known = new Set(this.here.map((row) => row.path));
      const others = (this.elsewhere ?? []).filter((row) => !known.has(row.path) && parent(row.path) !== (this.graph.path));
      return this.query.trim() ? [...this.here, ...others].slice(0, SHOWN) : [];
    },
    count() {
      return tn("{n} found", this.rows.length);
    },
  },
  mounted() {
    this.focus();
  },
  beforeUnmount() {
    clearTimeout(this.asking);
  },
  methods: {
    t,
    focus() {
      this.$refs.find.focus({ preventScroll: true });
      this.$refs.find.select();
    },
    search(words) {
      this.query = words;
      this.n = 0;
      clearTimeout(this.asking);
      if (words.trim()) this.asking = setTimeout(() => this.$emit("find", { text: words.trim().slice(0, 200) }), ASK_MS);
    },
    jump(n) {
      this.n = n;
      if (this.rows[n]) this.$emit("show", this.rows[n].path);
    },
    async key(event) {
      event.stopPropagation();
      if (event.isComposing) return;
      const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (by) this.n = (this.n + by + this.rows.length) % Math.max(1, this.rows.length);
      else if (event.key === "Enter") this.jump(this.n);
      else if (event.key === "Escape") this.$emit("close");
      else return;
      event.preventDefault();
      await this.$nextTick();
      this.$refs.list?.children[this.n]?.scrollIntoView({ block: "nearest" });
    },
  },
};

const MAX_TEXT = 2000;
const values = (node) => (node.widgets ?? []).map((widget) => String(widget.value ?? "")).join(" ").slice(0, MAX_TEXT);

export default GraphSearch;
