// Every node class there is, at the left of the graph: search, the last used ones, categories.
// Drag a row onto the canvas (`DRAG_TYPE` of node_index.js carries the class), or add it at the
// middle by click or Enter: emits `add {class}`.
import { number } from "orchestrator/i18n.js";
import { DRAG_TYPE, categories, find, firstClasses, inOrder, index, recentClasses, refresh, remember } from "./node_index.js";
import { NodeRow, describe } from "./node_row.js";
import { t, tn } from "./say.js";

const KEY = "o-palette-open";
const NARROW = "o-palette-narrow";
const ROOM_PX = 1024; // below, the canvas needs the width more

function startsNarrow() {
  const chosen = localStorage.getItem(NARROW);
  return chosen === null ? innerWidth < ROOM_PX : chosen === "true";
}

function opened() {
  try {
    return new Set(JSON.parse(localStorage.getItem(KEY) ?? "[]"));
  } catch {
    return new Set();
  }
}

export const NodePalette = {
  name: "NodePalette",
  components: { NodeRow },
  props: { disabled: Boolean },
  emits: ["add"],
  template: `
    <section v-if="isNarrow" class="o-pal o-pal-narrow" :aria-label="t('Nodes')" data-testid="node-palette">
      <button type="button" class="o-icon-btn" data-testid="palette-show" :title="t('Show the nodes (/)')" :aria-label="t('Show the nodes (/)')" @click="focus">
        <svg class="o-i" aria-hidden="true"><use href="#o-i-panel" /></svg>
      </button>
    </section>
    <section v-else class="o-pal" :aria-label="t('Nodes')" data-testid="node-palette" @keydown="key">
      <div class="o-pal-top">
        <div class="o-pal-find">
          <svg class="o-i" aria-hidden="true"><use href="#o-i-search" /></svg>
          <input ref="find" type="search" role="combobox" aria-haspopup="tree" aria-expanded="true" aria-controls="o-pal-rows" autocomplete="off" spellcheck="false"
                 :aria-activedescendant="at < 0 ? undefined : 'o-pal-' + at" data-testid="palette-search" :placeholder="about" :aria-label="t('Find a node')"
                 :value="query" @input="search($event.target.value)" />
          <kbd v-if="!query">/</kbd>
        </div>
        <button type="button" class="o-icon-btn o-icon-btn-compact" data-testid="palette-hide" :title="t('Hide the nodes')" :aria-label="t('Hide the nodes')" @click="narrow(true)">
          <svg class="o-i" aria-hidden="true"><use href="#o-i-panel" /></svg>
        </button>
      </div>
      <div ref="list" class="o-pal-rows" id="o-pal-rows" role="tree" :aria-label="t('Nodes')">
        <template v-for="(row, n) in rows" :key="row.key">
          <h3 v-if="row.title" class="o-pal-title" role="none">{{ row.title }}</h3>
          <button v-else-if="row.path !== undefined" type="button" class="o-pal-head" role="treeitem" tabindex="-1" :id="'o-pal-' + n" :aria-level="row.depth + 1"
                  :aria-selected="n === at" :aria-expanded="row.isOpen" :data-at="n === at || null" :style="{ paddingLeft: 8 + row.depth * 12 + 'px' }"
                  :data-testid="'palette-category-' + row.path" @click="fold(row)">
            <svg class="o-i o-i-xs o-wd-fold" :data-open="row.isOpen" aria-hidden="true"><use href="#o-i-cr" /></svg>
            <span class="o-trunc">{{ row.name }}</span><span class="o-pal-count o-num">{{ row.count }}</span>
          </button>
          <div v-else class="o-pal-node" role="treeitem" :id="'o-pal-' + n" :aria-level="row.depth + 1" :aria-selected="n === at" :data-at="n === at || null"
               :data-class="row.node.class" :draggable="!disabled" :style="{ paddingLeft: 8 + row.depth * 12 + 'px' }" :title="tip(row.node)"
               :data-testid="'palette-node-' + row.node.class" @click="add(row.node)" @dragstart="drag($event, row.node)">
            <svg class="o-i o-i-s o-pal-grip" aria-hidden="true"><use href="#o-i-grip" /></svg><NodeRow :node="row.node" />
          </div>
        </template>
        <p v-if="!rows.length && index.state === 'ready'" class="o-pal-none">
          {{ query ? t("No node fits “{words}”.", { words: query }) : t("No backend has said yet which nodes it has.") }}
        </p>
        <div v-if="index.state === 'failed'" class="o-pal-none" role="alert">{{ index.problem || t("The server did not answer. Is it still running?") }}
          <button type="button" class="o-btn o-btn-compact" data-testid="palette-retry" @click="refresh">{{ t("Try again") }}</button>
        </div>
        <div v-if="index.state === 'reading'" class="o-pal-bones" aria-hidden="true"><i v-for="n in 12" :key="n" class="o-skeleton"></i></div>
      </div>
    </section>`,
  data: () => ({ index, query: "", at: -1, open: opened(), isNarrow: startsNarrow() }),
  computed: {
    about() {
      if (index.state !== "ready") return t("Find a node");
      return `${tn("{n} node", index.total)} · ${tn("{n} backend", index.backends)}`;
    },
    rows() {
      if (index.state !== "ready") return [];
      if (this.query.trim()) return find(this.query).map((node) => ({ key: node.class, node, depth: 0 }));
      const recent = recentClasses();
      const first = recent.length ? recent : firstClasses();
      const rows = first.map((node) => ({ key: `r:${node.class}`, node, depth: 0 }));
      if (rows.length) rows.unshift({ key: "recent", title: recent.length ? t("Recent") : t("To begin with") });
      this.addRows(categories(), { rows, depth: 0 });
      return rows;
    },
  },
  created() {
    refresh();
  },
  methods: {
    t,
    refresh,
    tip: (node) => describe(node, index.backends),
    async focus() {
      if (this.isNarrow) this.narrow(false);
      await this.$nextTick();
      this.$refs.find.focus();
      this.$refs.find.select();
    },
    narrow(isNarrow) {
      this.isNarrow = isNarrow;
      localStorage.setItem(NARROW, String(isNarrow));
    },
    addRows(folder, { rows, depth }) {
      for (const inner of inOrder(folder.folders)) {
        const isOpen = this.open.has(inner.path);
        rows.push({ key: `c:${inner.path}`, path: inner.path, name: inner.name, count: number(inner.count), isOpen, depth });
        if (!isOpen) continue;
        this.addRows(inner, { rows, depth: depth + 1 });
        for (const node of inner.classes) rows.push({ key: `n:${node.class}`, node, depth: depth + 1 });
      }
    },
    search(words) {
      this.query = words;
      this.at = words.trim() ? 0 : -1;
      this.$refs.list.scrollTop = 0;
    },
    fold(row) {
      const open = new Set(this.open);
      row.isOpen ? open.delete(row.path) : open.add(row.path);
      this.open = open;
      localStorage.setItem(KEY, JSON.stringify([...open]));
    },
    add(node) {
      if (this.disabled) return;
      remember(node.class);
      this.$emit("add", { class: node.class });
    },
    drag(event, node) {
      event.dataTransfer.setData(DRAG_TYPE, node.class);
      event.dataTransfer.effectAllowed = "copy";
      // Remembered where it is dropped; a row that moved away under the pointer would end the drag.
    },
    key(event) {
      event.stopPropagation();
      const row = this.rows[this.at];
      const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key];
      if (by) this.step(by);
      else if (event.key === "Enter" && row?.node) this.add(row.node);
      else if (event.key === "Enter" && row) this.fold(row);
      else if (event.key === "ArrowRight" && row && "path" in row && !row.isOpen) this.fold(row);
      else if (event.key === "ArrowLeft" && row?.isOpen) this.fold(row);
      else if (event.key === "Escape") this.query ? this.search("") : event.target.blur();
      else return;
      event.preventDefault();
    },
    async step(by) {
      const last = this.rows.length - 1;
      let to = Math.max(0, Math.min(last, this.at + by));
      if (this.rows[to]?.title) to = Math.max(0, Math.min(last, to + Math.sign(by)));
      this.at = this.rows[to]?.title ? -1 : to;
      await this.$nextTick();
      this.$refs.list.querySelector(`#o-pal-${this.at}`)?.scrollIntoView({ block: "nearest" });
    },
  },
};

export default NodePalette;
