// A group: a frame with a title behind its nodes. Its head moves it with all that lies inside, its
// corner changes its size.
import { inject } from "vue";
import { resizing } from "orchestrator-graph/resizing.js";

export const GroupBox = {
  inheritAttrs: false,
  props: { id: String, selected: Boolean },
  setup: () => ({ graph: inject("graph"), canvas: inject("canvas") }),
  template: `
    <section v-if="group" class="o-wg-group" :data-selected="selected || null" :style="style" :data-testid="'group-' + group.id" :aria-label="group.title">
      <header class="o-wg-group-head" @dblclick.stop="rename">
        <input v-if="draft !== null" ref="field" v-model="draft" class="o-wg-rename nodrag" maxlength="500" :aria-label="canvas.t('Title')"
               @keydown.stop="onKey" @blur="commit" @pointerdown.stop>
        <span v-else class="o-trunc">{{ group.title || canvas.t("Group") }}</span>
      </header>
      <i v-if="!graph.readonly" class="o-wg-corner nodrag" aria-hidden="true" @pointerdown.stop.prevent="resize"></i>
    </section>`,
  data: () => ({ draft: null, size: null }),
  computed: {
    group() {
      return this.graph.groups[this.id.slice(2)];
    },
    style() {
      const [, , width, height] = this.group.box;
      const [w, h] = this.size ?? [width, height];
      return { width: `${w}px`, height: `${h}px`, "--c": this.group.color || "var(--line-3)" };
    },
    wanted() {
      return this.graph.renaming === this.id;
    },
  },
  watch: {
    wanted(wanted) {
      if (wanted) this.rename();
    },
    "group.box"() {
      this.size = null;
    },
  },
  methods: {
    rename() {
      if (this.graph.readonly) return;
      this.draft = this.group.title;
      this.graph.renaming = null;
      this.$nextTick(() => this.$refs.field?.select());
    },
    onKey(event) {
      if (event.key === "Escape") this.draft = null;
      if (event.key === "Enter" && !event.isComposing) this.commit();
      if (["Escape", "Enter"].includes(event.key)) this.canvas.focus();
    },
    commit() {
      const title = this.draft?.trim();
      if (title && title !== this.group.title) this.canvas.ops({ op: "group.edit", id: this.group.id, title });
      this.draft = null;
    },
    resize(event) {
      const [x, y, width, height] = this.group.box;
      resizing(event, {
        from: [width, height], least: [120, 60], zoom: this.canvas.zoom(),
        move: (size) => (this.size = size),
        done: (size) => this.canvas.ops({ op: "group.edit", id: this.group.id, box: [x, y, ...size] }),
      });
    },
  },
};
