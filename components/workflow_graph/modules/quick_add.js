// A list of node classes where the pointer is: on Tab, on a double click, and where a link was let
// go, then only what the link fits. Emits `add {class, pos, from, to}` and `close`.
//
// `at` is where, in pixels of the canvas element, `pos` on the canvas itself; a link that was let go
// came `from` an output or is to go `to` an input, of that `type`.
import { find, fitting, firstClasses, index, allClasses, recentClasses, refresh, remember } from "./node_index.js";
import { NodeRow, describe } from "./node_row.js";
import { typeColor, typeName } from "./port_types.js";
import { t } from "./say.js";

const WIDTH = 300;
const HEIGHT = 340;
const SHOWN = 40;

export const QuickAdd = {
  name: "QuickAdd",
  components: { NodeRow },
  props: { at: [Object, Array], pos: [Object, Array], from: Array, to: Array, type: String },
  emits: ["add", "close"],
  template: `
    <div ref="box" class="o-quick nodrag nopan nowheel" role="dialog" :aria-label="t('Add a node')" data-testid="quick-add" :style="place" @keydown="key" @focusout="leave" @pointerdown.stop @mousedown.stop @dblclick.stop @wheel.stop>
      <div class="o-wd-find">
        <svg class="o-i o-i-s" aria-hidden="true"><use href="#o-i-search" /></svg>
        <input ref="find" type="text" role="combobox" aria-expanded="true" aria-controls="o-quick-rows" autocomplete="off" spellcheck="false" data-testid="quick-add-search" :placeholder="t('Find a node')" :aria-label="t('Find a node')"
               :aria-activedescendant="rows.length ? 'o-quick-' + n : undefined" :value="query" @input="search($event.target.value)" />
        <span v-if="isLink" class="o-quick-type"><i :style="{ background: color }"></i>{{ name }}</span>
      </div>
      <div ref="list" id="o-quick-rows" class="o-quick-rows" tabindex="-1" role="listbox" :aria-label="t('Nodes')" @mousedown.prevent>
        <div v-for="(node, i) in rows" :key="node.class" class="o-pal-node" role="option" :id="'o-quick-' + i" :aria-selected="i === n" :data-at="i === n || null" :title="tip(node)" :data-testid="'quick-add-' + node.class"
             @mousemove="n = i" @click="choose(node)"><NodeRow :node="node" where /></div>
        <p v-if="!rows.length" class="o-pal-none">{{ index.state === "ready" ? t("No node fits “{words}”.", { words: query || name }) : t("Reading the nodes…") }}</p>
      </div>
    </div>`,
  data: () => ({ index, query: "", n: 0, place: {} }),
  computed: {
    color() {
      return typeColor(this.type);
    },
    isLink() {
      return Boolean(this.from || this.to);
    },
    name() {
      return this.isLink ? typeName(this.type) : "";
    },
    among() {
      return index.state === "ready" && this.isLink ? fitting(this.type, this.from ? "out" : "in") : null;
    },
    rows() {
      if (index.state !== "ready") return [];
      if (this.query.trim()) return find(this.query, { among: this.among ?? allClasses(), limit: SHOWN });
      if (this.among) return this.among.slice(0, SHOWN);
      const usual = [...recentClasses(), ...firstClasses()];
      return [...new Set([...usual, ...allClasses()])].slice(0, SHOWN);
    },
  },
  created() {
    refresh();
  },
  mounted() {
    const [x, y] = Array.isArray(this.at) ? this.at : [this.at.x, this.at.y];
    const frame = this.$el.parentElement.getBoundingClientRect();
    this.place = {
      left: `${Math.max(8, Math.min(x, frame.width - WIDTH - 8))}px`,
      top: `${Math.max(8, Math.min(y, frame.height - HEIGHT - 8))}px`,
    };
    this.$refs.find.focus({ preventScroll: true });
  },
  methods: {
    t,
    tip: (node) => describe(node, index.backends),
    search(words) {
      this.query = words;
      this.n = 0;
      this.$refs.list.scrollTop = 0;
    },
    choose(node) {
      if (!node) return;
      remember(node.class);
      this.$emit("add", { class: node.class, pos: this.pos, from: this.from, to: this.to });
    },
    leave(event) {
      if (!this.$refs.box?.contains(event.relatedTarget)) this.$emit("close", Boolean(event.relatedTarget));
    },
    async key(event) {
      event.stopPropagation();
      if (event.isComposing) return;
      const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 }[event.key];
      if (by) this.n = Math.max(0, Math.min(this.rows.length - 1, this.n + by));
      else if (event.key === "Enter") this.choose(this.rows[this.n]);
      else if (event.key === "Tab" && !event.shiftKey) return; // goes on to what follows the graph
      else if (["Escape", "Tab"].includes(event.key)) this.$emit("close");
      else return;
      event.preventDefault();
      await this.$nextTick();
      this.$refs.list?.children[this.n]?.scrollIntoView({ block: "nearest" });
    },
  },
};

export default QuickAdd;
