// The inside of a note: its text, and on a double click (or `edit()`) a field to change it. Emits
// `value {name, value}` like the widgets of other nodes.
import { marked, plain } from "./note_text.js";
import { t } from "./say.js";
import { hasCommand, keepKeys, leaveToNode } from "./widget_keys.js";

const NAME = "text";

const NoteText = {
  props: { text: String, isMarked: Boolean },
  render() {
    return this.isMarked ? marked(this.text) : plain(this.text);
  },
};

export const NoteNode = {
  name: "NoteNode",
  components: { NoteText },
  props: { node: Object, specs: Object, disabled: Boolean },
  emits: ["value"],
  template: `
    <div class="o-wd-note" data-testid="note">
      <textarea v-if="draft !== null" ref="area" class="nodrag nopan nowheel" dir="auto" data-testid="note-edit" :aria-label="t('Note')" :value="draft" @input="draft = $event.target.value"
                @blur="end" @keydown="key" @keyup.stop @dblclick.stop></textarea>
      <div v-else class="o-wd-note-text nowheel" dir="auto" data-testid="note-text" :title="disabled ? undefined : t('Double-click to write')" @dblclick.stop="edit">
        <NoteText v-if="text" :text="text" :is-marked="isMarked" /><span v-else class="o-wd-note-empty">{{ t("Double-click to write") }}</span>
      </div>
    </div>`,
  data: () => ({ draft: null, sent: null }),
  computed: {
    widget() {
      return this.node.widgets?.find((one) => one.name === NAME) ?? this.node.widgets?.[0];
    },
    text() {
      return String(this.sent ?? this.widget?.value ?? "");
    },
    isMarked() {
      return this.node.class === "MarkdownNote";
    },
  },
  watch: {
    "node.widgets"() {
      this.sent = null;
    },
  },
  methods: {
    t,
    edit() {
      if (this.disabled) return false;
      this.draft = this.text;
      this.$nextTick(() => this.$refs.area?.focus());
      return true;
    },
    commit() {
      if (this.draft === null || this.draft === this.text) return;
      this.sent = this.draft;
      this.$emit("value", { name: this.widget?.name ?? NAME, value: this.draft });
    },
    end() {
      this.commit();
      this.draft = null;
    },
    key(event) {
      keepKeys(event);
      if (event.isComposing) return;
      if (hasCommand(event)) this.commit();
      if (event.key !== "Escape") return;
      this.draft = null;
      leaveToNode(event);
    },
  },
};

export default NoteNode;
